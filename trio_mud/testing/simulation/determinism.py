"""One seed, one run: seeds scheduler, virtual clock, `random`, garbage collector and log of one `trio.run`.

This is the only module that uses private names of trio, `_ALLOW_DETERMINISTIC_SCHEDULING` and `_r` of
`trio._core._run`: with the first set, trio sorts runnable tasks by age and shuffles them with the second, which is
seeded here. It also replaces two methods of a `MockClock`. So a deadlocked run ends, where trio would loop silently,
and so does a run whose tasks run forever while time stands still.

Python collects cyclic garbage after a number of allocations, which depends on what the process did before. Records that
nothing refers to stay in memory until then, so it decides what is read from the disk. A run collects after a number of
steps that its seed chooses.

A thread of `trio.to_thread.run_sync` runs while everything else stands still, including the clock, until it returns or
calls trio. So no seed depends on the speed of the machine.

Used by `harness`, once for each seed.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import logging
import math
import random
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import trio
from trio.testing import MockClock

from ..tasks import waiting_places
from .threads import Threads

STEPS: Final = 100_000  # of all tasks together; the busiest known seeds take 10,000
LATEST: Final = 1000.0  # seconds of virtual time; the longest scripts take 400
COLLECT_AFTER: Final = (100, 1000, 100_000)  # steps between two collections of garbage: often, seldom or never
_TESTED: Final = "0.35"
_RUNS_BETWEEN_COLLECTIONS: Final = 10  # of all that earlier runs have left; each takes as long as half a run

_PLAYERS = f"{__package__}.players."
_AS_TRIO = struct.Struct("<qd")


class Deadlock(Exception):
    """Every task waits, and there is no deadline."""


class Livelock(Exception):
    """The run takes more steps or more time than any valid run: it does not end."""


class Watcher(Protocol):
    """The receiver of a call after every step of a task."""

    def after_step(self) -> None:
        """Check the world: a task has run to its next checkpoint."""
        ...


class Steps(trio.abc.Instrument):
    """Counts and digests every step of every task: the task and the time.

    Attributes:
        count: Steps so far.
        watcher: Called after every step.
        cut_at: The step before which `cut` is called; None for never.
    """

    def __init__(self, clock: VirtualClock, collect_after: int) -> None:
        self._collect_after = collect_after
        self._clock = clock
        self.watcher: Watcher | None = None
        self._numbers: dict[trio.lowlevel.Task, int] = {}
        self._next = 0
        self._hash = hashlib.blake2b(digest_size=8)
        self.count = 0
        self.cut_at: int | None = None
        self.cut: Callable[[], object] = lambda: None
        self.failure: BaseException | None = None
        self._threads = clock.threads

    def note(self, text: str) -> None:
        """Add a text to the digest."""
        self._hash.update(text.encode(errors="surrogatepass"))

    @property
    def digest(self) -> str:
        """Equal for two runs with the same steps in the same order at the same times."""
        return self._hash.hexdigest()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Number the task within this run."""
        self._threads.task_spawned(task)
        self._numbers[task] = self._next
        self._next += 1
        self.note(task.name)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Remove its number, which is not reused."""
        self._numbers.pop(task, None)
        self._threads.task_exited(task)

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        """Handle a task that becomes runnable."""
        self._threads.task_scheduled(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count the step, collect garbage, and cut the run if it is due."""
        self.count += 1
        if self.count % self._collect_after == 0:
            gc.collect()
        self._hash.update(_AS_TRIO.pack(self._numbers.get(task, -1), self._clock.now))
        if self.count == self.cut_at:
            self.cut()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Run threads and the watcher. Trio drops an instrument that raises, so the exception is stored."""
        self._threads.after_task_step(task)
        # A simulated player changes nothing in the server: its bytes do, in later steps. It takes most steps of a run.
        if self.watcher is not None and self.failure is None and not task.name.startswith(_PLAYERS):
            try:
                self.watcher.after_step()
            except BaseException as error:  # noqa: BLE001 - raised again when the run is over
                self.failure = error

    def after_io_wait(self, timeout: float) -> None:
        """Check the step budget between two rounds of runnable tasks."""
        if self.count > self._clock.budget:
            self._clock.is_exhausted = True


class VirtualClock:
    """A `MockClock` that jumps to the next deadline, and ends a run that is stuck.

    Attributes:
        now: Seconds since the start of the run.
        budget: Maximum steps; above it the run counts as a livelock.
        latest: Maximum seconds; above it the run counts as a livelock.
        threads: The threads of the run.
    """

    def __init__(self, budget: int = STEPS, latest: float = LATEST) -> None:
        self.now = 0.0
        self.budget = budget
        self.latest = latest
        self.is_exhausted = False
        self.threads = Threads()
        self.trios = MockClock(autojump_threshold=0)
        trios: Any = self.trios  # trio makes this class final
        trios.current_time = self._current_time
        trios.deadline_to_sleep_time = self._sleep_time
        trios._autojump = self._jump

    def _current_time(self) -> float:
        if self.is_exhausted:  # trio's loop calls this first after each wait, so it is raised there
            raise Livelock(f"more than {self.budget} steps: it would go on for ever at {self.now:g} s")
        return self.now

    def _sleep_time(self, deadline: float) -> float:
        return 0.0 if deadline <= self.now else 999_999_999.0

    def _jump(self) -> None:
        seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if seconds == math.inf:
            if self.threads.speak_at_last():
                return
            raise Deadlock(f"every task waits, and no deadline is left:{_places()}")
        if self.now > self.latest:
            raise Livelock(f"at {self.now:g} s it is still not over:{_places()}")
        if seconds > 0:
            self.now += seconds


class DeterministicRun:
    """One `trio.run` that is a function of its seed.

    Args:
        seed: Of the schedule, of the module `random`, and of the collection of garbage.
        budget: Maximum steps; above it the run counts as a livelock.
        latest: Maximum seconds of virtual time; above it the run counts as a livelock.
    """

    def __init__(self, seed: int, *, budget: int = STEPS, latest: float = LATEST) -> None:
        self._seed = seed
        self.clock = VirtualClock(budget, latest)
        self.steps = Steps(self.clock, random.Random(f"garbage {seed}").choice(COLLECT_AFTER))

    def watch(self, watcher: Watcher) -> None:
        """Call the watcher after every step."""
        self.steps.watcher = watcher

    def __call__(self, main: Callable[[], Awaitable[object]]) -> None:
        """Run it to its end.

        Raises:
            Deadlock: Every task waits, and there is no deadline.
            Livelock: Tasks run forever, and time stands still.
        """
        with seeded(self._seed), _garbage_kept():
            try:
                trio.run(main, clock=self.clock.trios, instruments=[self.steps])
            except trio.TrioInternalError as error:
                if isinstance(error.__cause__, Deadlock | Livelock):
                    raise error.__cause__ from None
                raise
        if self.steps.failure is not None:
            raise self.steps.failure


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed trio's scheduler and the module `random` in this block."""
    scheduler = _scheduler()
    state, trios_state, allowed = random.getstate(), scheduler._r.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = allowed
        scheduler._r.setstate(trios_state)
        random.setstate(state)


