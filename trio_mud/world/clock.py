"""The clock of a world, and the calls that are due on it.

Theory of operation
-------------------
World time counts the seconds for which the world has been running, over all its runs. It is trio's clock plus what
earlier runs have counted, so no change of the wall clock moves it, and it stands still while no server runs.

The time is a value of the store. It is stored together with every change that depends on it, and at least each minute:
a crash sets it back by a minute at most, and no call waits longer after a crash than it was set for.

The heap has one entry for each call that is due. An entry is a hint: only its target knows whether the call is still
wanted (`_take_call`), so postponing a call or destroying a thing leaves an entry behind, which does nothing when it is
due. When most entries are such leftovers the heap is rebuilt.

A pulse makes at most `PULSE_CALLS` calls, and then the other events of the server have their turn. The bound is a
number of calls and not a time, so that a run in virtual time is the same each time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable, Container
from typing import Final, Protocol

import trio

from trio_mud import MasterServer, Timer
from trio_mud.storage import Store

__all__ = ["Clock", "ClockTarget"]

PULSE_CALLS: Final = 64
ROUNDING: Final = 0.0001  # seconds; sums of times are not exact, and a timer may end just before its call is due
STORE_INTERVAL: Final = 60.0  # seconds between two writes of the time
TIME: Final = "trio_mud.world_time"  # a value of the store
_FEW: Final = 64  # leftovers in the heap that are never worth a rebuild

logger = logging.getLogger("trio_mud")


class ClockTarget(Protocol):
    """An object with calls that are due."""

    def _wants_call(self, name: str, at: float, wake: int) -> bool:
        """Return True if this entry of the heap is still wanted."""

    def _take_call(self, name: str, at: float, wake: int) -> Callable[[], object] | None:
        """Return the function to call now, and note that it is called; None if the entry is a leftover."""


class Clock:
    """The time of one world."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._base = float(store.value(TIME, 0.0)) - trio.current_time()
        self._heap: list[tuple[float, int, ClockTarget, str, int]] = []
        self._numbers = itertools.count()
        self._live = 0  # entries after the last rebuild
        self._logged: dict[tuple[type, str], float] = {}  # when a failure of a method was logged
        self._server: MasterServer | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def now(self) -> float:
        """Seconds for which the world has been running, over all its runs."""
        return self._base + trio.current_time()

    def schedule(self, target: ClockTarget, name: str, at: float, wake: int = 0) -> None:
        """Call the target at this world time, if it still wants that then."""
        heap = self._heap
        heapq.heappush(heap, (at, next(self._numbers), target, name, wake))
        if len(heap) > 2 * self._live + _FEW:
            self._rebuild()
        if self._server is not None and (self._timer is None or at < self._timer_at):
            self._arm()

    def store_time(self) -> None:
        """Store the time with the changes of this moment."""
        self._store.set_value(TIME, self.now)

    def times_of(self, targets: Container[object]) -> dict[tuple[ClockTarget, str], float]:
        """Return when the periodic calls of these targets are due next, by target and name."""
        return {
            (target, name): at
            for at, _, target, name, wake in self._heap
            if wake and target in targets and target._wants_call(name, at, wake)
        }

    def start(self, server: MasterServer) -> None:
        """Make due calls from now on, as events of this server."""
        self._server = server
        server.every(STORE_INTERVAL, self.store_time)
        self._arm()

    def may_log(self, target: object, name: str) -> bool:
        """Return True if this method of this class has not failed within `limits.log_interval`."""
        failed = (type(target), name)
        interval = self._server.limits.log_interval if self._server is not None else None
        if self.now - self._logged.get(failed, -math.inf) < (interval or 0):
            return False
        self._logged[failed] = self.now
        return True

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2]._wants_call(entry[3], entry[0], entry[4])]
        heapq.heapify(self._heap)
        self._live = len(self._heap)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._server is not None and self._heap:
            self._timer_at = self._heap[0][0]
            self._timer = self._server.after(max(0.0, self._timer_at - self.now), self._pulse)

    def _pulse(self) -> None:
        """Make the calls that are due; each of them costs only itself if it fails."""
        self._timer = None
        now = self.now + ROUNDING
        calls = 0
        while calls < PULSE_CALLS and self._heap and self._heap[0][0] <= now:
            at, _, target, name, wake = heapq.heappop(self._heap)
            function = target._take_call(name, at, wake)
            if function is None:
                continue
            calls += 1
            try:
                function()
            except Exception:
                if self.may_log(target, name):
                    logger.exception("%s of %r failed at world time %.1f; other calls go on", name, target, now)
        self._arm()
