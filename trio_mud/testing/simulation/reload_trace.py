"""What must hold while the code of a game is exchanged: all of a version or nothing of it (I-28).

Each function of the game reports its version when it runs. After every step of every task, each living record has the
class that a module in place has. After a refusal, modules, classes, hooks and fields are those before that step; after
an exchange, connections and sessions are.

`trace` has it, for the game of `reloading`, whose functions report to it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import trio

from ...driver.connection.connection import Connection
from ...driver.core.events import HookEvent
from ...driver.core.hooks import Hooks
from ...driver.server.server import MasterServer
from ...storage import Record, Store
from ...world import Thing, World
from . import inside

PACKAGE: Final = "simulated_mill"
MODULES: Final = (PACKAGE, f"{PACKAGE}.words", f"{PACKAGE}.game")
EARLY: Final = 0.6  # of a period: a call that comes sooner after another one was made twice, or lost its phase
LATE: Final = 3.0  # seconds after which a periodic call is lost
_CHANGES: Final = ("_wake", "text")  # fields that an exchange may change, beside those that are migrated
_MIGRATED: Final = "grain_"


@dataclass(frozen=True)
class CodeState:
    """The code of the game in place, and what it works on, at one moment."""

    modules: dict[str, Any]
    hooks: Hooks
    functions: tuple[Any, ...]
    catalog: Any
    templates: dict[str, Any]
    records: dict[Record, tuple[type[Record], dict[str, Any]]]
    connections: dict[Connection, Any]
    sessions: dict[Any, Any]


class ReloadTrace:
    """The record of one life.

    Attributes:
        version: The version that was exchanged last.
        pending: The number of reloads that are under way.
    """

    def __init__(
        self,
        server: MasterServer,
        fault: Callable[[str, str], None],
        say: Callable[[Connection, str], None],
        took: Callable[[Connection, str], None],
        version: int,
    ) -> None:
        self._server = server
        self._fault = fault
        self.say = say
        self.took = took
        self.version = version
        self.pending = 0
        self._world: World | None = None
        self._before: CodeState | None = None
        self._versions: dict[HookEvent, int] = {}  # of the code that was in place when the event began
        self._ran: Counter[tuple[str, HookEvent]] = Counter()
        self._called: dict[str, float] = {}  # the time of the last periodic call
        self._grain: dict[str, int] = {}  # turns of each stone, in thousands
        self._exchanges = 0
        self._noted = 0

    def watch(self, world: World) -> None:
        """Begin to look at a world."""
        self._world = world

    # Reported by the simulation, around the game

    def begins(self, event: HookEvent) -> None:
        """Record that an event begins, before any function of the game."""
        self._versions[event] = self.version

    def is_over(self, event: HookEvent, names: Iterable[str]) -> None:
        """Record that all functions of an event have run, and these functions once."""
        del self._versions[event]
        for name in names:
            if (count := self._ran.pop((name, event), 0)) != 1:
                self._fault("I-28", f"{name} has run {count} times for one {type(event).__name__}")

    def request(self) -> None:
        """Record that a reload is asked for."""
        self.pending += 1
        self._before = self._state()

    def given_up(self) -> None:
        """Record that a reload is not watched any more, because the game was killed."""
        self.pending -= 1

    def exchanged(self, version: int) -> None:
        """Record that code of this version has taken over in this step."""
        self.pending -= 1
        self._exchanges += 1
        if version % 2 and not self.version % 2:
            self._called["creak"] = trio.current_time()  # declared again: its first period begins
        self.version = version
        before, now = self._before, self._state()
        assert before is not None
        if before.connections != now.connections or before.sessions != now.sessions:
            self._fault("I-28", "a reload has changed connections or sessions")
        if before.hooks is now.hooks or before.catalog is now.catalog:
            self._fault("I-28", "the hooks or the catalog are not those of the new code")
        for record, (_, fields) in before.records.items():
            if record not in now.records:
                self._fault("I-28", f"{record!r} is not in memory after a reload")
            elif _kept(fields) != _kept(now.records[record][1]):
                self._fault("I-28", f"the fields of {record!r} were {fields}, and are {now.records[record][1]}")
        self._before = now

    def refused(self) -> None:
        """Record that a reload has failed, or was cancelled, in this step."""
        self.pending -= 1
        before, now = self._before, self._state()
        assert before is not None
        for name in CodeState.__dataclass_fields__:
            if getattr(before, name) != getattr(now, name):
                self._fault("I-28", f"a refused reload has changed {name}: {_difference(before, now, name)}")

    # Reported by functions of the game

    def runs(self, name: str, version: int, event: HookEvent) -> None:
        """Report that a function runs for an event."""
        wanted = self._versions.get(event, self.version)
        self._ran[name, event] += event in self._versions
        if version != wanted:
            self._fault("I-28", f"{name} of version {version} runs for an event that began with version {wanted}")

    def ticks(self, name: str, version: int, period: float) -> None:
        """Report that a periodic function is called."""
        now, last = trio.current_time(), self._called.get(name)
        self._called[name] = now
        if version != self.version:
            self._fault("I-28", f"{name} of version {version} is called, and version {self.version} is in place")
        if last is not None and now - last < EARLY * period:
            self._fault("I-28", f"{name} was called at {last:g} and again at {now:g}, every {period:g} s")

    def turned(self, stone: Thing, version: int) -> None:
        """Report that a stone has turned."""
        self._grain[stone.key] = self._grain.get(stone.key, self._grain_of(stone) - 1000) + 1000
        self.ticks(f"turn of {stone.key}", version, 1.1)

    def noted(self) -> None:
        """Report that `Reloaded` is handled."""
        self._noted += 1

    # Asked by the trace

    def after_step(self) -> Iterator[str]:
        """Yield what is wrong now."""
        if self._world is None:
            return
        for record in _records(self._world.store, self._server):
            cls = type(record)
            if _is_ours(cls) and getattr(sys.modules.get(cls.__module__), cls.__name__, None) is not cls:
                yield f"{record!r} has a class that is not the one of the code in place"
            if isinstance(record, Thing) and record.key in self._grain:
                grain = self._grain_of(record)
                if grain != self._grain[record.key]:
                    yield f"{record!r} has turned {self._grain[record.key] // 1000} times, and counts {grain / 1000:g}"
        if self.pending:
            self._before = self._state()

    def at_rest(self) -> Iterator[str]:
        """Yield what is wrong after a long time without new faults."""
        if self._noted != self._exchanges:
            yield f"{self._exchanges} versions took over, and Reloaded was handled {self._noted} times"
        now = trio.current_time()
        if self._world is None:
            return
        stones = [f"turn of {key}" for key in self._grain]
        for name in ("clack", *(("creak",) if self.version % 2 else ()), *stones):
            if now - self._called.get(name, 0.0) > LATE:
                yield f"{name} is not called any more"

    # Inside

    def _grain_of(self, stone: Thing) -> int:
        """Return the turns of a stone in thousands; one that was not migrated rightly has a rest."""
        return int(getattr(stone, f"{_MIGRATED}{self.version}", -1)) - self.version

    def _state(self) -> CodeState:
        server, world = self._server, self._world
        assert world is not None
        return CodeState(
            {name: sys.modules.get(name) for name in MODULES},
            server.hooks,
            inside.functions_of(server.hooks),
            inside.catalog_of(world.store),
            inside.templates_of(world),
            {record: (type(record), dict(record.__dict__)) for record in _records(world.store, server)},
            {connection: connection.ending for connection in server.connections},
            {session: (session.body, session.connections) for session in server.sessions},
        )


def _records(store: Store, server: MasterServer) -> list[Record]:
    """Return all records in memory, also bodies that are not stored."""
    found = dict.fromkeys(inside.records_in_memory(store).values())
    found.update(dict.fromkeys(session.body for session in server.sessions if isinstance(session.body, Record)))
    return list(found)


def _is_ours(cls: type[Record]) -> bool:
    return cls.__module__.partition(".")[0] == PACKAGE


def _kept(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that an exchange leaves as they are."""
    return {name: value for name, value in fields.items() if name not in _CHANGES and not name.startswith(_MIGRATED)}


def _difference(before: CodeState, now: CodeState, name: str) -> str:
    old, new = getattr(before, name), getattr(now, name)
    if isinstance(old, dict) and isinstance(new, dict):
        return ", ".join(sorted({repr(key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)}))
    return "another object"