_runs = itertools.count(1)


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Collect no garbage in this block but by `gc.collect()`, which then looks at the objects of this block alone."""
    was_enabled = gc.isenabled()
    gc.disable()
    if next(_runs) % _RUNS_BETWEEN_COLLECTIONS == 0:
        gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


@contextmanager
def heard_log(records: list[str]) -> Iterator[None]:
    """Collect all log records of this block, formatted, and pass them nowhere else."""
    root, ours = logging.getLogger(), logging.getLogger("trio_mud")
    handlers, level, own_level, disabled = root.handlers[:], root.level, ours.level, logging.root.manager.disable
    root.handlers[:] = [_Collector(records)]
    root.setLevel(logging.INFO)
    ours.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(own_level)
        logging.disable(disabled)


class _Collector(logging.Handler):
    def __init__(self, records: list[str]) -> None:
        super().__init__()
        self._records = records
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(self.format(record))


def _scheduler() -> Any:
    """Return trio's module with the two names; if they are gone, raise RuntimeError with the remedy."""
    scheduler: Any = trio._core._run
    if not (hasattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING") and hasattr(scheduler, "_r")):
        raise RuntimeError(
            f"trio {trio.__version__} has no deterministic scheduling as trio {_TESTED} has it: "
            f"install that, or correct {__name__}, which is the only place that knows of it"
        )
    return scheduler


def _places() -> str:
    """Return the place at which each task waits, one per line."""
    return "".join(f"\n  {place}" for place in waiting_places("/trio/"))


def real_seconds() -> float:
    """Return the machine's clock, to measure the speed of the simulator."""
    return time.perf_counter()
