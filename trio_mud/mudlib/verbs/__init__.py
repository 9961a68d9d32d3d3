"""What guests can do: one table beside each kind of doing, and here the one that includes them all."""

from trio_mud.commands import Commands

from ..guest import Guest
from . import looking, moving, talking, tuning, writing
from .looking import show_room

__all__ = ["commands", "show_room"]

commands = Commands[Guest](help_verbs=())
for table in (looking.commands, moving.commands, talking.commands, tuning.commands, writing.commands):
    commands.include(table)


@commands.verb("help", "?")
def explain(who: Guest, verb: str = "") -> None:
    """List the commands, or explain one of them."""
    text = commands.explain(verb)
    who.read(text if verb else f"{text}\n\n{commands.phrases.more.format(verb='help')}")


commands.check()
