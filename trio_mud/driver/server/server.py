"""The master server: owns the listeners, the connections and the dispatcher; serves, and shuts down.

The tree of tasks; indentation is lifetime::

    serve                        only waits; the one task that a cancel from outside reaches; then the hard path
    └─ house                     shielded as a whole; every wait in it is bounded
       └─ services nursery       dispatcher, flusher, timers, reaper, poller
          ├─ guests nursery
          │  ├─ doors scope      one accept loop for each listener; a shutdown cancels only this first
          │  └─ one task per Connection, and beside it its dialogs, its own work and its rest-writer while there are any
          └─ farewell            the guests are gone: what they left is handled; what is left of that is cut

There is one graceful path, `shutdown`, and one hard path, `abort`,
taken by a cancel from outside, an interrupt, a listener's error, a dead service, and a shutdown out of time.
Both end the connections in slices, so that those who still play are not held up.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, Overloaded
from ...limits import Limits
from ...telnet import DEFAULT_OPTIONS, Option, TelnetEngine
from ...telnet.options import Mccp2, Mccp3, Mssp
from ...telnet.options.mssp import Value, Variables
from ...text import Text
from ...texts import Texts
from ...transports import Transport
from ...transports.poller import Poller
from ..connection.connection import Connection
from ..connection.events import Admitted, Connect, Disconnect, Input
from ..connection.registry import Connections
from ..core.calendar import Daily, zone_of
from ..core.checks import article, check_function, check_seconds, check_words
from ..core.describing import describe, guarded, typed
from ..core.dispatcher import Dispatcher
from ..core.events import Cause, HookEvent
from ..core.failures import RepeatLimiter, log_failure
from ..core.guard import (
    allow_interrupts,
    attribute_of,
    describe_value,
    interrupt_in,
    is_a,
    log_error,
    run_guarded,
    unwrap_single,
)
from ..core.hooks import HookFunction, Hooks
from ..core.thread import HomeThread
from ..core.timers import DailyTimer, Tick, Timer, TimerFunction, TimerOwner, Timers, TimerSource
from ..recording.recorder import SESSION, SESSIONS, Recorder
from ..sessions.events import Entered, Left, LinkLost, Resumed
from ..sessions.registry import Sessions
from .acceptor import AnyListener, Doors
from .admission import Admission
from .events import Started
from .mssp import MsspVariables, Variable
from .posts import Posts

logger = logging.getLogger("trio_mud")

_NAMED_AFTER: Final = 1.0  # seconds after the last cancellation until the log names the code that goes on

_DRIVERS_OWN = (Started, Connect, Admitted, Input, Disconnect, Entered, LinkLost, Resumed, Left, Tick)


class MasterServer(TimerOwner):
    """Handles all incoming connections of one game. No global state: several servers live in one process.

    Args:
        hooks: The game's functions.
        limits: Every bound and deadline.
        texts: Every sentence the driver itself says.
        world: The game's own object, for its functions to find as `server.world`.
        options: The telnet options it speaks, `Mssp` added; none at all if empty.

    Attributes:
        wall_clock: Tells the time of day to `daily`, in seconds since 1970; yours to set, before the first of them.
        sessions: The stays of players, by key.
        counters: How often what happened, by words such as "accepted" or "refused: full".
        aborting: Set once the hard path is taken.
        handled: Set when all events are handled, and nothing is left but to end the game's own work.
        closed: Set when everything is over and `serve` is about to return.
    """

    def __init__(
        self,
        hooks: Hooks,
        *,
        limits: Limits | None = None,
        texts: Texts | None = None,
        world: object = None,
        options: Iterable[Option] = DEFAULT_OPTIONS,
    ) -> None:
        for name, value, kind in (("limits", limits, Limits), ("texts", texts, Texts)):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name}= takes a {kind.__name__}, such as {kind.__name__}(), not {article(value)}")
        self.thread = HomeThread()
        self.hooks = hooks
        self.limits = limits or Limits()
        self.texts = texts or Texts()
        self.world = world
        self.counters: Counter[str] = Counter()
        self.wall_clock: Callable[[], float] = time.time
        self.timers = Timers(self.limits.batch, self.thread)
        self.repeats = RepeatLimiter(self.timers, self.limits.log_interval)
        self.dispatcher = Dispatcher(self, self.limits)
        self._mssp = MsspVariables({"NAME": "A trio_mud", "CODEBASE": "trio_mud"}, self.thread)
        self._options = tuple(options)
        if self._options and not any(isinstance(option, Mssp) for option in self._options):
            self._options = (Mssp(self.mssp_variables), *self._options)
        self._uncompressed_options = tuple(option for option in self._options if not isinstance(option, Mccp2 | Mccp3))
        self.make_engine()  # raises here if an option is wrong, and not for each visitor
        self._began = int(time.time())  # for display only
        self.sessions = Sessions(self)
        self.poller = Poller(max(1, self.limits.batch // 2)) if Poller.is_possible() else None
        self._connections = Connections()
        self._recorder: Recorder | None = None
        self._recorders: list[Recorder] = []  # this one, and those before it
        self._works: trio.Nursery | None = None
        self._work: dict[trio.CancelScope, Callable[[], None]] = {}  # of the game, running; each names itself
        self._work_over = trio.Event()  # none of it is left, once the services are cancelled
        self._siblings: trio.Nursery | None = None  # where the connections' tasks are
        self._admission = Admission(self.limits, self.texts, self._count)
        self._guests: dict[int, Connection] = {}  # since accept, until their transport is closed
        self._numbers = itertools.count(1)
        self._posts = Posts(self.dispatcher)
        self._soiled: list[Connection] = []
        self.rendered: dict[Hashable, tuple[Text, bytes]] = {}  # in this batch, see `Connection._encode`
        self._must_flush = trio.Event()
        self._doors: Doors | None = None
        self._farewell = trio.CancelScope()  # its deadline is when waiting for the game's code is over
        self._is_closing = trio.Event()  # shutting down or aborting
        self.aborting = trio.Event()
        self.handled = trio.Event()
        self.closed = trio.Event()
        self._is_serving = False  # or has served
        self._is_over = False  # everything is handled, and the services may end
        self._last_words: str | None = None
        self._drain: float = math.inf  # when a shutdown turns hard
        self._fatal: BaseException | None = None

    # What a game asks and says

    @property
    def hooks(self) -> Hooks:
        """The game's functions; may be exchanged, between two events.

        Raises:
            TypeError: What it is set to is no `Hooks`.
        """
        return self._hooks

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        self.thread.check()
        if not isinstance(hooks, Hooks):
            raise TypeError(f"MasterServer.hooks takes a Hooks, whose functions are the game, not {article(hooks)}")
        hooks.serve_in(self.thread)
        self._hooks = hooks

    @property
    def mssp(self) -> MsspVariables:
        """The variables that MUD listings get, by the names of the Mud Server Status Protocol; set at least "NAME".

        "PLAYERS" and "UPTIME" are added to each answer unless they are set here. PLAYERS is the number of sessions
        with a live link or, in a game that has not used sessions, of the admitted connections that have typed a
        line. Crawlers and visitors who have not logged in are not counted.

        Raises:
            TypeError: A value is neither a text nor a number nor a sequence of these.
        """
        return self._mssp

    @mssp.setter
    def mssp(self, variables: Mapping[str, Variable]) -> None:
        self.thread.check()
        self._mssp = MsspVariables(variables, self.thread)

    @property
    def connections(self) -> Connections:
        """The admitted connections: `len`, `in`, and iteration over a snapshot."""
        return self._connections

    @property
    def is_closing(self) -> bool:
        """Whether a shutdown or the hard path has begun."""
        return self._is_closing.is_set()

    def mssp_variables(self) -> Variables:
        """Return what MUD listings get now; a value that the game has set takes precedence."""
        variables: dict[str, Value] = dict(self._mssp.as_text())
        variables.setdefault("PLAYERS", self._count_players())
        variables.setdefault("UPTIME", self._began)
        return variables

    @enable_ki_protection
    def post(self, event: HookEvent) -> None:
        """Queue an event of the game's own; its hooks run in turn with all others. Never waits.

        Raises:
            Overloaded: `limits.posts` events are waiting already.
            TypeError: It is no event.
            ValueError: The event is one that only the driver can know of.
        """
        self.thread.check()
        if not isinstance(event, HookEvent):
            raise TypeError(f"MasterServer.post() takes an object of a HookEvent subclass, not {article(event)}")
        if isinstance(event, _DRIVERS_OWN):
            raise ValueError(f"{type(event).__name__} is the driver's to tell: post events of your own types")
        if self.dispatcher.is_cutting or self.dispatcher.is_dead:
            return
        if len(self._posts.waiting) >= self.limits.posts:
            raise Overloaded(f"{self.limits.posts} posted events are waiting: post less, or raise limits.posts")
        self._posts.waiting.append(event)
        self._posts.wake()

    @enable_ki_protection
    def daily(self, time: dt.time, function: TimerFunction, *, tz: dt.tzinfo | str | None = None) -> Timer:
        """Call a plain or async function every day when the clocks of a zone show a time, as an event of the server.

        Once for each date: when clocks are set back at that hour, the first time; when they jump over it, as they jump.
        A machine whose clock is set is noticed within the hour: no date comes twice, and one jumped over comes then.

        Args:
            time: The time of day; the first call is due when it next comes.
            function: As in `after`.
            tz: The zone, or its name, such as "Europe/Berlin"; None is the machine's own.

        Raises:
            ValueError: There is no such zone, or the time names one itself.
            TypeError: That is no time, or no function without arguments.
        """
        self.thread.check()
        if not isinstance(time, dt.time):
            raise TypeError(f"MasterServer.daily() takes a datetime.time, such as time(4, 30), not {article(time)}")
        check_function(function, "MasterServer.daily()")
        if time.tzinfo is not None:
            raise ValueError(f"{time!r} names a zone itself: leave it out there, and give it as tz")
        source = TimerSource(self.dispatcher)
        return DailyTimer(
            self.timers,
            Daily(time, zone_of(tz), self.wall_clock()),
            function,
            wall_clock=lambda: self.wall_clock(),
            deliver=source.deliver,
            ended=lambda timer: None,
        )

    @enable_ki_protection
    def record(self, folder: Path | None, *, most_bytes: int = SESSION, most_sessions: int = SESSIONS) -> None:
        """Write down what new connections send and are sent, from now on; those that are there stay as they are.

        What is typed hidden is not written down, nor what of telnet speaks of logins and passwords; all else is.
        `trio_mud.testing.replay` plays it again.
        A connection is recorded once something is typed, with what passed before.
        A file that cannot be written, or not fast enough, costs the recording of its connection and nothing else.

        Args:
            folder: Gets a file for each such connection, which only its owner may read. None: record no more new ones.
            most_bytes: Of each file; the rest of its session is not written down.
            most_sessions: Of those in which something is typed; later ones are not written down.

        Raises:
            OSError: There is no such folder, and it cannot be made.
        """
        self.thread.check()
        self._recorder = None
        if folder is not None:
            self._recorder = Recorder(Path(folder), self.repeats, most_bytes=most_bytes, most_sessions=most_sessions)
            self._recorders.append(self._recorder)

    @enable_ki_protection
    def start_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run work that may take long beside everything else; it ends with the server.

        Its failure is logged and costs nobody else.

        Raises:
            RuntimeError: The server does not serve; start work from a hook, on `Started` or later.
            TypeError: The work is no async function without arguments.
        """
        self.thread.check()
        self.run_work(work, lambda: " for the server", trio.CancelScope(), lambda: None)

    @enable_ki_protection
    def shutdown(self, text: str = "", *, within: float | None = None) -> None:
        """Close the doors, tell every connection, flush, run the disconnect hooks, and let `serve` return.

        Never waits; may be called from a hook. A second call changes nothing.

        Args:
            text: The last words to everybody; `texts.shutdown` if empty.
            within: Seconds until whoever is left is cut off; `limits.drain` if None.
        """
        self.thread.check()
        text = check_words(text, "MasterServer.shutdown()")
        if within is not None:
            check_seconds(within, "MasterServer.shutdown(within=)", may_be_infinite=True)
        if self.is_closing:
            return
        self._drain = trio.current_time() + (self.limits.drain if within is None else within)
        self._last_words = text or self.texts.shutdown
        if self._doors is not None:
            self._doors.close()
        self._is_closing.set()

    @enable_ki_protection
    def abort(self, *, within: float | None = None) -> None:
        """End the hard way: no last words, every link is cut, then the disconnect hooks run.

        A cancel from outside, an interrupt or an error that nobody can mend does the same. Never waits.

        Args:
            within: Seconds for everything that cleans up; `limits.cleanup` if None. A later call may only shorten it.
        """
        self.thread.check()
        last_moment = trio.current_time() + (self.limits.cleanup if within is None else within)
        self._farewell.deadline = min(self._farewell.deadline, last_moment)
        self.aborting.set()
        self._is_closing.set()
        self._posts.started.set()  # or `_receive_guests` would wait for a dead dispatcher
        if self._doors is not None:
            self._doors.close()

    @enable_ki_protection
    async def serve(
        self, listeners: Sequence[AnyListener], *, task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `shutdown`, a cancel, or an error that nobody can mend.

        `nursery.start(server.serve, listeners)` returns this server once it accepts.
        A server serves once.

        Args:
            listeners: Those of `open_tcp_listeners`, or any `trio.abc.Listener`. Taken over, and closed at the end.

        Raises:
            OSError: A listener failed for good.
            BaseException: Whatever came out of a hook as KeyboardInterrupt or SystemExit, or killed the dispatcher.
                In each case the connections have been ended, and their disconnect hooks have run if they could.
        """
        if self._is_serving:
            raise RuntimeError("a MasterServer serves once: make a new one")
        self._is_serving = True
        self.thread.enter()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._house, listeners, task_status, name="trio_mud house")
                try:
                    await self.closed.wait()
                finally:
                    if not self.closed.is_set():
                        self.abort()
        finally:
            if self._fatal is not None:
                raise self._fatal

    # The household of the dispatcher

    def functions_for(self, event: HookEvent) -> Sequence[HookFunction]:
        """What runs for an event: the game's functions, the network's own steps outermost."""
        try:
            functions = self._hooks.functions_for(type(event))
        except Exception as error:  # noqa: BLE001 - a registry of the game's own; the network's own steps must run
            self.hook_failed(event, self._hooks.functions_for, error)
            functions = ()
        if type(event) is Input:  # as most are
            return functions
        if isinstance(event, Connect):
            return (*functions, _decide)
        if isinstance(event, Disconnect):
            return (self._forget, *functions)
        if isinstance(event, Tick):
            return (_tick,)
        return functions

    def flush(self) -> None:
        """Send what was written, once for each connection."""
        if self.rendered:
            self.rendered.clear()
        while self._soiled:  # a flush may write: that something was dropped
            soiled, self._soiled = self._soiled, []
            for connection in soiled:
                try:
                    connection.flush()
                except BaseException as error:  # noqa: BLE001 - it costs this connection
                    connection.life.fail(error)

    def hook_failed(self, event: HookEvent, function: HookFunction, error: BaseException) -> None:
        """Log it, and tell whom it concerns. If it is on `Connect` it refuses, on `Started` it ends the server."""
        connection = attribute_of(event, "connection")
        if is_a(error, ConnectionEnded) and isinstance(connection, Connection) and connection.ending is not None:
            # Any peer can cause it: it hangs up.
            log_error(None, "a hook for %s gave up: %s", type(event).__name__, error, level=logging.DEBUG)
            return
        self.counters["hooks failed"] += 1
        if isinstance(event, Started) and self._fatal is None:  # raised by `serve`, with its traceback
            logger.critical("hook %s failed on Started: the server does not open", describe(function, error))
            self._fail(error)
            return
        if isinstance(event, Tick):
            self._log_failure("timer", event.function, error, partial(_of, event))
        else:
            self._log_failure("hook", function, error, partial(_of, event))
        too_slow = is_a(error, trio.TooSlowError)
        if interrupt_in(error) is not None:
            if isinstance(event, Connect):
                event.connection.turn_away(self._last_words or "", Cause.HOOK_FAILED)
        elif isinstance(event, Connect):
            text = self.texts.connect_too_slow if too_slow else self.texts.connect_failed
            event.connection.turn_away(text, Cause.HOOK_TOO_SLOW if too_slow else Cause.HOOK_FAILED)
        elif isinstance(event, Input):
            event.connection.tell(self.texts.command_too_slow if too_slow else self.texts.command_failed)

    def hook_late(self, event: HookEvent, function: HookFunction, took: float) -> None:
        """Warn that a function returned after its deadline. What it did stands, and it costs nothing."""
        self.counters["hooks late"] += 1
        named = f"hook {describe(function)}"
        self.repeats.log(
            logging.WARNING,
            f"{named} returned {took:.1f} s after it was called{guarded(partial(_of, event))}; "
            f"limits.hook_deadline is {self.limits.hook_deadline:g} s, and it was not cancelled: "
            f"run long work by start_soon(), give trio.to_thread.run_sync() abandon_on_cancel=True if its result "
            f"may be lost, and let trio.Cancelled pass",
            kind=(named, "late"),
            summary=f"{named} returned late",
        )

    def hook_returned_false(self, event: HookEvent, function: HookFunction) -> None:
        """Warn if it was meant to refuse a visitor: the result of a hook decides nothing."""
        if isinstance(event, Connect):
            named = f"hook {describe(function)}"
            self.repeats.log(
                logging.WARNING,
                f"{named} returned False{guarded(partial(_of, event))}, which refuses no one: "
                "call event.connection.refuse(text)",
                kind=(named, "returned False"),
                summary=f"{named} returned False",
            )

    def run_work(
        self,
        work: Callable[[], Awaitable[object]],
        whose: Callable[[], str],
        scope: trio.CancelScope,
        over: Callable[[], object],
    ) -> None:
        """Run a game's work in a scope of its owner's; `over` is called when it has ended."""
        check_function(work, "MasterServer.start_soon()", waits=True)
        if self._works is None:
            raise RuntimeError("the server does not serve: start work on `Started` or later")

        async def run() -> None:
            try:
                with scope:
                    await run_guarded(work, partial(self.work_failed, "work", work, whose))
            finally:
                over()
                del self._work[scope]
                if not self._work:
                    self._work_over.set()

        allow_interrupts(work)
        self._work[scope] = lambda: self.name_unfinished("work", work, guarded(whose))
        self._works.start_soon(run, name=f"work{guarded(whose)}")

    def name_unfinished(self, what: str, function: object, whose: str) -> None:
        """Log that code of the game goes on after its cancellation; only the end of the process can end it."""
        named = f"{what} {describe(function)}"
        self.repeats.log(
            logging.ERROR,
            f"{named}{whose} was cancelled and does not end: let trio.Cancelled pass, "
            "which `except BaseException` and a bare `except` catch",
            kind=(named, "unfinished"),
            summary=f"{named} does not end",
        )

    def work_failed(self, what: str, function: object, whose: Callable[[], str], error: BaseException) -> None:
        """A script or other work of the game raised: log it; an interrupt stops the server.

        Args:
            what: "dialog", "work".
            function: Which was called.
            whose: Returns " of" and its owner.
            error: What it raised.
        """
        if (interrupt := interrupt_in(error)) is not None:
            self.hook_interrupted(interrupt)
        self._log_failure(what, function, error, whose)

    def _log_failure(self, what: str, function: object, error: BaseException, context: Callable[[], str]) -> None:
        """Log it: an exit that the game asked for as one line, all else with its traceback, and not again and again."""
        sole = unwrap_single(error)
        if is_a(sole, SystemExit):
            code = describe_value(attribute_of(sole, "code"))
            logger.critical("%s %s called sys.exit(%s): the server stops", what, describe(function, sole), code)
        elif is_a(sole, KeyboardInterrupt):
            logger.critical("%s %s was interrupted: the server stops", what, describe(function, sole))
        else:
            log_failure(self.repeats, what, function, error, context)

    def hook_interrupted(self, error: BaseException) -> None:
        """A KeyboardInterrupt or SystemExit came out of the game's code: end, and raise it at the very end.

        An exit is a decision of the game, so it shuts down and players read the last words. An interrupt ends at once.
        """
        if not is_a(unwrap_single(error), SystemExit):
            self._fail(error)
            return
        if self._fatal is None:
            self._fatal = error
        self.shutdown()

    # The household of the connections

    def make_engine(self, *, is_secure: bool = False) -> TelnetEngine:
        """A telnet engine as this server's options and limits want it; its offers wait to be sent.

        An encrypted link is not compressed: lengths would tell what is in it (the attack called CRIME).
        """
        options = self._uncompressed_options if is_secure else self._options
        return TelnetEngine(options, line_limit=self.limits.line, subnegotiation_limit=self.limits.subnegotiation)

    def soil(self, connection: Connection) -> None:
        """Something was written: flush at the end of the batch, or soon if none is running."""
        self._soiled.append(connection)
        if not self.dispatcher.in_batch:
            self._must_flush.set()

    def admit(self, connection: Connection) -> None:
        """It passed the connect hook: it is on the list now."""
        self.counters["admitted"] += 1
        self._connections.add(connection)
        logger.debug("%s (#%d) was admitted from %s", connection.name, connection.number, connection.address)

    def typed_first(self, connection: Connection) -> None:
        """It typed its first line, so it is a player and no scanner: now its visit is worth a line in the log."""
        logger.info("%s (#%d) came in from %s", connection.name, connection.number, connection.address)

    def handshake(self, connection: Connection) -> AbstractContextManager[None]:
        """Count a handshake while it runs."""
        return self._admission.handshake(connection)

    def locate(self, connection: Connection, *, is_named: bool) -> bool:
        """Its PROXY header is read, if one was due, so that its address is certain now."""
        return self._admission.locate(connection, is_named=is_named)

    def start_sibling(self, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Run a task beside the connection's own, which waits for it before it ends."""
        assert self._siblings is not None, "the task that waits for it is in there"
        self._siblings.start_soon(work, name=name)

    def release(self, connection: Connection) -> None:
        """Its input or its life has ended: it no longer counts for its address."""
        self._admission.release(connection)

    def leave(self, connection: Connection) -> None:
        """Its transport is closed; its disconnect event may still wait for its turn."""
        del self._guests[connection.number]
        self._admission.leave(connection)

    def _forget(self, event: Disconnect) -> None:
        """The network's own step, first on `Disconnect`: it is off the list before any other function runs."""
        connection = event.connection
        self._connections.discard(connection)
        self.counters[f"{event.reason.value}: {event.cause}"] += 1
        log = logger.info if connection.inbox.has_typed else logger.debug
        log("%s (#%d) left: %s (%s)", connection.name, connection.number, event.reason.value, event.cause)

    # The house

    @enable_ki_protection
    async def _house(self, listeners: Sequence[AnyListener], task_status: trio.TaskStatus[MasterServer]) -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as services:
                self._works = services
                try:
                    await self._serve_guests(services, listeners, task_status)
                finally:
                    self._works = None  # a closed nursery takes no work
                self._is_over = True
                self.dispatcher.stop()
                services.cancel_scope.cancel(reason="everything is handled")
                self.handled.set()
                await self._work_ends()
            if not self._is_over:
                self._service_failed("a task", RuntimeError("code of the game has cancelled the server's own tasks"))
            for recorder in self._recorders:
                await recorder.aclose()
        self._connections.clear()  # only a dead dispatcher leaves anything here
        self.repeats.flush()
        self.closed.set()

    @enable_ki_protection
    async def _serve_guests(
        self,
        services: trio.Nursery,
        listeners: Sequence[AnyListener],
        task_status: trio.TaskStatus[MasterServer],
    ) -> None:
        polling = () if self.poller is None else (self.poller.run,)
        for service in (self.dispatcher.run, self._flush_what_was_written, self.timers.run, self._reap, *polling):
            services.start_soon(self._run_service, service, name=f"trio_mud {service.__name__}")
        async with trio.open_nursery() as self._siblings:
            guests = self._siblings
            self._doors = Doors(
                listeners,
                self.limits,
                is_welcome=self._admission.accept,
                welcome=partial(self._welcome, guests),
                count=self._count,
            )
            if self.is_closing:
                self._doors.close()
            await self._receive_guests(self._doors, partial(task_status.started, self))
        self._must_be_closing("the connections' tasks")
        await self._say_farewell()

    @enable_ki_protection
    async def _run_service(self, service: Callable[[], Awaitable[object]]) -> None:
        """A service that raises or returns takes the server with it, the graceful way it still can."""
        await run_guarded(service, partial(self._service_failed, service.__name__))
        if not self._is_over and self._fatal is None:
            self._service_failed(service.__name__, RuntimeError("it has returned"))
        if service == self._reap and self._siblings is not None:  # which would have ended the connections
            self._siblings.cancel_scope.cancel(reason="the server must stop")

    def _service_failed(self, name: str, error: BaseException) -> None:
        log_error(error, "the server must stop: %s has ended", name, level=logging.CRITICAL)
        self._fail(error)

    def _must_be_closing(self, what: str) -> None:
        """What has just ended ends only in a shutdown or on the hard path; if this is neither, it was cancelled."""
        if not self.is_closing:
            self._service_failed(what, RuntimeError("code of the game has cancelled the server's own tasks"))

    @enable_ki_protection
    async def _receive_guests(self, doors: Doors, opened: Callable[[], None]) -> None:
        self._posts.waiting.insert(0, Started(self))
        self._posts.wake()
        await self._posts.started.wait()  # nobody is accepted into a world that is not ready
        try:
            await doors.stand_open(opened if self._fatal is None else _nothing)
        except Exception as error:  # noqa: BLE001 - raised again at the end of `serve`
            self._fail(unwrap_single(error))
        self._must_be_closing("accepting connections")

    def _welcome(self, guests: trio.Nursery, transport: Transport) -> None:
        number = next(self._numbers)
        try:
            if self._recorder is None:
                connection = Connection(self, transport, number)
            else:
                connection = self._recorder.connect(self, transport, number)
        except Exception as error:  # noqa: BLE001 - an option or a clock of the game's: it costs this visitor
            self.counters["handshakes failed"] += 1
            log_error(error, "guest-%d could not be let in", number)
            guests.start_soon(run_guarded, transport.aclose_forcefully, lambda error: None)
            return
        self._guests[connection.number] = connection
        self._admission.arrive(connection)
        if self.aborting.is_set():
            connection.life.abort()
        elif self._last_words is not None:
            connection.quit(self._last_words, cause=Cause.SHUTDOWN)
        guests.start_soon(connection.life.run, name=connection.name)

    @enable_ki_protection
    async def _flush_what_was_written(self) -> None:
        """Flush what is written outside a dispatcher's batch."""
        while True:
            await self._must_flush.wait()
            self._must_flush = trio.Event()
            self.flush()

    @enable_ki_protection
    async def _reap(self) -> None:
        """End every connection since accept, listed or not: gracefully first, hard when it must be."""
        await self._is_closing.wait()
        if not self.aborting.is_set():
            self.timers.at(self._drain, self.abort)
            text = self._last_words or ""
            await self._in_slices(lambda guest: guest.quit(text, cause=Cause.SHUTDOWN), until=self.aborting)
        await self.aborting.wait()
        await self._in_slices(lambda guest: guest.life.abort())
        await trio.sleep_forever()

    async def _in_slices(self, act: Callable[[Connection], object], until: trio.Event | None = None) -> None:
        for count, guest in enumerate(list(self._guests.values()), 1):
            if until is not None and until.is_set():
                return
            try:
                act(guest)
            except Exception as error:  # noqa: BLE001 - it costs this connection
                guest.life.fail(error)
            if count % self.limits.batch == 0:
                await trio.lowlevel.checkpoint()

    async def _say_farewell(self) -> None:
        """The guests are gone: what they left is handled, within one deadline; what is then left is cut."""
        self.timers.stop()
        with self._farewell as farewell:
            farewell.deadline = min(farewell.deadline, trio.current_time() + self.limits.cleanup)
            await self.dispatcher.drained()
            self.sessions.close()
            await self.dispatcher.drained()
        if self.dispatcher.is_working:
            self.dispatcher.cut()
            with trio.move_on_after(_NAMED_AFTER):
                await self.dispatcher.drained()
            for event, function in self.dispatcher.waiting():
                self.name_unfinished("hook", function, guarded(partial(_of, event)))
            await self.dispatcher.drained()
        if len(self.sessions):
            self.sessions.close()
            await self.dispatcher.drained()

    async def _work_ends(self) -> None:
        """Wait for the game's work, which is cancelled, and name what does not end."""
        if self._work:
            self._work_over = trio.Event()
            with trio.move_on_after(_NAMED_AFTER, shield=True):
                await self._work_over.wait()
            for name in list(self._work.values()):
                name()

    def _fail(self, error: BaseException) -> None:
        if self._fatal is None:
            self._fatal = error
        self.abort()

    def _count(self, what: str) -> None:
        self.counters[what] += 1

    def _count_players(self) -> int:
        if self.sessions.are_used:
            return sum(session.connection is not None for session in self.sessions)
        return sum(connection.inbox.has_typed for connection in self._connections)

    @property
    def _home(self) -> HomeThread:
        return self.thread

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        source = TimerSource(self.dispatcher)
        return Timer(self.timers, delay, function, period=period, deliver=source.deliver, ended=lambda timer: None)


def _nothing() -> None:
    """The doors never opened, so that is not said."""


def _of(event: HookEvent) -> str:
    """What an event is about, as the log says it: ` for Input of guest-1 (#1), typed 'look'`."""
    told = f" for {type(event).__name__}"
    connection, session = getattr(event, "connection", None), getattr(event, "session", None)
    if isinstance(connection, Connection):
        told += f" of {connection.name} (#{connection.number})"
    elif session is not None:
        told += f" of {session!r}"
    if isinstance(event, Input):
        told += f", typed {'hidden' if event.connection.is_line_secret else typed(event.line)}"
    return told


def _decide(event: Connect) -> None:
    event.connection.decide()


def _tick(event: Tick) -> object:
    return event.function()
