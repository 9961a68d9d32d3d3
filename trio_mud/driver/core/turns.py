"""The turns of sources: the synchronous half of the dispatcher, which queues them and asks each for its next event.

It calls no function of the game; `Dispatcher._step` does. `dispatcher` has the theory of operation.
Compiled in the compiled build, so it has no async function, and a method that is called for each line is final.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, final

import trio

from ...compiled import mypyc_attr
from ...limits import Limits
from .durations import Durations
from .events import HookEvent
from .guard import interrupt_in, log_error
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


@mypyc_attr(allow_interpreted_subclasses=True)
class Source:
    """Yields events in order. Subclasses choose which; the dispatcher maintains the two flags.

    Attributes:
        barrier: Defers the turns of this source; None if nothing does.
    """

    __slots__ = ("_dispatcher", "barrier", "is_busy", "is_queued")

    def __init__(self, dispatcher: Turns) -> None:
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


class SourceChannel(Protocol):
    """The sending half of the memory channel of sources that have events."""

    def send_nowait(self, source: Source) -> None:
        """Queue a source."""
        ...

    def close(self) -> None:
        """End the loop that receives."""
        ...


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


@mypyc_attr(allow_interpreted_subclasses=True)
class Turns:
    """Queues the sources that have events, and takes one event of each in turn.

    Attributes:
        handled: The number of events so far; each has a number, by which the log lines that belong together are found.
    """

    def __init__(self, host: Host, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        sending, self._ready = trio.open_memory_channel[Source](math.inf)
        self._to_ready: SourceChannel = sending
        self._in_channel = 0
        self._load = 0  # sources queued, handed over or busy
        self._quiet = trio.Event()
        self._gated: dict[Source, dict[Source, None]] = {}  # deferred sources, by the source they wait for
        self.is_dead = False
        self.is_cutting = False
        self.in_batch = False  # output written now is flushed at the end of the batch
        self.handled = 0
        self._durations: dict[str, Durations] | None = None  # while they are measured
        self._clock: Callable[[], float] = time.perf_counter
        self.now = NEVER  # when the batch began: reading the clock for each line costs too much

    @final
    def put(self, source: Source) -> None:
        """Give this source a turn. Does nothing when the dispatcher is dead."""
        if self.is_dead:
            return
        source.is_queued = True
        self._load += 1
        self._in_channel += 1
        self._to_ready.send_nowait(source)

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

    @final
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
            self._measured_step(source, event, functions, self.handled)

    @final
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

    def _source_failed(self, source: Source, error: BaseException) -> None:
        if (interrupt := interrupt_in(error)) is not None:
            self._host.hook_interrupted(interrupt)
        source.failed(error)

    # Implemented by `dispatcher.Dispatcher`

    def _step(self, source: Source, event: HookEvent, functions: Iterator[HookFunction], number: int) -> None:
        """Run the remaining functions of this event, up to the first that waits."""
        raise NotImplementedError

    def _measured_step(self, source: Source, event: HookEvent, functions: Iterator[HookFunction], number: int) -> None:
        """Do the same, and count how long they took; if one of them waits, later."""
        raise NotImplementedError
