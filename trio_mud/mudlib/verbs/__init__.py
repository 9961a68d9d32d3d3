"""What players can do: one table beside each kind of doing, and here the one that includes them all."""

from trio_mud.accounts import Accounts
from trio_mud.commands import Commands

from ..villager import Villager
from . import handling, looking, moving, talking, tuning, using, writing
from .keeping import ACCOUNT_VERBS, account_commands
from .looking import show_room

__all__ = ["ACCOUNT_VERBS", "commands", "commands_for", "show_room"]


def table_of(*tables: Commands[Villager]) -> Commands[Villager]:
    """Return one table with the verbs of several, and a help that lists them."""
    table = Commands[Villager](help_verbs=())
    for other in tables:
        table.include(other)

    @table.verb("help", "?")
    def explain(who: Villager, verb: str = "") -> None:
        """List the commands, or explain one of them."""
        text = table.explain(verb)
        who.read(text if verb else f"{text}\n\n{table.phrases.more.format(verb='help')}")

    table.check()
    return table


commands = table_of(
    looking.commands,
    moving.commands,
    talking.commands,
    tuning.commands,
    using.commands,
    writing.commands,
    handling.commands,
)


def commands_for(accounts: Accounts) -> Commands[Villager]:
    """Return the commands of a valley whose players have accounts."""
    return table_of(commands, account_commands(accounts))
