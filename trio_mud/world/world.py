"""The world of one running game: the object that its functions find as `server.world`."""

from __future__ import annotations

from typing import Self

from trio_mud import MasterServer
from trio_mud.storage import Store

__all__ = ["World"]


class World:
    """The world of one running game.

    Attributes:
        store: The records of the game.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def of(cls, server: MasterServer) -> Self:
        """Return the world of a server that serves a `Game`.

        Raises:
            TypeError: The server serves hooks alone, so nothing is stored.
        """
        world = server.world
        if not isinstance(world, cls):
            raise TypeError(
                f"server.world is {type(world).__name__}, not {cls.__name__}: serve a Game, such as "
                "Game(hooks, records=(…)), and leave server.world as it is"
            )
        return world
