"""A table of commands: matches typed lines to functions and their arguments.

It is independent of any world and does not know rooms. An actor is any object with a `write` method, such as a player
class of the game or a `Connection`::

    commands = Commands[Connection]()

    @commands.verb("say", "'")
    def say(who: Connection, words: str) -> None:
        '''Say something to all.'''
        broadcast(f"{who.name}: {words}", to=who.server.connections)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        return commands.run(event.connection, event.line)

Now `say hello`, `sa hello` and `'hello` run the command, `say` alone is answered with `Usage: say WORDS`, and `help`
lists it. The order of registration does not matter, neither of verbs nor of converters nor of included tables.

`matches` and `listing` offer the same matching for a world's own names. `APOSTROPHES` are all the characters that a
player's keyboard may produce for the apostrophe key.
"""

from .arguments import Preposition
from .command import Command
from .commands import Actor, Commands
from .errors import Mistake
from .finding import find, the_many, the_one
from .matching import APOSTROPHES, listing, matches, similar
from .phrases import Phrases
from .role import Role

__all__ = [
    "APOSTROPHES",
    "Actor",
    "Command",
    "Commands",
    "Mistake",
    "Phrases",
    "Preposition",
    "Role",
    "find",
    "listing",
    "matches",
    "similar",
    "the_many",
    "the_one",
]
