"""A game whose records are stored: hooks, and the classes of its records.

It names no database: the command line chooses one, and the test kit has one in memory.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypedDict, Unpack

from trio_mud import Hooks
from trio_mud.storage import Backend, Executor, Record, open_store
from trio_mud.storage.catalog import Catalog

from .world import World

__all__ = ["Game", "OpenGame", "StoreSettings"]


class StoreSettings(TypedDict, total=False):
    """The keyword arguments of `open_store`, where they are documented."""

    interval: float
    cleanup: float
    strict: bool
    executor: Executor | None
    wall_clock: Callable[[], float]


class OpenGame(NamedTuple):
    """A game with an open store; the arguments of a server."""

    hooks: Hooks
    world: World


class Game:
    """A game with stored records; the third thing that MODULE:NAME may name.

    Args:
        hooks: The functions of the game; or a function that is called with the `World` each time the game is opened,
            and returns them.
        records: The base classes of the records that are stored.

    Raises:
        TypeError: An argument is of another type.
    """

    def __init__(self, hooks: Hooks | Callable[[World], Hooks], *, records: Iterable[type[Record]] = ()) -> None:
        if not isinstance(hooks, Hooks) and (not callable(hooks) or isinstance(hooks, type)):
            raise TypeError(f"Game() takes a Hooks, or a function of the world that returns one, not {hooks!r}")
        self.records = tuple(records)
        for record in self.records:
            if not (isinstance(record, type) and issubclass(record, Record)):
                raise TypeError(f"Game(records=) takes classes derived from Record, not {record!r}")
        self._hooks = hooks

    def check(self) -> None:
        """Check the declarations of all records, as opening the store does.

        Raises:
            TypeError: A record class is declared wrongly.
        """
        Catalog(self.records)

    @asynccontextmanager
    async def open(
        self, backend: Backend, *, options: Iterable[object] = (), **settings: Unpack[StoreSettings]
    ) -> AsyncGenerator[OpenGame]:
        """Open the store for the length of the block, and return the arguments of a server.

            async with game.open(Sqlite("data/inn.db")) as (hooks, world):
                await serve(hooks, world=world)

        Args:
            backend: The database.
            options: What `World.options` returns in place of defaults, by class.
            settings: Those of `open_store`.

        Raises:
            CannotOpenStorage: The database cannot be used.
            TypeError: A record class is declared wrongly, or the function of the game returned no `Hooks`.
            NotSaved: At the end of the block, if changes could not be saved and are lost.
        """
        async with open_store(backend, *self.records, **settings) as store:
            world = World(
                store,
                options=options,
                executor=settings.get("executor"),
                wall_clock=settings.get("wall_clock", time.time),
            )
            hooks = self._hooks if isinstance(self._hooks, Hooks) else self._hooks(world)
            if not isinstance(hooks, Hooks):
                raise TypeError(f"{self._hooks!r} returned {hooks!r}, not a Hooks: end the function by `return hooks`")
            yield OpenGame(hooks, world)
