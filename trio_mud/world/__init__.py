"""A world of things, and games whose records are stored.

    class Lamp(Thing):
        oil: float = 60.0  # seconds

        def burn_out(self) -> None:
            self.room.tell(f"The {self} goes out.")

    game = Game(hooks, maps=("map.toml",))

A `Thing` is a stored record that is somewhere. `Room`, `Door`, `Container`, `Being` and `Traveller` are its classes;
a game derives its own from them. Maps in TOML have the rooms, and templates of things. Due calls, by `after` and
`every`, are made in the time of the world, which stands still while no server runs. `StandardVerbs` is a table of the
verbs that most games have.

`Game` needs no world: `Game(hooks, records=(Guest,))` stores any records. `trio-mud run tavern:game` opens the store
around the server, and `mud(game)` of the test kit does it in a test.
"""

from .being import Being, Traveller
from .clock import Clock
from .game import Game, OpenGame
from .phrases import FightPhrases, VerbPhrases
from .playing import play_by_name
from .room import Container, Door, Room
from .thing import Thing
from .timed import every
from .verbs import DIRECTIONS, StandardVerbs
from .world import World

__all__ = [
    "DIRECTIONS",
    "Being",
    "Clock",
    "Container",
    "Door",
    "FightPhrases",
    "Game",
    "OpenGame",
    "Room",
    "StandardVerbs",
    "Thing",
    "Traveller",
    "VerbPhrases",
    "World",
    "every",
    "play_by_name",
]
