"""Timers: one heap and one waiting task for every deadline and timer of a server.

A `Deadline` belongs to the driver: it calls a function inline at a moment.
A `Timer` belongs to the game: when due, it becomes an event of its owner, in turn with all others.
Both use trio's clock, which is monotonic. Only a `DailyTimer` reads the wall clock as well.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio
from trio.lowlevel import enable_ki_protection

from .calendar import Daily
from .checks import check_function, check_seconds
from .describing import describe
from .events import HookEvent
from .guard import allow_interrupts, log_error
from .thread import HomeThread

TimerFunction = Callable[[], object]  # plain or async, without arguments


@dataclass(frozen=True, slots=True)
class Tick(HookEvent):
    """A timer is due. Internal: its only function is the timer's.

    Attributes:
        timer: The timer.
        function: The function of the timer.
        connection: The connection that owns the timer; None for timers of a session or the server.
    """

    timer: Timer
    function: TimerFunction
    connection: object


SHORTEST_PERIOD: Final = 0.01  # seconds; the loop of a busy server has no finer resolution
LOOK_AGAIN: Final = 3600.0  # seconds between two looks at the wall clock, which may have been set
_LOOK_SOON: Final = 0.001  # seconds; the wall clock may run slightly slower than trio's clock


class DeadlineOwner(Protocol):
    """The owner of a deadline, which bears the cost of its failure."""

    def failed(self, error: BaseException) -> None:
        """Take note that the function of a deadline raised."""
        ...


class Deadline:
    """One call at one moment. Cancelling it releases the function and the owner at once, not when it would be due."""

    __slots__ = ("_function", "_owner", "_timers", "when")

    def __init__(
        self, timers: Timers, when: float, function: Callable[[], None], owner: DeadlineOwner | None = None
    ) -> None:
        self._timers = timers
        self._function: Callable[[], None] | None = function
        self._owner = owner
        self.when = when  # trio's clock, seconds

    @property
    def is_set(self) -> bool:
        """True if the call is still to come."""
        return self._function is not None

    def cancel(self) -> None:
        """Cancel the call. Does nothing if the function was called or the deadline cancelled before."""
        if self._function is not None:
            self._function = self._owner = None
            self._timers.forget_one()

    def _pass(self) -> None:
        function, owner = self._function, self._owner
        self._function = self._owner = None
        if function is None:
            return
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - a failure costs the owner and no other deadline
            if owner is None:
                log_error(error, "a deadline failed")
            else:
                owner.failed(error)


class Timers:
    """The heap. Thousands of entries cost one waiting task.

    Args:
        batch: How many deadlines may pass before every other task has a turn.
        thread: The server's thread; a timer can be cancelled in no other.
    """

    def __init__(self, batch: int, thread: HomeThread) -> None:
        self._batch = batch
        self.thread = thread
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._cancelled = 0  # entries in the heap that will not be called
        self._changed = trio.Event()
        self._is_stopped = False

    def at(self, when: float, function: Callable[[], None], owner: DeadlineOwner | None = None) -> Deadline:
        """Call the function at `when` on trio's clock, between two dispatcher batches.

        After `stop` it is never called. If it raises, the error is logged and costs the owner.
        """
        deadline = Deadline(self, when, function, owner)
        if self._is_stopped:
            deadline._function = None
            return deadline
        heapq.heappush(self._heap, (when, next(self._numbers), deadline))
        if self._heap[0][2] is deadline:
            self._changed.set()
        return deadline

    def stop(self) -> None:
        """Cancel all deadlines, including those that are set later."""
        self._is_stopped = True
        for _, _, deadline in self._heap:
            deadline._function = None
        self._heap.clear()
        self._cancelled = 0

    def forget_one(self) -> None:
        """Count a cancelled entry; when most entries are cancelled, rebuild the heap without them."""
        # Removal from the middle of a heap is linear. Counting makes it constant in the long run.
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_set]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def __len__(self) -> int:
        """Return how many calls are still to come."""
        return len(self._heap) - self._cancelled

    @enable_ki_protection
    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._pass_some()
            self._changed = trio.Event()
            # A checkpoint even if the next deadline is overdue, so that other tasks run between two batches.
            with trio.move_on_at(self._heap[0][0] if self._heap else math.inf):
                await self._changed.wait()

    def _pass_some(self) -> None:
        """Call the deadlines that are due now, at most a batch.

        Deadlines that become due meanwhile wait for the next turn. Otherwise a timer whose period is shorter than
        its own run time would loop here for ever.
        """
        now = trio.current_time()
        for _ in range(self._batch):
            if not self._heap or self._heap[0][0] > now:
                return
            _, _, deadline = heapq.heappop(self._heap)
            if deadline.is_set:
                deadline._pass()
            else:
                self._cancelled -= 1


class Timer:
    """The handle of `after`, `every` and `daily`; ends with its owner.

    A periodic timer ticks at t0 + k * period, even if a tick is handled late.
    At most one tick waits at any time; ticks that become due meanwhile are skipped and counted.

    Attributes:
        skipped: How many ticks were due and not handled, because another one waited or the clock had jumped.
    """

    __slots__ = (
        "_deadline",
        "_deliver",
        "_ended",
        "_first",
        "_function",
        "_passed",
        "_period",
        "_timers",
        "is_pending",
        "skipped",
    )

    def __init__(
        self,
        timers: Timers,
        delay: float,
        function: TimerFunction,
        *,
        period: float | None,
        deliver: Callable[[Timer], None],
        ended: Callable[[Timer], object],
    ) -> None:
        allow_interrupts(function)
        self._timers = timers
        self._function: TimerFunction | None = function
        self._period = period
        self._deliver = deliver  # hands a tick to the owner
        self._ended = ended  # the owner forgets the timer
        self.is_pending = False  # a tick waits for its turn
        self.skipped = 0
        self._first = trio.current_time() + delay
        self._passed = 0  # periods since then
        self._deadline = timers.at(self._first, self._fall_due, self)

    @property
    def is_active(self) -> bool:
        """True if it will still call its function."""
        return self._function is not None

    @enable_ki_protection
    def cancel(self) -> None:
        """Stop calling the function, even for a tick that already waits. Later calls have no effect."""
        self._timers.thread.check()
        if self._function is not None:
            self._function = None
            self._deadline.cancel()
            self._ended(self)

    def _exchange(self, function: TimerFunction) -> None:
        """Call another function from now on, at the same moments; also for a tick that already waits."""
        if self._function is not None:
            allow_interrupts(function)
            self._function = function

    def failed(self, error: BaseException) -> None:
        """Cancel the timer, because the wall clock or the owner raised when it was due."""
        log_error(error, "the timer %s failed and is cancelled", describe(self._function))
        self.cancel()

    def _take(self) -> TimerFunction | None:
        """Return the function to run for the waiting tick; None if the timer was cancelled."""
        self.is_pending = False
        function = self._function
        if not self._deadline.is_set:  # this tick is the last
            self.cancel()
        return function

    def _fall_due(self) -> None:
        periods = 1
        if self._period is not None:
            periods = max(1, math.ceil((trio.current_time() - self._deadline.when) / self._period))
            self._passed += periods  # counted, since adding up periods would drift by rounding
            self._deadline = self._timers.at(self._first + self._passed * self._period, self._fall_due, self)
        self._tick(periods)

    def _tick(self, count: int) -> None:
        """Deliver one of the ticks that are due at once, unless one waits already; count the others as skipped."""
        self.skipped += count - 1
        if self.is_pending:
            self.skipped += 1
        else:
            self.is_pending = True
            self._deliver(self)


class DailyTimer(Timer):
    """Ticks once per date, by the wall clock, which it reads at least once an hour in case it was set."""

    __slots__ = ("_daily", "_wall_clock")

    def __init__(
        self,
        timers: Timers,
        daily: Daily,
        function: TimerFunction,
        *,
        wall_clock: Callable[[], float],
        deliver: Callable[[Timer], None],
        ended: Callable[[Timer], object],
    ) -> None:
        self._daily = daily
        self._wall_clock = wall_clock
        super().__init__(timers, self._pause(wall_clock()), function, period=None, deliver=deliver, ended=ended)

    def _fall_due(self) -> None:
        now = self._wall_clock()
        count = self._daily.look(now)
        self._deadline = self._timers.at(trio.current_time() + self._pause(now), self._fall_due, self)
        if count:
            self._tick(count)

    def _pause(self, now: float) -> float:
        """Return the seconds until the next look at the wall clock, which shows `now`."""
        return min(LOOK_AGAIN, max(_LOOK_SOON, self._daily.due - now))


def tick_of(timer: Timer, connection: object = None) -> Tick | None:
    """Return the event of a waiting tick, or None if its timer was cancelled meanwhile."""
    function = timer._take()
    return None if function is None else Tick(timer, function, connection)


class TimerOwner:
    """Has `after` and `every`; the timers end with their owner."""

    __slots__ = ()

    @property
    def _clock(self) -> Timers:
        raise NotImplementedError

    @enable_ki_protection
    def after(self, delay: float, function: TimerFunction) -> Timer:
        """Call a plain or async function once, `delay` seconds from now, as an event of this owner.

        Raises:
            ValueError: The delay is negative or not finite.
            TypeError: The delay is not a number, or the function takes arguments.
        """
        self._clock.thread.check()
        where = f"{type(self).__name__}.after()"
        check_seconds(delay, where)
        check_function(function, where)
        return self._start_timer(delay, function, None)

    @enable_ki_protection
    def every(self, period: float, function: TimerFunction) -> Timer:
        """Call a plain or async function every `period` seconds, as an event of this owner.

        The k-th call is due k * period from now. Missed calls are skipped and counted, not made up for.

        Args:
            period: Seconds, 0.01 or more.
            function: As in `after`.

        Raises:
            ValueError: The period is shorter or not finite.
            TypeError: The period is not a number, or the function takes arguments.
        """
        self._clock.thread.check()
        where = f"{type(self).__name__}.every()"
        check_seconds(period, where, at_least=SHORTEST_PERIOD)
        check_function(function, where)
        return self._start_timer(period, function, period)

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        raise NotImplementedError


class EndingTimerOwner(TimerOwner):
    """An owner that ends. Its timers tick as events of its own source and are cancelled when it ends.

    A subclass sets `_timers` to None. The dictionary is created with the first timer, since most owners have none.
    """

    __slots__ = ("_timers",)

    _timers: dict[Timer, None] | None

    def _has_ended(self) -> bool:
        raise NotImplementedError

    def _deliver_tick(self, timer: Timer) -> None:
        raise NotImplementedError

    def _cancel_timers(self) -> None:
        """Cancel all timers of this owner."""
        for timer in list(self._timers or ()):
            timer.cancel()

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        timers = self._timers
        if timers is None:
            timers = self._timers = {}

        def forget(timer: Timer) -> None:
            timers.pop(timer, None)

        timer = Timer(self._clock, delay, function, period=period, deliver=self._deliver_tick, ended=forget)
        timers[timer] = None
        if self._has_ended():
            timer.cancel()
        return timer
