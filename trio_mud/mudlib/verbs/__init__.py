"""What guests can do: one table beside each kind of doing, and here those that include them all."""

from trio_mud.commands import Commands

from ..guest import Guest
from . import keeping, looking, moving, talking, tuning, writing
from .looking import show_room

__all__ = ["commands", "resident_commands", "show_room"]


def table_of(*tables: Commands[Guest]) -> Commands[Guest]:
    """One table with the verbs of several, and a help that lists them."""
    table = Commands[Guest](help_verbs=())
    for other in tables:
        table.include(other)

    @table.verb("help", "?")
    def explain(who: Guest, verb: str = "") -> None:
        """List the commands, or explain one of them."""
        text = table.explain(verb)
        who.read(text if verb else f"{text}\n\n{table.phrases.more.format(verb='help')}")

    table.check()
    return table


commands = table_of(looking.commands, moving.commands, talking.commands, tuning.commands, writing.commands)
resident_commands = table_of(commands, keeping.commands)  # where players have accounts
