"""Virtual time for tests: the clock jumps to the next deadline as soon as every task waits, and deadlocks are detected.

While a thread of `trio.to_thread.run_sync` runs, the clock stands still, for at most ten seconds of real time.

Used by the plugin, for every test that uses `mud`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

from ..driver.core.guard import unwrap_single
from .tasks import waiting_places
from .threads import ThreadWatch, watch_threads

T = TypeVar("T")

DEADLOCK = 2.0  # real seconds without activity and without a running thread; a process may be idle for part of them
_OTHERS = ("/trio/", "/trio_mud/", "/pytest_trio/", "/contextlib.py")  # library code, waiting for its caller


def run_in_virtual_time(main: Callable[[], Awaitable[T]], **settings: Any) -> T:
    """Run `main` with a clock that jumps to the next deadline as soon as every task waits.

    A single failure is raised as itself, without the exception groups of nurseries.

    Raises:
        AssertionError: Every task waits, and there is no deadline.
    """
    __tracebackhide__ = True
    watch = DeadlockWatch()
    if settings.get("clock") is None:
        settings["clock"] = MockClock(autojump_threshold=0)
    settings["instruments"] = (*settings.get("instruments", ()), watch)
    return with_sole_error(lambda: trio.run(watch.guard, main, **settings))


def with_sole_error(run: Callable[[], T]) -> T:
    """Call the function; raise a single failure without its exception groups."""
    __tracebackhide__ = True
    try:
        return run()
    except BaseExceptionGroup as group:
        error = unwrap_single(group)
        raise error from error.__cause__


class DeadlockWatch(trio.abc.Instrument):
    """Ends a run in which every task waits forever; with a `MockClock`, trio would otherwise loop silently."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._idle_since = math.inf  # on the machine's clock
        self._waiting: list[str] = []
        self._threads: ThreadWatch | None = None

    async def guard(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run `main`, and raise if it deadlocks."""
        __tracebackhide__ = True
        self._threads = watch_threads()
        with self._scope:
            return await main()
        places = "".join(f"\n  {place}" for place in self._waiting)
        raise AssertionError(f"deadlock: every task waits, and no deadline is left:{places}")

    def before_io_wait(self, timeout: float) -> None:
        """Check for a deadlock: no task is ready, and none has been for `DEADLOCK` seconds."""
        if self._threads is None or self._threads.is_holding:
            self._idle_since = math.inf
            return
        state = trio.lowlevel.current_statistics()
        if state.tasks_runnable or state.run_sync_soon_queue_size or state.seconds_to_next_deadline < math.inf:
            self._idle_since = math.inf
            return
        now = time.monotonic()
        self._idle_since = min(self._idle_since, now)
        if now - self._idle_since > DEADLOCK and not self._scope.cancel_called:
            self._waiting = waiting_places(*_OTHERS)
            self._scope.cancel(reason="a deadlock")
