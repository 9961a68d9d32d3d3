"""The tree of tasks of one server, from `serve` to its return, and the two ways in which it ends.

Indentation is lifetime::

    serve                        only waits; the one task that a cancel from outside reaches; then the hard path
    └─ _run                      shielded as a whole; every wait in it is bounded
       └─ services nursery       dispatcher, flusher, timers, reaper, poller; the game's services and work
          ├─ siblings nursery
          │  ├─ acceptor scope   one accept loop for each listener; a shutdown cancels only this first
          │  └─ one task per Connection, and beside it its dialogs, its own work and its writer while there are any
          └─ final drain         the connections are gone: what they left is handled; what is left of that is cut

There is one graceful path, `shutdown`, and one hard path, `abort`,
taken by a cancel from outside, an interrupt, a listener's error, a dead service, and a shutdown out of time.
Both end the connections in slices, so that those who still play are not held up.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

import trio
from trio.lowlevel import enable_ki_protection

from ...transports import Transport
from ...transports.poller import Poller
from ..connection.connection import Connection
from ..core.checks import check_function
from ..core.context import Context
from ..core.describing import guarded
from ..core.events import Cause
from ..core.guard import allow_interrupts, is_a, log_error, run_guarded, unwrap_single
from ..core.service import Service
from ..sessions.registry import Sessions
from .acceptor import Acceptor, AnyListener
from .admission import Admission
from .hook_host import HookHost

logger = logging.getLogger("trio_mud")

_NAMED_AFTER: Final = 1.0  # seconds after the last cancellation until the log names the code that goes on


class Tenant(Protocol):
    """The server, as far as its tasks need it.

    Attributes:
        sessions: The players' stays.
    """

    sessions: Sessions

    def connect(self, transport: Transport) -> Connection:
        """Make the connection of an accepted transport."""
        ...

    def post_started(self) -> None:
        """Queue `Started` before all other events."""
        ...

    async def close_recordings(self) -> None:
        """Wait until recordings are in their files, but not for long."""
        ...


class _Ready:
    """The `task_status` of a service."""

    def __init__(self, started: Callable[[], None]) -> None:
        self._started = started

    def started(self, value: None = None) -> None:
        """The service is ready."""
        self._started()


class TaskTree:
    """The tasks of one server.

    Args:
        tenant: The server.
        context: Its shared parts.
        host: Runs and reports the game's functions.
        poller: Receives for many sockets; None where the platform has none.
        services: The game's own, started in this order.

    Attributes:
        accepted: The connections since accept, by number, until their link is closed.
        admission: Counts them.
        aborting: Set once the hard path is taken.
        handled: Set when all events are handled.
        closed: Set when everything is over.
        fatal: What `serve` raises at its very end.
        last_words: What players read in a shutdown, once one has begun.
    """

    def __init__(
        self, tenant: Tenant, context: Context, host: HookHost, poller: Poller | None, services: Sequence[Service]
    ) -> None:
        self._tenant = tenant
        self._context = context
        self._host = host
        self._poller = poller
        self._services = services
        self._running: list[Service] = []  # the game's services that have started
        self.accepted: dict[int, Connection] = {}
        self.admission = Admission(context.limits, context.texts, self._count)
        self._nursery: trio.Nursery | None = None  # of the services and the game's work
        self._work: dict[trio.CancelScope, Callable[[], None]] = {}  # of the game, running; each names itself
        self._work_over = trio.Event()  # none of it is left, once the services are cancelled
        self._siblings: trio.Nursery | None = None  # where the connections' tasks are
        self._acceptor: Acceptor | None = None
        self._final_drain = trio.CancelScope()  # its deadline is when waiting for the game's code is over
        self._started = trio.Event()  # all functions on `Started` have run
        self._is_closing = trio.Event()  # shutting down or aborting
        self.aborting = trio.Event()
        self.handled = trio.Event()
        self.closed = trio.Event()
        self._is_serving = False  # or has served
        self._services_may_end = False  # those of the game
        self._is_over = False  # everything is handled, and the driver's own tasks may end
        self.last_words: str | None = None
        self._hard_at = math.inf  # when a shutdown turns hard
        self.fatal: BaseException | None = None

    # The two ways to end

    @property
    def is_closing(self) -> bool:
        """True if a shutdown or the hard path has begun."""
        return self._is_closing.is_set()

    def shutdown(self, text: str, within: float) -> None:
        """Take the graceful path. A second call changes nothing."""
        if self.is_closing:
            return
        self._hard_at = trio.current_time() + within
        self.last_words = text
        if self._acceptor is not None:
            self._acceptor.close()
        self._is_closing.set()

    def abort(self, within: float | None = None) -> None:
        """Take the hard path. A later call may only shorten the time that is left to clean up."""
        last_moment = trio.current_time() + (self._context.limits.cleanup if within is None else within)
        self._final_drain.deadline = min(self._final_drain.deadline, last_moment)
        self.aborting.set()
        self._is_closing.set()
        self._started.set()  # or `_accept` would wait for a dead dispatcher
        if self._acceptor is not None:
            self._acceptor.close()

    def fail(self, error: BaseException) -> None:
        """Take the hard path, and have `serve` raise the error; of several the first."""
        if self.fatal is None:
            self.fatal = error
        self.abort()

    def interrupted(self, error: BaseException) -> None:
        """A KeyboardInterrupt or SystemExit came out of the game's code: end, and raise it at the very end.

        An exit is a decision of the game, so it shuts down and players read the last words. An interrupt ends at once.
        """
        if not is_a(unwrap_single(error), SystemExit):
            self.fail(error)
            return
        if self.fatal is None:
            self.fatal = error
        self.shutdown(self._context.texts.shutdown, self._context.limits.drain)

    def note_started(self) -> None:
        """All functions on `Started` have run: connections may be accepted."""
        self._started.set()

    # Work and connections

    def run_work(
        self,
        work: Callable[[], Awaitable[object]],
        whose: Callable[[], str],
        scope: trio.CancelScope,
        over: Callable[[], object],
    ) -> None:
        """Run a game's work in a scope of its owner's; `over` is called when it has ended."""
        check_function(work, "MasterServer.start_soon()", waits=True)
        if self._nursery is None:
            raise RuntimeError("the server does not serve: start work on `Started` or later")

        async def run() -> None:
            try:
                with scope:
                    await run_guarded(work, partial(self._host.work_failed, "work", work, whose))
            finally:
                over()
                del self._work[scope]
                if not self._work:
                    self._work_over.set()

        allow_interrupts(work)
        self._work[scope] = lambda: self._host.name_unfinished("work", work, guarded(whose))
        self._nursery.start_soon(run, name=f"work{guarded(whose)}")

    def start_sibling(self, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Run a task beside a connection's own, which waits for it before it ends."""
        assert self._siblings is not None, "the task that waits for it is in there"
        self._siblings.start_soon(work, name=name)

    def leave(self, connection: Connection) -> None:
        """Its link is closed; its disconnect event may still wait for its turn."""
        del self.accepted[connection.number]
        self.admission.leave(connection)

    # From the beginning to the end

    async def serve(self, listeners: Sequence[AnyListener], started: Callable[[], None]) -> None:
        """Serve until everything is over; then raise what could not be mended.

        Args:
            listeners: Taken over, and closed at the end.
            started: Called once connections are accepted.
        """
        if self._is_serving:
            raise RuntimeError("a MasterServer serves once: make a new one")
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
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as self._nursery:
                nursery = self._nursery
                try:
                    await self._serve_connections(nursery, listeners, started)
                finally:
                    self._nursery = None  # a closed nursery takes no work
                self._is_over = True
                dispatcher.stop()
                nursery.cancel_scope.cancel(reason="everything is handled")
                self.handled.set()
                await self._work_ends()
            if not self._is_over:
                self._service_failed("a task", RuntimeError("code of the game has cancelled the server's own tasks"))
            await self._tenant.close_recordings()
        self._host.connections.clear()  # only a dead dispatcher leaves anything here
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
                may_connect=self.admission.accept,
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
        """Run a part of the driver; if it raises or returns it takes the server with it, as gracefully as it can."""
        await run_guarded(part, partial(self._service_failed, part.__name__))
        if not self._is_over and self.fatal is None:
            self._service_failed(part.__name__, RuntimeError("it has returned"))
        if part == self._reap and self._siblings is not None:  # which would have ended the connections
            self._siblings.cancel_scope.cancel(reason="the server must stop")

    def _service_failed(self, name: str, error: BaseException) -> None:
        log_error(error, "the server must stop: %s has ended", name, level=logging.CRITICAL)
        self.fail(error)

    def _must_be_closing(self, what: str) -> None:
        """What has just ended ends only in a shutdown or on the hard path; if this is neither, it was cancelled."""
        if not self.is_closing:
            self._service_failed(what, RuntimeError("code of the game has cancelled the server's own tasks"))

    # The game's services

    async def _start_services(self, nursery: trio.Nursery) -> None:
        """Start one after the other; one that fails before it is ready ends the server before the first accept."""
        for service in self._services:
            if self.is_closing:
                return
            ready = trio.Event()
            nursery.start_soon(self._run_service, service, ready, name=f"service {type(service).__name__}")
            await ready.wait()

    @enable_ki_protection
    async def _run_service(self, service: Service, ready: trio.Event) -> None:
        """Run one until it was closed. If it ends before that, the server ends."""
        name = f"service {type(service).__name__}"

        def started() -> None:
            self._running.append(service)
            ready.set()

        try:
            await run_guarded(partial(service.run, task_status=_Ready(started)), partial(self._service_failed, name))
        finally:
            if service in self._running:
                self._running.remove(service)
                if not self._services_may_end and self.fatal is None:
                    self._service_failed(name, RuntimeError("it has returned before it was closed"))
            ready.set()

    async def _close_services(self) -> None:
        """Close them in reverse order, after the last event was handled; each has `limits.cleanup` seconds."""
        self._services_may_end = True
        for service in reversed(self._running.copy()):
            with trio.move_on_after(self._context.limits.cleanup) as patience:
                await run_guarded(service.aclose, _did_not_close)
            if patience.cancelled_caught:
                logger.error("service %s took too long to close and is cancelled", type(service).__name__)

    # Connections

    @enable_ki_protection
    async def _accept(self, acceptor: Acceptor, started: Callable[[], None]) -> None:
        if self.fatal is None:  # otherwise a service could not start, and only the listeners are closed
            self._tenant.post_started()
        await self._started.wait()  # no connection is accepted into a world that is not ready
        try:
            await acceptor.run(started if self.fatal is None else _nothing)
        except Exception as error:  # noqa: BLE001 - raised again at the end of `serve`
            self.fail(unwrap_single(error))
        self._must_be_closing("accepting connections")

    def _on_accept(self, siblings: trio.Nursery, transport: Transport) -> None:
        try:
            connection = self._tenant.connect(transport)
        except Exception as error:  # noqa: BLE001 - an option or a clock of the game's: it costs this visitor
            self._context.counters["handshakes failed"] += 1
            log_error(error, "a connection from %s could not be made", transport.address or "an unknown address")
            siblings.start_soon(run_guarded, transport.aclose_forcefully, lambda error: None)
            return
        self.accepted[connection.number] = connection
        self.admission.arrive(connection)
        if self.aborting.is_set():
            connection.lifecycle.abort()
        elif self.last_words is not None:
            connection.quit(self.last_words, cause=Cause.SHUTDOWN)
        siblings.start_soon(connection.lifecycle.run, name=connection.name)

    @enable_ki_protection
    async def _flush(self) -> None:
        """Flush what is written outside a dispatcher's batch."""
        host = self._host
        while True:
            await host.must_flush.wait()
            host.must_flush = trio.Event()
            host.flush()

    @enable_ki_protection
    async def _reap(self) -> None:
        """End every connection since accept, listed or not: gracefully first, hard when it must be."""
        await self._is_closing.wait()
        if not self.aborting.is_set():
            self._context.timers.at(self._hard_at, self.abort)
            text = self.last_words or ""
            await self._in_slices(lambda connection: connection.quit(text, cause=Cause.SHUTDOWN), until=self.aborting)
        await self.aborting.wait()
        await self._in_slices(lambda connection: connection.lifecycle.abort())
        await trio.sleep_forever()

    async def _in_slices(self, act: Callable[[Connection], object], until: trio.Event | None = None) -> None:
        for count, connection in enumerate(list(self.accepted.values()), 1):
            if until is not None and until.is_set():
                return
            try:
                act(connection)
            except Exception as error:  # noqa: BLE001 - it costs this connection
                connection.lifecycle.fail(error)
            if count % self._context.limits.batch == 0:
                await trio.lowlevel.checkpoint()

    async def _drain(self) -> None:
        """The connections are gone: what they left is handled, within one deadline; what is then left is cut."""
        dispatcher, sessions = self._context.dispatcher, self._tenant.sessions
        self._context.timers.stop()
        with self._final_drain as scope:
            scope.deadline = min(scope.deadline, trio.current_time() + self._context.limits.cleanup)
            await dispatcher.drained()
            sessions.close()
            await dispatcher.drained()
        if dispatcher.is_working:
            dispatcher.cut()
            with trio.move_on_after(_NAMED_AFTER):
                await dispatcher.drained()
            self._host.name_unfinished_hooks()
            await dispatcher.drained()
        if len(sessions):
            sessions.close()
            await dispatcher.drained()

    async def _work_ends(self) -> None:
        """Wait for the game's work, which is cancelled, and name what does not end."""
        if self._work:
            self._work_over = trio.Event()
            with trio.move_on_after(_NAMED_AFTER, shield=True):
                await self._work_over.wait()
            for name in list(self._work.values()):
                name()

    def _count(self, what: str) -> None:
        self._context.counters[what] += 1


def _nothing() -> None:
    """Accepting never began, so that is not reported."""


def _did_not_close(error: BaseException) -> None:
    log_error(error, "a service failed to close")
