"""The dispatcher: one event of each ready source a turn, and its functions one after the other.

Theory of operation
-------------------
The memory channel carries *sources* (a connection, a timer, the server's posts), not events.
A source is in the channel at most once, so the number of sources bounds the channel.
It is *asked* for its next event when its turn comes, so order and once-only delivery need no waiting.
A flooder with a thousand lines and a slow typist with one therefore alternate.

The dispatcher drains ready sources in batches of `limits.batch_size` and flushes all output once per batch.
There is a checkpoint between two batches, so timers stay on time.

A plain function runs inline: it is an atomic step of the world, in one total order with all others.
A returned awaitable continues in a task of the dispatcher's nursery. Its source is *busy* and gets no turn
until the event's remaining functions have run. All other sources go on.

`_load` counts the sources that are queued, handed over or busy. Everything is handled when it is 0.
The length of the channel cannot show that: a busy source is not in the channel.

When a method of a source or a hook function raises, the failure costs that source and no other.
A plain function that enters a cancel scope and does not exit it leaves it open in the dispatcher's own task.
The loop runs in a scope of its own, so the leaked scope cannot end it.

The dispatcher knows neither sockets nor players. If it dies, the server stops.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import trio
from trio.lowlevel import enable_ki_protection

from ...limits import Limits
from .durations import Durations
from .events import HookEvent
from .guard import interrupt_in, log_error, run_guarded
from .hooks import HookFunction

NEVER: Final = -math.inf
"""A moment before all others. One object: a float of its own would take 24 bytes in each connection."""


class Barrier(Protocol):
    """Defers a source's turns until another source is drained."""

    @property
    def _is_unsettled(self) -> bool:
        """True if the other source has events that must be handled first."""
        ...

    @property
    def _source(self) -> Source:
        """The other source."""
        ...


class Source:
    """Yields events in order. Subclasses choose which; the dispatcher maintains the two flags.

    Attributes:
        barrier: Defers the turns of this source; None if nothing does.
    """

    __slots__ = ("_dispatcher", "barrier", "is_busy", "is_queued")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self.is_queued = False
        self.is_busy = False  # one of its events is running, perhaps waiting in a hook
        self.barrier: Barrier | None = None

    def has_event(self) -> bool:
        """Return True if `take_event` may return an event now."""
        raise NotImplementedError

    def take_event(self) -> HookEvent | None:
        """Return the next event, or None if there is none or this turn was used without one."""
        raise NotImplementedError

    def event_over(self, event: HookEvent) -> None:
        """Take note that all functions of the event have run."""

    def failed(self, error: BaseException) -> None:
        """Take note that a method, deadline or callback of this source raised."""
        log_error(error, "an event was lost, a %s failed", type(self).__name__)

    def wake(self) -> None:
        """Queue this source for a turn if it has an event. Repeated calls cost one turn."""
        if not self.is_queued and not self.is_busy and self.has_event():
            self._dispatcher.put(self)


class Host(Protocol):
    """The server, as far as the dispatcher needs it."""

    def functions_for(self, event: HookEvent) -> Sequence[HookFunction]:
        """Return the functions to run, the network's own steps outermost."""
        ...

    def flush(self) -> None:
        """Send everything written in this batch."""
        ...

    def hook_failed(self, event: HookEvent, function: HookFunction, error: BaseException) -> None:
        """Report a function that raised or was cancelled at its deadline; the failure costs that call."""
        ...

    def hook_late(self, event: HookEvent, function: HookFunction, took: float) -> None:
        """Report a function that returned after its deadline because it could not be cancelled; it costs nothing."""
        ...

    def hook_returned_false(self, event: HookEvent, function: HookFunction) -> None:
        """Report a function that returned False, which has no effect."""
        ...

    def hook_interrupted(self, error: BaseException) -> None:
        """Stop the server: a function raised KeyboardInterrupt or SystemExit."""
        ...


class _Wait:
    """One waiting hook: its event and function, its scope and its task."""

    __slots__ = ("began", "event", "function", "scope", "task")

    def __init__(self, event: HookEvent, function: HookFunction) -> None:
        self.event = event
        self.function = function
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None
        self.began: float | None = None  # when the functions of the event began, if that is measured


