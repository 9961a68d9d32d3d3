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

Its synchronous half is in `turns`, which the compiled build compiles. The functions of the game are called here, in
frames that the log, the watchdog and the console read: a compiled function has none.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

import trio
from trio.lowlevel import enable_ki_protection

from ...limits import Limits
from .durations import Durations
from .events import HookEvent
from .guard import interrupt_in, log_error, run_guarded
from .hooks import HookFunction
from .turns import Host, Source, Turns


class _Wait:
    """One waiting hook: its event and function, its scope and its task."""

    __slots__ = ("began", "event", "function", "scope", "task")

    def __init__(self, event: HookEvent, function: HookFunction) -> None:
        self.event = event
        self.function = function
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None
        self.began: float | None = None  # when the functions of the event began, if that is measured


class Dispatcher(Turns):
    """Runs the hooks of one server."""

    def __init__(self, host: Host, limits: Limits) -> None:
        super().__init__(host, limits)
        self._waiting: dict[Source, _Wait] = {}
        self._nursery: trio.Nursery | None = None

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

    def _step(self, source: Source, event: HookEvent, functions: Iterator[HookFunction], number: int) -> None:
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

    def _measured_step(self, source: Source, event: HookEvent, functions: Iterator[HookFunction], number: int) -> None:
        began = self._clock()
        self._step(source, event, functions, number)
        self._note_duration(source, event, began)

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
