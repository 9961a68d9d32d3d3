"""A table of commands: what a player types, matched to a function and its arguments.

The first thing every author needs, and independent of any world: it knows nothing of rooms, and an actor is anything
with a `write`, a player of your own as well as a bare `Connection`::

    commands = Commands[Connection]()

    @commands.verb("say", "'")
    def say(who: Connection, words: str) -> None:
        '''Say something to all.'''
        broadcast(f"{who.name}: {words}", to=who.server.connections)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        return commands.run(event.connection, event.line)

Now `say hello`, `sa hello` and `'hello` do what they should, `say` alone answers `Usage: say WORDS`, and `help` lists
it. The order of registration never matters: not of verbs, not of converters, not of the tables that include others.

`matches` and `listing` do for a world's own names what the table does for verbs. `APOSTROPHES` are all the marks that a
player's keyboard may make of the key of the apostrophe.
"""

from .command import Command
from .commands import Actor, Commands
from .errors import Mistake
from .matching import APOSTROPHES, listing, matches
from .phrases import Phrases

__all__ = ["APOSTROPHES", "Actor", "Command", "Commands", "Mistake", "Phrases", "listing", "matches"]
