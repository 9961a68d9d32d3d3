"""A game whose records are stored: hooks, the classes of its records, and maps of its world.

It names no database: the command line chooses one, and the test kit has one in memory.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

from trio_mud import FIRST, LAST, Hooks, SessionEnded, SessionRestored, SessionStarted, Started
from trio_mud.storage import Backend, Executor, Record, open_store
from trio_mud.storage.catalog import Catalog
from trio_mud.storage.journal import ChangeJournal

from .being import Traveller
from .map_files import MapFile
from .maps import Atlas
from .thing import Thing
from .world import World

__all__ = ["Game", "OpenGame", "StoreSettings"]


class StoreSettings(TypedDict, total=False):
    """The keyword arguments of `open_store`, where they are documented."""

    interval: float
    cleanup: float
    strict: bool
    executor: Executor | None
    journal: ChangeJournal | None
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
        maps: The files of the world's map; with any, or with a class of things, `Thing` is
            among the records.

    Raises:
        TypeError: An argument is of another type.
    """

    def __init__(
        self,
        hooks: Hooks | Callable[[World], Hooks],
        *,
        records: Iterable[type[Record]] = (),
        maps: Iterable[MapFile] = (),
    ) -> None:
        if not isinstance(hooks, Hooks) and (not callable(hooks) or isinstance(hooks, type)):
            raise TypeError(f"Game() takes a Hooks, or a function of the world that returns one, not {hooks!r}")
        if isinstance(maps, str | Path):
            raise TypeError(f"Game(maps=) takes several files: write maps=({str(maps)!r},)")
        self.maps = tuple(maps)
        if isinstance(records, type):
            raise TypeError(f"Game(records=) takes several classes: write records=({records.__name__},)")
        self.records = tuple(records)
        for record in self.records:
            if not (isinstance(record, type) and issubclass(record, Record)):
                raise TypeError(f"Game(records=) takes classes derived from Record, not {record!r}")
        if Thing not in self.records and (self.maps or any(issubclass(record, Thing) for record in self.records)):
            self.records = (Thing, *self.records)
        self._hooks = hooks

    def make_hooks(self, world: World) -> Hooks:
        """Return the hooks of the game in this world.

        Raises:
            TypeError: The function of the game returned no `Hooks`.
        """
        hooks = self._hooks if isinstance(self._hooks, Hooks) else self._hooks(world)
        if not isinstance(hooks, Hooks):
            raise TypeError(f"{self._hooks!r} returned {hooks!r}, not a Hooks: end the function by `return hooks`")
        return _with_world(hooks, world) if Thing in self.records else hooks

    def check(self) -> None:
        """Check the declarations of all records and the maps, as opening the store does.

        Raises:
            TypeError: A record class is declared wrongly.
            MapError: A map is wrong.
        """
        Atlas.read(self.maps, Catalog(self.records))

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
            MapError: A map is wrong; the database was not opened.
            TypeError: A record class is declared wrongly, or the function of the game returned no `Hooks`.
            NotSaved: At the end of the block, if changes could not be saved and are lost.
        """
        atlas = Atlas.read(self.maps, Catalog(self.records))
        seams: dict[str, Any] = {"overlay": atlas.overlay, "prepare": atlas.add_fixtures} if self.maps else {}
        async with open_store(backend, *self.records, **seams, **settings) as store:
            world = World(
                store,
                atlas,
                options=options,
                executor=settings.get("executor"),
                wall_clock=settings.get("wall_clock", time.time),
            )
            hooks = self.make_hooks(world)
            if (journal := settings.get("journal")) is not None:
                journal.ending = world._end
            try:
                yield OpenGame(hooks, world)
            finally:
                world._end()


def _with_world(game: Hooks, world: World) -> Hooks:
    """Return the hooks of the game, and those that start the clock and tie travellers to their sessions."""
    hooks = Hooks()

    @hooks.on(Started, order=FIRST)
    def start(event: Started) -> None:
        world.clock.start(event.server)

    def arrive(event: SessionStarted | SessionRestored) -> None:
        body = event.session.body
        if isinstance(body, Traveller):
            body.session = event.session
            if body._tracker is None:
                world.add(body, stored=False)
            if body.place is None:
                body.place = world.start

    hooks.on(SessionStarted, order=FIRST)(arrive)
    hooks.on(SessionRestored)(arrive)  # not first: a function that is first sets the body

    @hooks.on(SessionEnded, order=LAST)
    def depart(event: SessionEnded) -> None:
        body = event.session.body
        if isinstance(body, Traveller) and body.session is event.session:
            body.session = None
            if body._tracker is None:
                body.destroy()

    hooks.include(game)
    return hooks