class Dispatcher:
    """Runs the hooks of one server.

    Attributes:
        handled: The number of events so far; each has a number, by which the log lines that belong together are found.
    """

    def __init__(self, host: Host, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._to_ready, self._ready = trio.open_memory_channel[Source](math.inf)
        self._in_channel = 0
        self._load = 0  # sources queued, handed over or busy
        self._quiet = trio.Event()
        self._waiting: dict[Source, _Wait] = {}
        self._gated: dict[Source, dict[Source, None]] = {}  # deferred sources, by the source they wait for
        self._nursery: trio.Nursery | None = None
        self.is_dead = False
        self.is_cutting = False
        self.in_batch = False  # output written now is flushed at the end of the batch
        self.handled = 0
        self._durations: dict[str, Durations] | None = None  # while they are measured
        self._clock: Callable[[], float] = time.perf_counter
        self.now = NEVER  # when the batch began: reading the clock for each line costs too much

    def put(self, source: Source) -> None:
        """Give this source a turn. Does nothing when the dispatcher is dead."""
        if self.is_dead:
            return
        source.is_queued = True
        self._load += 1
        self._in_channel += 1
        self._to_ready.send_nowait(source)

    @property
    def is_working(self) -> bool:
        """True if any source is queued or busy."""
        return self._load > 0 and not self.is_dead

    async def drained(self) -> None:
        """Wait until every source is handled, or the dispatcher is dead."""
        while self.is_working:
            self._quiet = trio.Event()
            await self._quiet.wait()

    def cut(self) -> None:
        """Cancel the waiting hooks at their await, and later ones at their first await."""
        self.is_cutting = True
        for wait in self._waiting.values():
            wait.scope.cancel(reason="the server's cleanup time is over")

    def waiting(self) -> list[tuple[HookEvent, HookFunction]]:
        """Return the functions that have begun and wait, each with its event."""
        return [(wait.event, wait.function) for wait in self._waiting.values()]

    def measure(self, clock: Callable[[], float] = time.perf_counter) -> Mapping[str, Durations]:
        """Measure from now on how long the functions of an event take, waits included; return that by type of event.

        Args:
            clock: Returns seconds.
        """
        if self._durations is None:
            self._durations = {}
            self._clock = clock
        return self._durations

    @property
    def ready(self) -> int:
        """The number of sources that wait for a turn."""
        return self._in_channel

    def stop(self) -> None:
        """End `run`, even inside a shielded scope that a hook function has left open."""
        # A cancel would not reach the loop inside such a scope; the end of the channel does.
        self.is_dead = True
        self._to_ready.close()

    def is_in_hook_of(self, source: Source) -> bool:
        """Return True if the running task is a waiting hook of this source: to wait for the source would deadlock."""
        wait = self._waiting.get(source)
        return wait is not None and wait.task is trio.lowlevel.current_task()

    @enable_ki_protection
    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    # Each leaked scope ends one call; its cancellation is then over, and the loop starts again.
                    while True:
                        await run_guarded(self._run_batches, self._left_open)
                except trio.EndOfChannel:
                    self._nursery.cancel_scope.cancel(reason="the dispatcher is stopped")
        finally:
            self.is_dead = True
            self.in_batch = False
            self._quiet.set()

    @enable_ki_protection
    async def _run_batches(self) -> None:
        while True:
            self._run_batch(await self._ready.receive())

    def _left_open(self, error: BaseException) -> None:
        """Log that a cancel scope left open by a plain function has ended the loop between two batches."""
        # Between batches no event is in flight, so nothing is lost. Inside one, it is a bug of the driver.
        if self.in_batch or not isinstance(error, RuntimeError):
            raise error
        log_error(error, "a plain hook function has left a cancel scope open: exit every scope that it enters")

    def _run_batch(self, source: Source) -> None:
        self.in_batch = True
        self.now = trio.current_time()
        self._turn(source)
        left, turn, receive = self._limits.batch_size - 1, self._turn, self._ready.receive_nowait
        while self._in_channel and left:  # a counter: WouldBlock would cost an exception for each batch
            left -= 1
            turn(receive())
        self._host.flush()
        self.in_batch = False
        if not self._load:
            self._quiet.set()

    def _turn(self, source: Source) -> None:
        self._in_channel -= 1
        source.is_queued = False
        keeper = source.barrier
        if keeper is not None and keeper._is_unsettled:
            # A deferred source is not load: `drained` waits for the source in front, which queues it again.
            self._load -= 1
            self._gated.setdefault(keeper._source, {})[source] = None
            return
        source.is_busy = True  # before `take_event`, which may parse bytes and so wake the source
        event: HookEvent | None = None
        functions: Iterator[HookFunction] | None = None
        try:
            event = source.take_event()
            if event is not None:
                self.handled += 1
                # An iterator, so that a task can run the rest of the functions after the one that waits.
                functions = iter(self._host.functions_for(event))
        except BaseException as error:  # noqa: BLE001 - a failure costs that source
            self._source_failed(source, error)
        if event is None or functions is None:
            self._turn_over(source)
        elif self._durations is None:
            self._step(source, event, functions, self.handled)
        else:
            began = self._clock()
            self._step(source, event, functions, self.handled)
            self._note_duration(source, event, began)

    def _step(self, source: Source, event: HookEvent, functions: Iterator[HookFunction], number: int) -> None:
        """Run the remaining functions of this event, up to the first that waits."""
        # `number` is read from this frame by the log, as `event` is.
        for function in functions:
            try:
                result = function(event)
                if result is None:
                    continue
                if not inspect.isawaitable(result):
                    if result is False:
                        self._host.hook_returned_false(event, function)
                    continue
            except BaseException as error:  # noqa: BLE001 - a failure costs that hook
                self._report(source, event, function, error)
            else:
                assert self._nursery is not None
                self._waiting[source] = _Wait(event, function)
                name = f"hook for {type(event).__name__}"
                self._nursery.start_soon(self._wait_for, source, event, function, result, functions, number, name=name)
                return  # the source stays busy, and counts as load, until that task is done
        source.is_busy = False  # before `event_over`: its callbacks must find this source idle
        try:
            source.event_over(event)
        except BaseException as error:  # noqa: BLE001 - as above
            self._source_failed(source, error)
        self._turn_over(source)

    def _note_duration(self, source: Source, event: HookEvent, began: float) -> None:
        """Count how long the functions of an event took; if one of them waits, later."""
        wait = self._waiting.get(source)
        if wait is not None:
            wait.began = began
        elif self._durations is not None:
            name = type(event).__name__
            if name not in self._durations:
                self._durations[name] = Durations()
            self._durations[name].add(self._clock() - began)

    def _turn_over(self, source: Source) -> None:
        """Queue the source again if it has events; otherwise wake the sources deferred behind it."""
        self._load -= 1
        source.is_busy = False
        try:
            if not source.is_queued and source.has_event():  # `wake` inlined: this runs for every line
                self.put(source)
        except BaseException as error:  # noqa: BLE001 - as above
            self._source_failed(source, error)
        if self._gated and not source.is_queued:
            for gated in self._gated.pop(source, ()):
                try:
                    gated.wake()
                except BaseException as error:  # noqa: BLE001 - as above
                    self._source_failed(gated, error)

    @enable_ki_protection
    async def _wait_for(
        self,
        source: Source,
        event: HookEvent,
        function: HookFunction,
        result: Awaitable[object],
        functions: Iterator[HookFunction],
        number: int,
    ) -> None:
        """Finish one awaitable in a task of its own, then the functions after it."""
        wait = self._waiting[source]
        wait.task = trio.lowlevel.current_task()
        deadline, began = self._limits.hook_timeout, trio.current_time()
        try:
            with wait.scope as scope:
                if deadline is not None:
                    scope.deadline = began + deadline
                if self.is_cutting:  # an async function still runs up to its first await
                    scope.cancel(reason="the server's cleanup time is over")
                failed = partial(self._report, source, event, function)
                await run_guarded(self._await_result, failed, event, function, result)
            if scope.cancelled_caught:
                why = "the server's time was over" if self.is_cutting else f"waited longer than {deadline} s"
                self._report(source, event, function, trio.TooSlowError(why))
            elif scope.cancel_called and trio.current_time() >= scope.deadline:
                # It waited for a thread, shielded itself, or swallowed a Cancelled. A thread cannot be
                # cancelled, so this is no failure: its effects stand, and it is only named in the log.
                self._host.hook_late(event, function, trio.current_time() - began)
        finally:
            del self._waiting[source]
        self._step(source, event, functions, number)
        if wait.began is not None:
            self._note_duration(source, event, wait.began)
        if not self._load:  # no batch may follow that would notice
            self._quiet.set()

    async def _await_result(self, event: HookEvent, function: HookFunction, result: Awaitable[object]) -> object:
        if (returned := await result) is False:
            self._host.hook_returned_false(event, function)
        return returned

    def _report(self, source: Source, event: HookEvent, function: HookFunction, error: BaseException) -> None:
        try:
            if (interrupt := interrupt_in(error)) is not None:
                self._host.hook_interrupted(interrupt)
            self._host.hook_failed(event, function, error)
        except BaseException as another:  # noqa: BLE001 - the report calls code of the source
            self._source_failed(source, another)

    def _source_failed(self, source: Source, error: BaseException) -> None:
        if (interrupt := interrupt_in(error)) is not None:
            self._host.hook_interrupted(interrupt)
        source.failed(error)
