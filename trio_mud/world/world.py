"""The world of one running game: the object that its functions find as `server.world`."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Self, TypeVar

from trio_mud import MasterServer
from trio_mud.storage import Executor, Store

from .clock import Clock
from .maps import UNMADE, Atlas, Reset, Template
from .room import Door, Room
from .thing import PREFIX, Thing

__all__ = ["World"]

T = TypeVar("T")
ThingT = TypeVar("ThingT", bound=Thing)

RUNS: Final = "trio_mud.world_runs"  # a value of the store: if the world is open, and the times of its crashes
MAX_CRASHES: Final = 1000  # times that are kept
RESETS: Final = "trio_mud.resets"  # a value of the store: when each reset is due again; None for those made once

logger = logging.getLogger("trio_mud")


class World:
    """The world of one running game.

    Attributes:
        store: The records of the game.
        executor: Where slow plain functions run; None for threads. In the test kit it is `storage.inline`.
        wall_clock: Returns the seconds since 1970.
        clock: The time of the world; `clock.now` are the seconds for which it has been running.
        began: The world time at which this run began.
    """

    def __init__(
        self,
        store: Store,
        atlas: Atlas | None = None,
        *,
        options: Iterable[object] = (),
        executor: Executor | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.executor = executor
        self.wall_clock = wall_clock
        self._options = {type(each): each for each in options}
        self.clock = Clock(store)
        self.began = self.clock.now
        self._kept: dict[object, Any] = {}  # what the next hooks of the game take over, by name
        self._atlas = atlas or Atlas()
        self._histories: Any = None  # the last acts of its builders
        self._resets = {reset.name: reset for reset in self._atlas.resets}
        self._reset_times: dict[str, float | None] = store.value(RESETS, {})
        self._crashes: list[float] = []  # the last times at which a run ended without `_end`
        self._forgotten_crashes = 0  # the number of earlier ones
        self._has_ended = False
        store._contents.world = self
        if "thing" in store._contents.keys:
            self._begin()

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
            found = "None" if world is None else f"a {type(world).__name__}"
            raise TypeError(
                f"server.world is {found}, not a {cls.__name__}: serve a Game, such as "
                "Game(hooks, records=(…)), and do not assign server.world"
            )
        return world

    @property
    def start(self) -> Room:
        """Return the room where players begin: `start` of a map, or its first room.

        Raises:
            LookupError: There is no map with rooms.
        """
        return self.get(Room, self._atlas.start)

    @property
    def limbo(self) -> Room:
        """Return the room where things go whose place is lost: `limbo` of a map, or the start.

        Raises:
            LookupError: There is no map with rooms.
        """
        return self.get(Room, self._atlas.limbo)

    def get(self, cls: type[ThingT], key: str) -> ThingT:
        """Return the room or door of this class with this key: that of a map, or of a room that was dug in the game.

        Raises:
            LookupError: There is none.
        """
        found = self.store.get(cls, PREFIX + key)
        if found is None:
            raise LookupError(f"there is no {cls.__name__} {key!r}: name a table of the map, or a room that was dug")
        return found

    def make(self, template: str, place: Thing | None = None, **fields: Any) -> Thing:
        """Make a new thing from a template of the map, in this place.

        Raises:
            LookupError: There is no such template, or it is that of a room or door, which exist once.
            TypeError: A field is none of its class.
            ValueError: The place was destroyed.
        """
        known = self._template(template)
        _check_there(place)
        thing = known.cls(**{**known.values(self.store), **fields, "template": template})
        self.store.add(thing)
        thing.place = place
        return thing

    def add(self, thing: ThingT, key: str = "", *, stored: bool = True) -> ThingT:
        """Bring a new thing into the world, and return it.

        Args:
            thing: The thing; its place may be set already.
            key: As for `store.add`.
            stored: False for the body of a guest, which is not stored, and whose belongings fall when it is destroyed.

        Raises:
            DuplicateKey: The key is in use.
            ValueError: Its place was destroyed.
        """
        _check_there(thing.place)
        if stored:
            self.store.add(thing, key)
            thing._settle()
        else:
            thing._come(self)
        return thing

    # The calls of resets

    def _wants_call(self, name: str, at: float, wake: int) -> bool:
        """Return True if this reset is still due."""
        return self._reset_times.get(name) == at

    def _take_call(self, name: str, at: float, wake: int) -> Callable[[], object] | None:
        """Return the function that makes a reset."""
        reset = self._resets.get(name)
        return partial(self._reset, reset) if reset is not None and self._wants_call(name, at, wake) else None

    # Inside

    def _template(self, key: str) -> Template:
        template = self._atlas.templates.get(key)
        if template is None:
            raise LookupError(f"there is no template {key!r}: write a table [things.{key}] in a map")
        if template.is_fixture:
            raise LookupError(f"{key!r} is a room or a door, which exists once: world.get finds it")
        return template

    def _begin(self) -> None:
        """Bring everything that was loaded into the world, and make what is due at the start."""
        runs = self.store.value(RUNS, {})
        crashes = [*runs.get("crashes", ()), *([self.began] if runs.get("is_open") else ())]
        self._crashes = crashes[-MAX_CRASHES:]
        self._forgotten_crashes = runs.get("forgotten", 0) + len(crashes) - len(self._crashes)
        self._store_run(is_open=True)
        things = list(self.store.all(Thing))
        for thing in things:
            if not thing._owner:
                thing._come(self)
        has_rooms = bool(self._atlas.start)
        if has_rooms:
            self._remove_old_fixtures(things)
            self._compare_built(things)
            self._find_lost(things)
        for reset in self._atlas.resets:
            if reset.name not in self._reset_times or (reset.every and self._reset_times[reset.name] is None):
                self._reset(reset)
            elif reset.every:
                at = self._reset_times[reset.name]
                assert at is not None
                self.clock.schedule(self, reset.name, at)

    def _end(self) -> None:
        """Stop the time of all things, at the end of a run. A second call has no effect."""
        if self._has_ended:
            return
        self._has_ended = True
        self.clock.store_time()
        if "thing" in self.store._contents.keys:
            for thing in self.store.all(Thing):
                thing._stop(self.clock.now)
            self._store_run(is_open=False)

    def _store_run(self, *, is_open: bool) -> None:
        value = {"is_open": is_open, "crashes": self._crashes, "forgotten": self._forgotten_crashes}
        self.store.set_value(RUNS, value)

    def _count_crashes(self) -> int:
        return self._forgotten_crashes + len(self._crashes)

    def _first_crash_after(self, count: int) -> float | None:
        """Return the time of the crash that so many others precede, or of the first one that is still kept."""
        later = self._crashes[max(count - self._forgotten_crashes, 0) :]
        return later[0] if later else None

    def _remove_old_fixtures(self, things: list[Thing]) -> None:
        for thing in things:
            if not (thing.key.startswith(PREFIX) and thing.template):
                continue
            known = self._atlas.templates.get(thing.key.removeprefix(PREFIX))
            if known is None or not known.is_fixture:
                logger.warning("%r is in no map any more and is removed; its contents are in %r", thing, self.limbo)
                thing.destroy()
        unknown = Counter(thing.template for thing in things if thing.template not in self._atlas.templates)
        for template, number in unknown.items():
            if template and self.store.get(Thing, PREFIX + template) is None:
                logger.warning(
                    "no map has the template %r of %d things: they have the fields of their class", template, number
                )

    def _compare_built(self, things: list[Thing]) -> None:
        """Let go of what builders have done and the maps now have as well."""
        for thing in things:
            if thing.built_fields and (unmapped := self._atlas.unmapped(thing)) != thing.built_fields:
                thing.built_fields = unmapped
        unmade = self.store.value(UNMADE, [])
        if left := [key for key in unmade if key not in self._atlas.templates]:
            self.store.set_value(UNMADE, [key for key in unmade if key not in left])

    def _exchange_maps(self, atlas: Atlas) -> None:
        """Take over the maps of reloaded code. New rooms and doors are made; old ones stay until a restart."""
        self._atlas.become(atlas)
        try:
            atlas.add_fixtures(self.store)
        except Exception:
            logger.exception("the new rooms of the maps were not all made: restart the server")

    def _exchange_resets(self) -> None:
        """Take over the resets of the maps, and make those that are new."""
        known = self._resets
        self._resets = {reset.name: reset for reset in self._atlas.resets}
        try:
            for reset in self._atlas.resets:
                at = self._reset_times.get(reset.name)
                if at is None and (reset.every or reset.name not in self._reset_times):
                    self._reset(reset)
                elif at is not None and reset.name not in known:
                    self.clock.schedule(self, reset.name, at)
        except Exception:
            logger.exception("the new resets of the maps were not all made: restart the server")

    def _find_lost(self, things: list[Thing]) -> None:
        """Put each thing that is nowhere into the limbo: its place was not saved, or cannot be loaded."""
        limbo = self.limbo
        for thing in things:
            is_somewhere = thing.place is not None or thing._owner or thing._tracker is None
            if not is_somewhere and not isinstance(thing, Room | Door) and not thing._travels:
                logger.warning("%r was nowhere and is in %r now", thing, limbo)
                thing.place = limbo

    def _reset(self, reset: Reset) -> None:
        """Fill a place up to the number of things that a reset names, and note when it is due again."""
        place = self.store.get(Room, PREFIX + reset.into)
        if place is None:
            logger.warning("the reset %r is not made: its room was destroyed", reset.name)
        else:
            present = sum(thing.template == reset.make for thing in place.contents)
            for _ in range(reset.most - present):
                made = self.make(reset.make, place)
                for template in reset.contents:
                    self.make(template, made)
        at = self.clock.now + reset.every if reset.every else None
        self._reset_times = {**self._reset_times, reset.name: at}
        self.store.set_value(RESETS, self._reset_times)
        if at is not None:
            self.clock.schedule(self, reset.name, at)
        self.clock.store_time()


def _check_there(place: Thing | None) -> None:
    if place is not None and place._tracker is None and place._world is None:
        raise ValueError(f"{place!r} is not in the world: it was destroyed, or not added yet")
