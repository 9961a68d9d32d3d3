"""The master server: the face that a game sees, and the maker of everything behind it.

`task_tree` has the tasks and the ways to end, `hook_host` the functions that run and the reports of their failures.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import Overloaded
from ...limits import Limits
from ...telnet import DEFAULT_OPTIONS, Option, TelnetEngine
from ...telnet.options import Mccp2, Mccp3, Mssp
from ...telnet.options.mssp import Value, Variables
from ...texts import Texts
from ...transports import Transport
from ...transports.poller import Poller
from ..connection.connection import Connection, Connections
from ..connection.events import Admitted, Connect, Disconnect, Input
from ..core.calendar import Daily, zone_of
from ..core.checks import article, check_function, check_seconds, check_words
from ..core.context import Context
from ..core.dispatcher import Dispatcher
from ..core.events import HookEvent
from ..core.failures import RepeatLimiter
from ..core.hooks import Hooks
from ..core.queue_source import QueueSource
from ..core.service import Service
from ..core.thread import HomeThread
from ..core.timers import DailyTimer, Tick, Timer, TimerFunction, TimerOwner, Timers
from ..link.base import LinkHost
from ..link.telnet import TelnetLink
from ..recording.recorder import SESSION, SESSIONS, Recorder
from ..recording.recording import RESERVED
from ..sessions.events import Entered, Left, LinkLost, Resumed
from ..sessions.registry import Sessions
from .acceptor import AnyListener
from .events import Started
from .hook_host import HookHost
from .mssp import MsspVariables, Variable
from .task_tree import TaskTree

logger = logging.getLogger("trio_mud")

_DRIVERS_OWN = (Started, Connect, Admitted, Input, Disconnect, Entered, LinkLost, Resumed, Left, Tick)


class ServerSettings(TypedDict, total=False):
    """The keyword arguments of `MasterServer`, for functions that pass them on; it documents them."""

    limits: Limits | None
    texts: Texts | None
    world: object
    options: Iterable[Option]
    services: Iterable[Service]
    wall_clock: Callable[[], float]


class MasterServer(TimerOwner):
    """Handles all incoming connections of one game. No global state: several servers live in one process.

    Args:
        hooks: The game's functions.
        limits: Every bound and deadline.
        texts: Every sentence the driver itself says.
        world: The game's own object, for its functions to find as `server.world`.
        options: The telnet options it speaks, `Mssp` added; none at all if empty.
        services: Parts of the game that run as long as the server does. Started in this order before `Started` is
            queued and before the first connection is accepted, closed in reverse order after the last event.
        wall_clock: Tells the time of day to `daily`, in seconds since 1970.

    Attributes:
        sessions: The stays of players, by key.
        counters: How often what happened, by words such as "accepted" or "refused: full".
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
        self.thread = HomeThread()
        self.limits = limits or Limits()
        self.texts = texts or Texts()
        self.world = world
        self.wall_clock: Callable[[], float] = wall_clock
        self.counters: Counter[str] = Counter()
        self.host = HookHost(self._checked(hooks))
        timers = Timers(self.limits.batch, self.thread)
        self.context = Context(
            self.limits,
            self.texts,
            self.counters,
            timers,
            RepeatLimiter(timers, self.limits.log_interval),
            Dispatcher(self.host, self.limits),
            lambda: self.wall_clock(),
        )
        self._mssp = MsspVariables({"NAME": "A trio_mud", "CODEBASE": "trio_mud"}, self.thread)
        self._options = tuple(options)
        if self._options and not any(isinstance(option, Mssp) for option in self._options):
            self._options = (Mssp(self.mssp_variables), *self._options)
        self._uncompressed_options = tuple(option for option in self._options if not isinstance(option, Mccp2 | Mccp3))
        self.make_engine()  # raises here if an option is wrong, and not for each visitor
        self._began = int(time.time())  # for display only
        self.sessions = Sessions(self)
        poller = Poller(max(1, self.limits.batch // 2)) if Poller.is_possible() else None
        self.tree = TaskTree(self, self.context, self.host, poller, tuple(services))
        self.link_host = LinkHost(
            self.context,
            poller,
            self.host.mark_dirty,
            self.tree.start_sibling,
            self.make_engine,
            self.mssp_variables,
            rendered={},
        )
        self.host.attach(self.context, self.tree, self.link_host.rendered)
        self._recorder: Recorder | None = None
        self._recorders: list[Recorder] = []  # this one, and those before it
        self._numbers = itertools.count(1)
        self._posts = QueueSource(self.context.dispatcher)

    # What a game asks and says

    @property
    def hooks(self) -> Hooks:
        """The game's functions; may be exchanged, between two events.

        Raises:
            TypeError: What it is set to is no `Hooks`.
        """
        return self.host.hooks

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        self.thread.check()
        self.host.hooks = self._checked(hooks)

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
        return self.host.connections

    @property
    def is_closing(self) -> bool:
        """Whether a shutdown or the hard path has begun."""
        return self.tree.is_closing

    @property
    def aborting(self) -> trio.Event:
        """Set once the hard path is taken."""
        return self.tree.aborting

    @property
    def handled(self) -> trio.Event:
        """Set when all events are handled, and nothing is left but to end the game's own work."""
        return self.tree.handled

    @property
    def closed(self) -> trio.Event:
        """Set when everything is over and `serve` is about to return."""
        return self.tree.closed

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
        if self.context.dispatcher.is_cutting or self.context.dispatcher.is_dead:
            return
        if len(self._posts.waiting) >= self.limits.posts:
            raise Overloaded(f"{self.limits.posts} posted events are waiting: post less, or raise limits.posts")
        self._posts.put(event)

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
        source = QueueSource(self.context.dispatcher)
        return DailyTimer(
            self.context.timers,
            Daily(time, zone_of(tz), self.wall_clock()),
            function,
            wall_clock=lambda: self.wall_clock(),
            deliver=source.put,
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
            self._recorder = Recorder(
                Path(folder), self.context.repeats, most_bytes=most_bytes, most_sessions=most_sessions
            )
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
        self.tree.run_work(work, lambda: " for the server", trio.CancelScope(), lambda: None)

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
        self.tree.shutdown(text or self.texts.shutdown, self.limits.drain if within is None else within)

    @enable_ki_protection
    def abort(self, *, within: float | None = None) -> None:
        """End the hard way: no last words, every link is cut, then the disconnect hooks run.

        A cancel from outside, an interrupt or an error that nobody can mend does the same. Never waits.

        Args:
            within: Seconds for everything that cleans up; `limits.cleanup` if None. A later call may only shorten it.
        """
        self.thread.check()
        self.tree.abort(within)

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
        await self.tree.serve(listeners, partial(task_status.started, self))

    # What its parts call; not for games

    def connect(self, transport: Transport) -> Connection:
        """Make the connection of an accepted transport, and its link: telnet, unless the transport brings another."""
        number = next(self._numbers)
        if (make_link := getattr(transport, "make_link", None)) is not None:
            return Connection(self, make_link(self.link_host), number)
        recording = None
        if self._recorder is not None:
            recording = self._recorder.record(transport, number, self.wall_clock())
        if recording is None:
            return Connection(self, TelnetLink(self.link_host, transport), number)
        link = TelnetLink(self.link_host, recording, is_compressible=False, reserved=RESERVED)
        connection = Connection(self, link, number)
        recording.attach(connection, link)
        return connection

    def post_started(self) -> None:
        """Queue `Started` before all other events."""
        self._posts.put_first(Started(self))

    async def close_recordings(self) -> None:
        """Wait until recordings are in their files, but not for long."""
        for recorder in self._recorders:
            await recorder.aclose()

    def make_engine(self, *, is_secure: bool = False) -> TelnetEngine:
        """Return a telnet engine as this server's options and limits want it; its offers wait to be sent.

        An encrypted link is not compressed: lengths would tell what is in it (the attack called CRIME).
        """
        options = self._uncompressed_options if is_secure else self._options
        return TelnetEngine(options, line_limit=self.limits.line, subnegotiation_limit=self.limits.subnegotiation)

    def _checked(self, hooks: Hooks) -> Hooks:
        if not isinstance(hooks, Hooks):
            raise TypeError(f"MasterServer.hooks takes a Hooks, whose functions are the game, not {article(hooks)}")
        hooks.serve_in(self.thread)
        return hooks

    def _count_players(self) -> int:
        if self.sessions.are_used:
            return sum(session.connection is not None for session in self.sessions)
        return sum(connection.inbox.has_typed for connection in self.connections)

    @property
    def _clock(self) -> Timers:
        return self.context.timers

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        source = QueueSource(self.context.dispatcher)
        return Timer(self.context.timers, delay, function, period=period, deliver=source.put, ended=lambda timer: None)
