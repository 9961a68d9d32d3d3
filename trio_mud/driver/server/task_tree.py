"""The tree of tasks of one server, from `serve` to its return, and its graceful and its hard end.

Indentation is lifetime::

    serve                        only waits; the one task that a cancel from outside reaches; then the hard path
    └─ _run                      shielded as a whole; every wait in it is bounded
       └─ services nursery       dispatcher, flusher, timers, reaper, poller; the game's services and work
          ├─ siblings nursery
          │  ├─ acceptor scope   one accept loop for each listener; a shutdown first cancels only this
          │  └─ one task per Connection, with siblings for its dialogs, background work and writer
          └─ final drain         the connections are closed: their remaining events are handled, then cut

There is one graceful path, `shutdown`, and one hard path, `abort`.
The hard path is taken on a cancel from outside, an interrupt, a listener's error, a dead service, and when the time of
a shutdown is over. Both end the connections in slices, so that the other players are not delayed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import trio
from trio.lowlevel import enable_ki_protection

from ...coroutines import without_origin
from ...transports import Transport
from ...transports.poller import Poller
from ..connection.connection import Connection
from ..core.context import Context
from ..core.describing import guarded, innermost
from ..core.events import Cause
from ..core.guard import Args, allow_interrupts, is_a, log_error, run_guarded, unwrap_single
from ..core.service import Service
from ..link.bans import Bans
from ..link.traffic import count_at, door_of
from ..sessions.registry import Sessions
from .acceptor import Acceptor, AnyListener, close_forcefully
from .admission import Admission
from .hook_host import HookHost

logger = logging.getLogger("trio_mud")

_SLOW_START: Final = 10.0  # seconds until the log names a service that has not started
_NAMED_AFTER: Final = 1.0  # seconds after the last cancellation until the log names the code that still runs


class _Ready:
    """The `task_status` of a service."""

    def __init__(self, started: Callable[[], None]) -> None:
        self._started = started

    def started(self, value: None = None) -> None:
        """Take note that the service is ready."""
        self._started()


class TaskTree:
    """The tasks of one server.

    Args:
        context: The shared parts of the server.
        host: Chooses the game's functions and reports their failures.
        sessions: The sessions of its players.
        poller: Receives for many sockets; None if the platform does not support it.
        services: The game's own services, started in this order.
        bans: The banned networks.
        connect: Creates the connection of an accepted transport.
        post_started: Queues `Started` before all other events.
        close_recordings: Waits until recordings are written to their files, within a time limit.

    Attributes:
        accepted: The connections by number, from accept until their link is closed.
        admission: Counts them.
        aborting: Set once the hard path is taken.
        handled: Set when all events are handled.
        closed: Set when all tasks have ended.
        fatal: The error that `serve` raises at its end.
        last_words: The text that players receive, once a shutdown has begun; otherwise None.
    """

    def __init__(
        self,
        context: Context,
        host: HookHost,
        sessions: Sessions,
        poller: Poller | None,
        services: Sequence[Service],
        bans: Bans,
        *,
        connect: Callable[[Transport], Connection],
        post_started: Callable[[], None],
        close_recordings: Callable[[], Awaitable[None]],
    ) -> None:
        self._context = context
        self._host = host
        self._sessions = sessions
        self._connect = connect
        self._post_started = post_started
        self._close_recordings = close_recordings
        self._poller = poller
        self._services = services
        self._running: list[Service] = []  # the game's services that have started
        self.accepted: dict[int, Connection] = {}
        self.admission = Admission(context.limits, context.texts, self._count, sessions._count_bound, bans)
        self._nursery: trio.Nursery | None = None  # of the services and the game's work
        self._work: dict[trio.CancelScope, Callable[[], None]] = {}  # the game's running work; the value logs its name
        self._work_over = trio.Event()  # set when no work is left, once the services are cancelled
        self._siblings: trio.Nursery | None = None  # of the connections' tasks
        self._acceptor: Acceptor | None = None
        self._final_drain = trio.CancelScope()  # its deadline bounds every wait for the game's code
        self._service_ready = trio.Event()  # the service that starts now is ready, or is not waited for
        self._started = trio.Event()  # all functions on `Started` have run
        self._is_closing = trio.Event()  # shutting down or aborting
        self.aborting = trio.Event()
        self.handled = trio.Event()
        self.closed = trio.Event()
        self._is_serving = False  # or has served
        self._services_may_end = False  # the game's services
        self._is_over = False  # all events are handled, and the driver's own tasks may end
        self.last_words: str | None = None
        self._hard_at = math.inf  # when a shutdown turns hard
        self.fatal: BaseException | None = None

    # The two ways to end

    @property
    def is_closing(self) -> bool:
        """True if a shutdown or the hard path has begun."""
        return self._is_closing.is_set()

    @property
    def has_started(self) -> bool:
        """True if all functions on `Started` have run."""
        return self._started.is_set()

    def shutdown(self, text: str, within: float) -> None:
        """Take the graceful path. A second call has no effect."""
        if self.is_closing:
            return
        self._hard_at = trio.current_time() + within
        self.last_words = text
        if self._acceptor is not None:
            self._acceptor.close()
        self._is_closing.set()
        self._service_ready.set()  # a service may never be ready

    def abort(self, within: float | None = None) -> None:
        """Take the hard path. A later call may only shorten the remaining time for cleanup."""
        # One deadline, shared by every shielded wait: a deadline for each would add up to minutes.
        last_moment = trio.current_time() + (self._context.limits.cleanup_timeout if within is None else within)
        self._final_drain.deadline = min(self._final_drain.deadline, last_moment)
        self.aborting.set()
        self._is_closing.set()
        self._service_ready.set()
        self._started.set()  # otherwise `_accept` could wait for a dead dispatcher
        if self._acceptor is not None:
            self._acceptor.close()

    def fail(self, error: BaseException) -> None:
        """Take the hard path, and make `serve` raise the first such error."""
        self._note_fatal(error)
        self.abort()

    def interrupted(self, error: BaseException) -> None:
        """End because the game raised KeyboardInterrupt or SystemExit, and raise that at the end of `serve`.

        An exit is a decision of the game: the server shuts down and players receive the last words.
        An interrupt takes the hard path.
        """
        if not is_a(unwrap_single(error), SystemExit):
            self.fail(error)
            return
        self._note_fatal(error)
        self.shutdown(self._context.texts.shutdown, self._context.limits.shutdown_timeout)

    def _note_fatal(self, error: BaseException) -> None:
        """Keep the first fatal error. Before the start is complete, notify the services, which may end the process."""
        if self.fatal is not None:
            return
        self.fatal = error
        if not self.has_started:
            for service in self._services:
                if (start_failed := getattr(service, "start_failed", None)) is not None:
                    start_failed(error)

    async def wait_closing(self) -> None:
        """Wait until `is_closing`."""
        await self._is_closing.wait()

    async def wait_started(self) -> None:
        """Wait until `has_started`."""
        await self._started.wait()

    def note_started(self) -> None:
        """Allow connections to be accepted: all functions on `Started` have run."""
        self._started.set()

    # Work and connections

    def run_work(
        self,
        work: Callable[[*Args], Awaitable[object]],
        args: tuple[*Args],
        whose: Callable[[], str],
        scope: trio.CancelScope,
        over: Callable[[], object],
        name: str | None,
    ) -> None:
        """Run a game's work in its owner's scope; `over` is called when it has ended."""
        if self._nursery is None:
            raise RuntimeError("the server is not running: start work on `Started` or later")

        async def run() -> None:
            try:
                with scope:
                    await run_guarded(work, partial(self._host.work_failed, "work", work, whose), *args)
            finally:
                over()
                del self._work[scope]
                if not self._work:
                    self._work_over.set()

        allow_interrupts(work)
        self._work[scope] = lambda: self._host.name_unfinished("work", work, guarded(whose))
        self._nursery.start_soon(run, name=name or f"work{guarded(whose)}")

    def start_sibling(self, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Run a task beside a connection's own task, which waits for it before it ends."""
        assert self._siblings is not None, "the task that waits for it is in this nursery"
        self._siblings.start_soon(work, name=name)

    def leave(self, connection: Connection) -> None:
        """Forget a connection whose link is closed; its disconnect event may still wait for its turn."""
        del self.accepted[connection.number]
        self.admission.leave(connection)

    # From the beginning to the end

    async def serve(self, listeners: Sequence[AnyListener], started: Callable[[], None]) -> None:
        """Serve until all tasks have ended; then raise the fatal error, if there is one.

        Args:
            listeners: The listeners; the server takes ownership and closes them at the end.
            started: Called once connections are accepted.
        """
        if self._is_serving:
            raise RuntimeError("a MasterServer serves only once: create a new one")
        self._is_serving = True
        self._context.timers.thread.enter()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run, listeners, started, name="trio_mud server")
                try:
                    await self.closed.wait()
                finally:
                    if not self.closed.is_set():
                        self.abort()
        finally:
            if self.fatal is not None:
                raise self.fatal

    @enable_ki_protection
    async def _run(self, listeners: Sequence[AnyListener], started: Callable[[], None]) -> None:
        dispatcher = self._context.dispatcher
        # Shielded as a whole: a cancel from outside must not cancel the dispatcher before the disconnect events are
        # handled. `serve` receives the cancel and calls `abort`, which bounds every wait in here.
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as self._nursery:
                nursery = self._nursery
                try:
                    await self._serve_connections(nursery, listeners, started)
                finally:
                    self._nursery = None  # before it closes, so that `run_work` refuses with a sentence of its own
                self._is_over = True
                dispatcher.stop()
                nursery.cancel_scope.cancel(reason="all events are handled")
                self.handled.set()
                await self._work_ends()
            if not self._is_over:
                self._service_failed("a task", RuntimeError("code of the game has cancelled the server's own tasks"))
            await self._close_recordings()
        self._host.connections._clear()  # only a dead dispatcher leaves any
        self._context.repeats.flush()
        self.closed.set()

    @enable_ki_protection
    async def _serve_connections(
        self, nursery: trio.Nursery, listeners: Sequence[AnyListener], started: Callable[[], None]
    ) -> None:
        polling = () if self._poller is None else (self._poller.run,)
        for part in (self._context.dispatcher.run, self._flush, self._context.timers.run, self._reap, *polling):
            nursery.start_soon(self._run_part, part, name=f"trio_mud {part.__name__}")
        async with trio.open_nursery() as self._siblings:
            self._acceptor = Acceptor(
                listeners,
                self._context.limits,
                may_connect=self._may_connect,
                on_accept=partial(self._on_accept, self._siblings),
                count=self._count,
            )
            if self.is_closing:
                self._acceptor.close()
            await self._start_services(nursery)
            await self._accept(self._acceptor, started)
        self._must_be_closing("the connections' tasks")
        await self._drain()
        await self._close_services()

    @enable_ki_protection
    async def _run_part(self, part: Callable[[], Awaitable[object]]) -> None:
        """Run a part of the driver; if it raises or returns, the server takes the hard path."""
        await run_guarded(part, partial(self._service_failed, part.__name__))
        if not self._is_over and self.fatal is None:
            self._service_failed(part.__name__, RuntimeError("it has returned"))
        if part == self._reap and self._siblings is not None:  # without the reaper nothing else ends the connections
            self._siblings.cancel_scope.cancel(reason="the server must stop")

    def _service_failed(self, name: str, error: BaseException) -> None:
        log_error(error, "the server must stop: %s has ended", name, level=logging.CRITICAL)
        self.fail(error)

    def _must_be_closing(self, what: str) -> None:
        """Report that tasks were cancelled by the game, unless the server is closing, when they end by themselves."""
        if not self.is_closing:
            self._service_failed(what, RuntimeError("code of the game has cancelled the server's own tasks"))

    # The game's services

    async def _start_services(self, nursery: trio.Nursery) -> None:
        """Start the services one after the other; a failure before `started()` ends the server before it accepts."""
        for service in self._services:
            if self.is_closing:
                return
            ready = self._service_ready = trio.Event()
            name = f"service {type(service).__name__}"
            nursery.start_soon(self._run_service, service, ready, name=name)
            with trio.move_on_after(_SLOW_START):
                await ready.wait()
            if not ready.is_set():
                logger.warning("%s has not started for %g s: call task_status.started() when ready", name, _SLOW_START)
                await ready.wait()

    @enable_ki_protection
    async def _run_service(self, service: Service, ready: trio.Event) -> None:
        """Run a service until it was closed. If it ends before that, the server ends."""
        name = f"service {type(service).__name__}"

        def started() -> None:
            if service not in self._running:
                self._running.append(service)
            ready.set()

        try:
            await run_guarded(partial(service.run, task_status=_Ready(started)), partial(self._service_failed, name))
        finally:
            if service in self._running:
                self._running.remove(service)
                if not self._services_may_end and self.fatal is None:
                    self._service_failed(name, RuntimeError("it has returned before it was closed"))
            elif not self.is_closing:
                self._service_failed(name, RuntimeError("it has returned before it called task_status.started()"))
            ready.set()

    async def _close_services(self) -> None:
        """Close the services in reverse order after the last event, each within `limits.cleanup_timeout` seconds."""
        self._services_may_end = True
        for service in reversed(self._running.copy()):
            with trio.move_on_after(self._context.limits.cleanup_timeout) as patience:
                await run_guarded(service.aclose, _did_not_close)
            if patience.cancelled_caught:
                logger.error("service %s took too long to close and is cancelled", type(service).__name__)

    # Connections

    @enable_ki_protection
    async def _accept(self, acceptor: Acceptor, started: Callable[[], None]) -> None:
        if self.fatal is None:  # otherwise a service failed to start, and only the listeners are closed
            self._post_started()
        await self._started.wait()  # the world must be ready before the first connection
        try:
            await acceptor.run(started if self.fatal is None else _nothing)
        except Exception as error:  # noqa: BLE001 - raised again at the end of `serve`
            self.fail(unwrap_single(error))
        self._must_be_closing("accepting connections")

    def _may_connect(self, transport: Transport) -> bool:
        """Return False if the transport must be closed: its origin exceeds its rate, or its address cannot be read."""
        door = door_of(transport)
        count_at(self._context.counters, "accepted", door)
        try:
            may_connect = self.admission.accept(transport.address)
        except Exception as error:  # noqa: BLE001 - a transport of the game
            self._not_connected(error, door)
            return False
        if not may_connect:
            count_at(self._context.counters, "closed by rate", door)
        return may_connect

    def _on_accept(self, siblings: trio.Nursery, transport: Transport) -> None:
        try:
            connection = self._connect(transport)
        except Exception as error:  # noqa: BLE001 - an option, clock or link of the game; it costs this connection
            self._not_connected(error, door_of(transport))
            siblings.start_soon(run_guarded, close_forcefully, lambda error: None, transport)
            return
        self.accepted[connection.number] = self._host.undecided[connection.number] = connection
        self.admission.arrive(connection)
        if self.aborting.is_set():
            connection._lifecycle.abort()
        elif self.last_words is not None:
            connection.quit(self.last_words, cause=Cause.SHUTDOWN)
        without_origin(partial(siblings.start_soon, connection._lifecycle.run, name=connection.name))

    def _not_connected(self, error: BaseException, door: str) -> None:
        self._context.repeats.log(
            logging.ERROR,
            "cannot create a connection for an accepted peer, which is closed",
            kind=("cannot create a connection", type(error), innermost(error)),
            summary=f"connections could not be created: {type(error).__name__}",
            error=error,
        )
        count_at(self._context.counters, "handshakes failed", door)

    @enable_ki_protection
    async def _flush(self) -> None:
        """Flush output that is written outside a dispatcher's batch."""
        host = self._host
        while True:
            await host.must_flush.wait()
            host.must_flush = trio.Event()
            host.flush()

    @enable_ki_protection
    async def _reap(self) -> None:
        """End every connection since accept, listed or not: by a quit in a shutdown, and hard on the hard path."""
        await self._is_closing.wait()
        if not self.aborting.is_set():
            self._context.timers.at(self._hard_at, self.abort)
            text = self.last_words or ""
            await self._in_slices(lambda connection: connection.quit(text, cause=Cause.SHUTDOWN), until=self.aborting)
        await self.aborting.wait()
        await self._in_slices(lambda connection: connection._lifecycle.abort())
        await trio.sleep_forever()

    async def _in_slices(self, act: Callable[[Connection], object], until: trio.Event | None = None) -> None:
        # Measured: 5,000 endings in one pass block the loop for 200 ms, in slices of 64 for 28 ms at most.
        for count, connection in enumerate(list(self.accepted.values()), 1):
            if until is not None and until.is_set():
                return
            try:
                act(connection)
            except Exception as error:  # noqa: BLE001 - a failure costs this connection
                connection._lifecycle.fail(error)
            if count % self._context.limits.batch_size == 0:
                await trio.lowlevel.checkpoint()

    async def _drain(self) -> None:
        """Handle the remaining events once the connections are closed; cut those that exceed the deadline."""
        # Twice: the functions on `Disconnect` may end sessions or start work for them, and closing the sessions
        # queues their last events.
        dispatcher, sessions = self._context.dispatcher, self._sessions
        self._context.timers.stop()
        with self._final_drain as scope:
            scope.deadline = min(scope.deadline, trio.current_time() + self._context.limits.cleanup_timeout)
            await dispatcher.drained()
            sessions._close()
            await dispatcher.drained()
        if dispatcher.is_working:
            dispatcher.cut()
            with trio.move_on_after(_NAMED_AFTER):
                await dispatcher.drained()
            # trio cannot end a hook that swallows its cancellation. `run` ends the process then.
            self._host.name_unfinished_hooks()
            await dispatcher.drained()
        if len(sessions):  # the deadline passed before they were closed
            sessions._close()
            await dispatcher.drained()

    async def _work_ends(self) -> None:
        """Wait for the game's cancelled work, and log the functions that do not end."""
        if self._work:
            self._work_over = trio.Event()
            with trio.move_on_after(_NAMED_AFTER, shield=True):
                await self._work_over.wait()
            for name in list(self._work.values()):
                name()

    def _count(self, what: str) -> None:
        self._context.counters[what] += 1


def _nothing() -> None:
    """Do nothing: accepting never began, so it is not reported."""


def _did_not_close(error: BaseException) -> None:
    log_error(error, "a service failed to close")
