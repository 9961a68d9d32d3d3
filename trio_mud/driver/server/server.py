"""The master server: the public interface of a server, which creates all its parts.

`task_tree` has the tasks and their end, `hook_host` chooses the functions to run and reports their failures.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import Overloaded, ReloadFailed
from ...limits import Limits
from ...telnet import DEFAULT_OPTIONS, Option, TelnetEngine
from ...telnet.options import Mccp2, Mccp3, Mssp
from ...telnet.options.mssp import Value, Variables
from ...texts import Texts
from ...transports import Transport
from ...transports.poller import Poller
from ..connection.connection import Connection, Connections
from ..connection.events import Admitted, Connect, Disconnect, Input
from ..core.calendar import Daily
from ..core.checks import article, check_function, check_seconds, check_words, check_work
from ..core.context import Context
from ..core.dispatcher import Dispatcher
from ..core.events import HookEvent
from ..core.failures import RepeatLimiter
from ..core.guard import Args
from ..core.hooks import Hooks
from ..core.queue_source import QueueSource
from ..core.schedule import Schedule, daily_at
from ..core.scheduled import ScheduledTimers
from ..core.service import Service, check_service
from ..core.thread import HomeThread
from ..core.timers import DailyTimer, Tick, Timer, TimerFunction, TimerOwner, Timers
from ..link.bans import Bans
from ..link.base import LinkHost
from ..link.guarded import GuardedLink
from ..link.telnet import TelnetLink
from ..recording.recorder import SESSION, SESSIONS, Recorder
from ..recording.recording import RESERVED
from ..sessions.events import LinkLost, SessionEnded, SessionRestored, SessionResumed, SessionStarted
from ..sessions.registry import Sessions
from .acceptor import AnyListener
from .events import Reloaded, Started
from .hook_host import HookHost
from .mssp import MsspVariables, Variable
from .operator import OperatorCommands
from .task_tree import TaskTree

logger = logging.getLogger("trio_mud")

_DRIVERS_OWN = (
    Started,
    Reloaded,
    Connect,
    Admitted,
    Input,
    Disconnect,
    SessionStarted,
    SessionRestored,
    LinkLost,
    SessionResumed,
    SessionEnded,
    Tick,
)


class ServerSettings(TypedDict, total=False):
    """The keyword arguments of `MasterServer`, where they are documented, for functions that pass them on."""

    limits: Limits | None
    texts: Texts | None
    world: object
    options: Iterable[Option]
    services: Iterable[Service]
    wall_clock: Callable[[], float]


class MasterServer(TimerOwner):
    """Handles all incoming connections of one game. It uses no global state: one process can run several servers.

    Args:
        hooks: The game's functions.
        limits: Every bound and deadline.
        texts: Every sentence that the driver sends to players.
        world: The game's own object, which its functions find as `server.world`.
        options: The telnet options to support; `Mssp` is added unless they are empty.
        services: Parts of the game that run as long as the server does. They are started in this order before
            `Started` is queued and before the first connection is accepted, and closed in reverse order after the
            last event.
        wall_clock: Returns the time of day for `daily`, in seconds since 1970.

    Attributes:
        limits: The limits it was created with.
        texts: The sentences it was created with.
        world: The game's own object. A game may set it.
        wall_clock: Returns the time of day for `daily` and for recordings. A test may replace it.
        counters: The number of occurrences by kind, such as "accepted" or "refused: full". A game may add its own.
        sessions: The sessions of players, by key.
        operator_commands: Called with a `ConsoleOperator` and a line, for each command on the console that the console
            does not answer itself; returns an awaitable, or None. None at first; a game may set it.
    """

    def __init__(
        self,
        hooks: Hooks,
        *,
        limits: Limits | None = None,
        texts: Texts | None = None,
        world: object = None,
        options: Iterable[Option] = DEFAULT_OPTIONS,
        services: Iterable[Service] = (),
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value, kind in (("limits", limits, Limits), ("texts", texts, Texts)):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name}= takes a {kind.__name__}, such as {kind.__name__}(), not {article(value)}")
        services = tuple(services)
        for service in services:
            check_service(service)
            if (attach := getattr(service, "attach_server", None)) is not None:
                attach(self)
        self._thread = HomeThread()
        self.limits = limits or Limits()
        self.texts = texts or Texts()
        self.world = world
        self.wall_clock: Callable[[], float] = wall_clock
        self.counters: Counter[str] = Counter()
        self._scheduled = ScheduledTimers(lambda: self.hooks, self._start_scheduled, self)
        self.operator_commands: OperatorCommands | None = None
        self._host = HookHost(self._checked(hooks))
        timers = Timers(self.limits.batch_size, self._thread)
        self._context = Context(
            self.limits,
            self.texts,
            self.counters,
            timers,
            RepeatLimiter(timers, self.limits.log_interval),
            Dispatcher(self._host, self.limits),
            lambda: self.wall_clock(),
        )
        self._mssp = MsspVariables({"NAME": "A trio_mud", "CODEBASE": "trio_mud"}, self._thread)
        self._options = tuple(options)
        if self._options and not any(isinstance(option, Mssp) for option in self._options):
            self._options = (Mssp(self._mssp_variables), *self._options)
        self._uncompressed_options = tuple(option for option in self._options if not isinstance(option, Mccp2 | Mccp3))
        self._make_engine()  # an invalid option raises here, and not for each connection
        self._began = int(time.time())  # for display only
        self.sessions = Sessions(self)
        poller = Poller(max(1, self.limits.batch_size // 2)) if Poller.is_possible() else None
        self._bans = Bans()
        self._tree = TaskTree(
            self._context,
            self._host,
            self.sessions,
            poller,
            services,
            self._bans,
            connect=self._connect,
            post_started=self._post_started,
            close_recordings=self._close_recordings,
        )
        self._link_host = LinkHost(
            self._context,
            poller,
            self._host.mark_dirty,
            self._tree.start_sibling,
            self._make_engine,
            self._mssp_variables,
            rendered={},
            after_flush=[],
            bans=self._bans,
        )
        self._host.attach(
            self._context,
            self._tree,
            self._link_host.rendered,
            self._link_host.after_flush,
            self._scheduled.begin,
        )
        self._recorder: Recorder | None = None
        self._recorders: list[Recorder] = []  # the current and the earlier ones
        self._numbers = itertools.count(1)
        self._posts = QueueSource(self._context.dispatcher)
        self._reload: Callable[[], Awaitable[Reloaded]] | None = None  # set by what has loaded the game by its name

    # For games

    @property
    def hooks(self) -> Hooks:
        """The game's functions. Set it to replace them between two events.

        A function of `Hooks.every` or `Hooks.daily` that the new hooks have with the same name and schedule keeps its
        timer; the timers of all others end.

        Raises:
            TypeError: The new value is not a `Hooks`.
        """
        return self._host.hooks

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        self._thread.check()
        self._host.hooks = self._checked(hooks)
        self._scheduled.update()

    @property
    def mssp(self) -> MsspVariables:
        """The variables for MUD listings, by the names of the Mud Server Status Protocol; set at least "NAME".

        "PLAYERS" and "UPTIME" are added to each answer unless they are set here. PLAYERS is the number of sessions
        with a live link or, in a game that has not used sessions, of the admitted connections that have typed a
        line. Crawlers and peers that have not logged in are not counted.

        Raises:
            TypeError: A value is neither a `str` nor a number nor a sequence of these.
        """
        return self._mssp

    @mssp.setter
    def mssp(self, variables: Mapping[str, Variable]) -> None:
        self._thread.check()
        self._mssp = MsspVariables(variables, self._thread)

    @property
    def connections(self) -> Connections:
        """The admitted connections: `len`, `in`, and iteration over a snapshot."""
        return self._host.connections

    @property
    def is_closing(self) -> bool:
        """True if a shutdown or the hard path has begun."""
        return self._tree.is_closing

    @property
    def _aborting(self) -> trio.Event:
        """Set once the hard path is taken."""
        return self._tree.aborting

    @property
    def _handled(self) -> trio.Event:
        """Set when all events are handled, and only the game's own work remains to be ended."""
        return self._tree.handled

    @property
    def closed(self) -> trio.Event:
        """Set when all tasks have ended and `serve` is about to return."""
        return self._tree.closed

    def _mssp_variables(self) -> Variables:
        """Return the current variables for MUD listings; a value that the game has set takes precedence."""
        variables: dict[str, Value] = dict(self._mssp.as_text())
        variables.setdefault("PLAYERS", self._count_players())
        variables.setdefault("UPTIME", self._began)
        return variables

    @enable_ki_protection
    def post(self, event: HookEvent) -> None:
        """Queue an event of the game's own; its hooks run in turn with all others. Never waits.

        Raises:
            Overloaded: `limits.max_posts` events are waiting already.
            TypeError: `event` is not a `HookEvent`.
            ValueError: Only the driver may queue events of this type.
        """
        self._thread.check()
        if not isinstance(event, HookEvent):
            raise TypeError(f"MasterServer.post() takes an object of a HookEvent subclass, not {article(event)}")
        if isinstance(event, _DRIVERS_OWN):
            raise ValueError(f"only the driver queues {type(event).__name__} events: post events of your own types")
        if self._context.dispatcher.is_cutting or self._context.dispatcher.is_dead:
            return
        if len(self._posts.waiting) >= self.limits.max_posts:
            raise Overloaded(f"{self.limits.max_posts} posted events are waiting: post less, or raise limits.max_posts")
        self._posts.put(event)

    @enable_ki_protection
    def daily(self, time: dt.time, function: TimerFunction, *, tz: dt.tzinfo | str | None = None) -> Timer:
        """Call a plain or async function every day at a local time, as an event of the server.

        The call is due once for each date. If daylight saving time (DST) makes the time occur twice, the first one
        counts; if DST skips it, the call is due at the jump. If the machine's clock is set, that is noticed within
        an hour: no date comes twice, and a date that was skipped comes then.

        Args:
            time: The time of day; the first call is due when it next occurs.
            function: As in `after`.
            tz: The time zone or its name, such as "Europe/Berlin"; None is the machine's own.

        Raises:
            ValueError: There is no such zone, or `time` has a zone itself.
            TypeError: `time` is not a `datetime.time`, or the function takes arguments.
        """
        self._thread.check()
        where = "MasterServer.daily()"
        schedule = daily_at(time, tz, where)
        check_function(function, where)
        return self._start_scheduled(schedule, function)

    @enable_ki_protection
    async def reload(self) -> Reloaded:
        """Import the code of the game again and exchange it between two events; return what was exchanged.

        The game goes on with the old code until the exchange, and the caller's event is finished by it. Then
        `Reloaded` is handled. Cancelled before the exchange, it changes nothing. Success and failure are logged.

        Raises:
            ReloadFailed: The new code cannot take over, and nothing has changed; or the server was not started by the
                name of a game, as `trio-mud run MODULE:NAME` does.
        """
        self._thread.check()
        try:
            return await self._reload_logged()
        except ReloadFailed as error:  # INFO, since the caller handles it; otherwise its hook's failure is logged, too
            logger.info("the game was not reloaded, and the old code goes on: %s", error)
            raise

    @enable_ki_protection
    def record(self, folder: Path | None, *, most_bytes: int = SESSION, most_sessions: int = SESSIONS) -> None:
        """Record the input and output of new connections from now on. Existing connections are not affected.

        Hidden input and the telnet options that carry logins and passwords are left out; all else is recorded.
        `trio_mud.testing.replay` replays a recording.
        A recording begins with the first bytes, but a file is created only once something is typed.
        If a file cannot be written, or not fast enough, that recording ends and the connection goes on.

        Args:
            folder: The folder for one file for each connection, readable by its owner only. None stops recording new
                connections.
            most_bytes: The greatest size of a file in bytes; the rest of its session is not recorded.
            most_sessions: The greatest number of connections recorded; later ones are not recorded.

        Raises:
            OSError: The folder does not exist and cannot be created.
        """
        self._thread.check()
        self._recorder = None
        if folder is not None:
            self._recorder = Recorder(
                Path(folder), self._context.repeats, most_bytes=most_bytes, most_sessions=most_sessions
            )
            self._recorders.append(self._recorder)

    @enable_ki_protection
    def ban(self, network: str, text: str = "", *, seconds: float = math.inf) -> None:
        """Refuse new connections from a network, or replace its ban. Existing connections are not affected.

        Connect functions still run and see the refusal. Gateways of a server in several processes refuse the
        connections themselves.

        Args:
            network: An address or a network in CIDR notation, such as "192.0.2.0/24".
            text: The text that the visitor reads; `texts.refused` if empty.
            seconds: How long. Bans are not stored: repeat them on `Started`, as `Operations` does for its own.

        Raises:
            ValueError: It is no network.
        """
        self._thread.check()
        text = check_words(text, "MasterServer.ban()")
        seconds = check_seconds(seconds, "MasterServer.ban(seconds=)", may_be_infinite=True)
        self._bans.add(network, text, seconds)

    @enable_ki_protection
    def unban(self, network: str) -> None:
        """Lift the ban of a network, if there is one.

        Raises:
            ValueError: It is no network.
        """
        self._thread.check()
        self._bans.remove(network)

    @enable_ki_protection
    def start_soon(self, async_fn: Callable[[*Args], Awaitable[object]], *args: *Args, name: str | None = None) -> None:
        """Run an async function in the background; it is cancelled when the server ends.

        A failure is logged and has no other effect.

        Args:
            async_fn: The function to run.
            args: Its arguments.
            name: The name of its task, for debuggers.

        Raises:
            RuntimeError: The server is not running; start work from a hook, on `Started` or later.
            TypeError: `async_fn` is not an async function that accepts these arguments.
        """
        self._thread.check()
        check_work(async_fn, "MasterServer.start_soon()", args)
        self._tree.run_work(async_fn, args, lambda: " for the server", trio.CancelScope(), lambda: None, name)

    @enable_ki_protection
    def shutdown(self, text: str = "", *, within: float | None = None) -> None:
        """Stop accepting, quit every connection with a text, run the disconnect hooks, and make `serve` return.

        Never waits; may be called from a hook. A second call has no effect.

        Args:
            text: The last words for all players; `texts.shutdown` if empty.
            within: Seconds until the remaining connections are cut; `limits.shutdown_timeout` if None.
        """
        self._thread.check()
        text = check_words(text, "MasterServer.shutdown()")
        if within is not None:
            check_seconds(within, "MasterServer.shutdown(within=)", may_be_infinite=True)
        self._tree.shutdown(text or self.texts.shutdown, self.limits.shutdown_timeout if within is None else within)

    @enable_ki_protection
    def abort(self, *, within: float | None = None) -> None:
        """Take the hard path: cut every link without last words, then run the disconnect hooks. Never waits.

        A cancel from outside, an interrupt and an unrecoverable error do the same.

        Args:
            within: Seconds for all cleanup; `limits.cleanup_timeout` if None. A later call may only shorten it.
        """
        self._thread.check()
        self._tree.abort(within)

    @enable_ki_protection
    async def serve(
        self, listeners: Sequence[AnyListener], *, task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `shutdown`, a cancel, or an unrecoverable error.

        `nursery.start(server.serve, listeners)` returns this server once it accepts.
        A server serves only once.

        Args:
            listeners: Those of `open_tcp_listeners`, or any `trio.abc.Listener`. The server takes ownership and closes
                them at the end.

        Raises:
            OSError: A listener failed permanently.
            BaseException: A hook raised KeyboardInterrupt or SystemExit, or the dispatcher died.
                In each case all connections were ended, and their disconnect hooks have run if possible.
        """
        await self._tree.serve(listeners, partial(task_status.started, self))

    # For the parts of the server

    @enable_ki_protection
    async def _try_reload(self) -> None:
        """Reload the game; log what was exchanged, or why nothing was."""
        try:
            await self._reload_logged()
        except ReloadFailed as error:
            logger.error("the game was not reloaded, and the old code goes on: %s", error, exc_info=error.__cause__)  # noqa: TRY400 - its cause has the traceback

    async def _reload_logged(self) -> Reloaded:
        """Reload the game, and log what was exchanged; the caller logs a failure."""
        if self._reload is None:
            raise ReloadFailed("only a game that was started by its name can be reloaded: trio-mud run MODULE:NAME")
        was_shown = logger.isEnabledFor(logging.INFO)
        done = await self._reload()
        if was_shown or logger.isEnabledFor(logging.INFO):  # a reload that sets a higher level does not hide itself
            text = "the game was reloaded: %d modules, %d records, in %.0f ms"
            values = (len(done.modules), done.records, done.seconds * 1000)
            logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, text, values, None))
        return done

    def _connect(self, transport: Transport) -> Connection:
        """Create the connection of an accepted transport, with its own kind of link if it has one, or else telnet."""
        number = next(self._numbers)
        if (make_link := getattr(transport, "make_link", None)) is not None:
            link_of_game = GuardedLink(make_link(self._link_host), self.limits.cleanup_timeout)
            connection = Connection(self, link_of_game, number)
            if (continuation := getattr(transport, "continues", None)) is not None:
                self.sessions._restoring.expect(connection, continuation)
            return connection
        recording = None
        if self._recorder is not None:
            recording = self._recorder.record(transport, number, self.wall_clock())
        if recording is None:
            return Connection(self, TelnetLink(self._link_host, transport), number)
        link = TelnetLink(self._link_host, recording, is_compressible=False, reserved=RESERVED)
        connection = Connection(self, link, number)
        recording.attach(connection, link)
        return connection

    def _post_started(self) -> None:
        """Queue `Started` before all other events."""
        self._posts.put_first(Started(self))

    async def _close_recordings(self) -> None:
        """Wait until recordings are written to their files, within a time limit."""
        for recorder in self._recorders:
            await recorder.aclose()

    def _make_engine(self, *, is_secure: bool = False) -> TelnetEngine:
        """Return a new telnet engine with this server's options and limits; its offers are not sent yet.

        An encrypted link is not compressed: the length would reveal the content (CRIME, CVE-2012-4929).
        """
        options = self._uncompressed_options if is_secure else self._options
        return TelnetEngine(
            options, line_limit=self.limits.max_line, subnegotiation_limit=self.limits.max_subnegotiation
        )

    def _checked(self, hooks: Hooks) -> Hooks:
        if not isinstance(hooks, Hooks):
            raise TypeError(f"a server takes a Hooks, whose functions are the game, not {_not_hooks(hooks)}")
        hooks._serve_in(self._thread, self._scheduled)
        return hooks

    def _count_players(self) -> int:
        if self.sessions._are_used:
            return sum(session.connection is not None for session in self.sessions)
        return sum(connection._inbox.has_typed for connection in self.connections)

    @property
    def _clock(self) -> Timers:
        return self._context.timers

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        source = QueueSource(self._context.dispatcher)
        return Timer(self._context.timers, delay, function, period=period, deliver=source.put, ended=lambda timer: None)

    def _start_scheduled(self, schedule: Schedule, function: TimerFunction) -> Timer:
        if schedule.time is None:
            assert schedule.period is not None
            return self._start_timer(schedule.period, function, schedule.period)
        source = QueueSource(self._context.dispatcher)
        return DailyTimer(
            self._context.timers,
            Daily(schedule.time, schedule.zone, self.wall_clock()),
            function,
            wall_clock=lambda: self.wall_clock(),
            deliver=source.put,
            ended=lambda timer: None,
        )


def _not_hooks(game: object) -> str:
    """Return the kind of what was given instead of a `Hooks`, and the remedy for a game with stored records."""
    if type(game).__name__ != "Game":  # of `trio_mud.world`, which the driver does not import
        return article(game)
    return "a Game; start it by `trio-mud run MODULE:NAME`, or pass the hooks and the world of `game.open`"
