"""Games whose records are stored: a `Game`, and the `World` that its functions find as `server.world`.

    class Guest(Record, family="guest"):
        name: str
        gold: int = 0

    game = Game(hooks, records=(Guest,))

`trio-mud run tavern:game` opens the store around the server, and `mud(game)` of the test kit does it in a test.
"""

from .game import Game, OpenGame
from .world import World

__all__ = ["Game", "OpenGame", "World"]
