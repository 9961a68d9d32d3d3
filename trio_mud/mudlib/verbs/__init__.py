"""What players can do: one table beside each kind of doing, and here the one that includes them all."""

from collections.abc import Callable, Iterable

from trio_mud.accounts import Accounts
from trio_mud.commands import Commands
from trio_mud.errors import ConfigurationError
from trio_mud.operations import Operations
from trio_mud.world.building import add_building

from ..lore import CHANNELS, SOCIALS, TOPICS
from ..spot import Spot
from ..villager import Villager
from . import away, chatting, gesturing, handling, ignoring, looking, moving, talking, tuning, using, writing
from .helping import add_help
from .keeping import account_commands
from .looking import show_room
from .posting import post_commands

__all__ = ["check_words", "commands", "commands_for", "show_room"]


PLAIN = (
    looking.commands,
    moving.commands,
    handling.commands,
    using.commands,
    talking.commands,
    away.commands,
    ignoring.commands,
    tuning.commands,
    writing.commands,
)


def check_words(file: str, words: Iterable[str], *tables: Commands[Villager]) -> None:
    """Raise ConfigurationError if a word of a file is a verb that all players have: it could never be typed.

    A verb of some roles may have the word: it takes precedence for those who have it.
    """
    verbs = {verb for table in tables for command in table if not command.role for verb in command.verbs}
    for word in words:
        if word in verbs:
            raise ConfigurationError(f"{file}: {word}: there is a command {word!r}; choose another word")


def table_of(*tables: Commands[Villager], role_of: Callable[[Villager], int] | None = None) -> Commands[Villager]:
    """Return one table with the verbs of several, the gestures last, and a help for all of them."""
    table = Commands[Villager](help_verbs=(), role_of=role_of)
    for other in (*tables, gesturing.commands):
        table.include(other)
    add_help(table, TOPICS)
    table.check()
    check_words("channels.toml", CHANNELS, *tables[1:])
    check_words("socials.toml", SOCIALS, *tables)
    return table


commands = table_of(chatting.commands, *PLAIN)


def commands_for(accounts: Accounts, operations: Operations) -> Commands[Villager]:
    """Return the commands of a valley whose players have accounts, and some of them a role."""
    building = Commands[Villager](help_verbs=(), role_of=operations.role_of)
    add_building(building, room=Spot)
    kept = (account_commands(accounts), post_commands(accounts), operations.commands, building)
    return table_of(chatting.commands, *PLAIN, *kept, role_of=operations.role_of)
