"""The world of one running game: the object that its functions find as `server.world`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Self, TypeVar

from trio_mud import MasterServer
from trio_mud.storage import Executor, Store

T = TypeVar("T")

__all__ = ["World"]


class World:
    """The world of one running game.

    Attributes:
        store: The records of the game.
        executor: Where slow plain functions run; None for threads. In the test kit it is `storage.inline`.
        wall_clock: Returns the seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        *,
        options: Iterable[object] = (),
        executor: Executor | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.executor = executor
        self.wall_clock = wall_clock
        self._options = {type(each): each for each in options}

    def options(self, cls: type[T]) -> T:
        """Return the configured options of this class, such as `AccountOptions`, or its defaults."""
        found = self._options.get(cls)
        return found if isinstance(found, cls) else cls()

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
