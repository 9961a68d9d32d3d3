"""Threads under a virtual clock: it stands still while a task waits for a running thread of `trio.to_thread.run_sync`.

A thread runs in real time. Without this, a virtual clock would jump past every deadline while it runs. A task counts
as waiting for a thread only if it waits for nothing else: not if it waits for the limiter, and not while a function
that the thread passed to `trio.from_thread.run` runs, because that waits in virtual time. Both are detected from
outside, by the frames of the waiting task, so this works with every limiter.

Used by `virtual` for tests, and by `simulation.determinism` for the simulator.
"""

from __future__ import annotations

import inspect
import math
import time
from typing import Final

import trio
import trio.testing
from trio.lowlevel import Task
from trio.testing import MockClock

PATIENCE: Final = 10.0  # seconds of real time that virtual time waits for one call of `to_thread.run_sync`

_CALL: Final = inspect.unwrap(trio.to_thread.run_sync).__code__
_WAIT: Final = inspect.unwrap(trio.lowlevel.wait_task_rescheduled).__code__
_SERVES_THREAD: Final = "Run.run_system"  # trio's function for `from_thread.run` if the caller may be abandoned


def is_at_work(task: Task) -> bool | None:
    """Return True if the task waits for a thread, False if it waits for something else inside `to_thread.run_sync`."""
    found, outer, awaited = None, None, task.coro
    while (code := getattr(awaited, "cr_code", None)) is not None:  # `iter_await_frames` takes twice the time
        if code is _CALL:
            found = False
        elif code is _WAIT and outer is _CALL:
            return True
        outer, awaited = code, awaited.cr_await  # type: ignore[assignment]
    return found


def serves_thread(task: Task) -> bool:
    """True if the task runs on behalf of a waiting thread and is not itself in `to_thread.run_sync`."""
    return getattr(task.coro, "__qualname__", "") == _SERVES_THREAD


class ThreadWatch(trio.abc.Instrument):
    """Stops the clock of its run while threads are running, for at most `PATIENCE` per call.

    It works with a `MockClock` with autojump; any other clock is not changed.
    """

    def __init__(self) -> None:
        self._calls: dict[Task, float] = {}  # tasks in `to_thread.run_sync`, and the times at which their threads began
        self._at_work: set[Task] = set()  # those of them that wait for their thread
        self._served: set[Task] = set()
        self._clock: MockClock | None = None
        self._usual = 0.0  # the autojump threshold while no thread is running
        self._held = 0.0  # the threshold that was set instead
        self._is_over = trio.Event()

    @property
    def is_holding(self) -> bool:
        """True while the clock waits for a thread."""
        return self._clock is not None

    async def settle(self) -> None:
        """Wait until every task waits, and none of them for a thread that the clock waits for."""
        await trio.testing.wait_all_tasks_blocked()
        while self.is_holding:
            self._is_over = trio.Event()
            await self._is_over.wait()
            await trio.testing.wait_all_tasks_blocked()

    def after_task_step(self, task: Task) -> None:
        """Update the state of the task after its step."""
        at_work = is_at_work(task)
        if not at_work and task not in self._calls:
            return
        if at_work:
            self._calls.setdefault(task, time.monotonic())
            self._at_work.add(task)
        else:
            self._at_work.discard(task)
            if at_work is None:
                del self._calls[task]
        self._set_clock()

    def task_spawned(self, task: Task) -> None:
        """Register the task if a thread requested it."""
        if serves_thread(task):
            self._served.add(task)
            self._set_clock()

    def task_exited(self, task: Task) -> None:
        """Unregister the task; the thread that requested it continues."""
        if task in self._served or task in self._calls:
            self._served.discard(task)
            self._at_work.discard(task)
            self._calls.pop(task, None)
            self._set_clock()

    def after_io_wait(self, timeout: float) -> None:
        """Check whether `PATIENCE` is exceeded."""
        if self._clock is not None:
            self._set_clock()

    def _set_clock(self) -> None:
        left = self._seconds_left()
        if left <= 0:
            self._release()
            return
        clock = trio.lowlevel.current_clock()
        if self._clock is None:
            if not isinstance(clock, MockClock) or clock.autojump_threshold == math.inf:
                return
            self._clock, self._usual = clock, clock.autojump_threshold
        self._held = self._clock.autojump_threshold = max(left, self._usual)

    def _seconds_left(self) -> float:
        """Return the seconds that the clock still waits."""
        if len(self._at_work) <= len(self._served):
            return 0.0
        return max(self._calls[task] for task in self._at_work) + PATIENCE - time.monotonic()

    def _release(self) -> None:
        clock, self._clock = self._clock, None
        if clock is not None:
            if clock.autojump_threshold == self._held:  # unless it was changed by other code meanwhile
                clock.autojump_threshold = self._usual
            self._is_over.set()


_here: trio.lowlevel.RunVar[ThreadWatch] = trio.lowlevel.RunVar("trio_mud.testing.threads")


def watch_threads() -> ThreadWatch:
    """Return the watch of this run, starting it if necessary."""
    try:
        return _here.get()
    except LookupError:
        watch = ThreadWatch()
        _here.set(watch)
        trio.lowlevel.add_instrument(watch)
        return watch


async def settle() -> None:
    """Wait until every task waits, and none of them for a running thread, so that all current events are handled."""
    await watch_threads().settle()
