"""The record of a run: every hook event in dispatch order, and observations after every step of every task.

`harness` fills it, and `invariants` read it. Observations inside the driver are made only through `inside`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from ...driver.connection.connection import Connection
from ...driver.connection.events import (
    Admitted,
    ClientReady,
    Connect,
    Disconnect,
    EchoRefused,
    GmcpMessage,
    Input,
    Interrupt,
    MsdpMessage,
    ResumeRequested,
    WindowSize,
)
from ...driver.core.events import Cause, Reason
from ...driver.core.hooks import FIRST, LAST, Hooks
from ...driver.core.turns import Source
from ...driver.server.events import Started
from ...driver.server.server import MasterServer
from ...driver.sessions.events import LinkLost, SessionEnded, SessionRestored, SessionResumed, SessionStarted
from ...driver.sessions.session import Session
from ...origins import origin_of
from ...telnet.options.mssp import PLAIN_REQUEST
from ..tasks import every_task
from . import inside
from .determinism import Steps
from .doors import TELNET
from .plan import KNOWN, RunPlan
from .players import SimulatedPlayer
from .reload_trace import ReloadTrace
from .staff_trace import StaffTrace
from .stay_trace import StayTrace
from .storage_trace import StorageTrace, WorldState
from .world_trace import WorldTrace

if TYPE_CHECKING:
    from ...driver.sessions.registry import Sessions

PATIENCE = 12.0  # seconds, above the duration of any event or ending in any plan
_GUEST = re.compile(r"(?:rest-writer of )?guest-(\d+)")
NEVER_THERE = (
    "handshakes failed",
    "closed by rate",
    "health checks",
    "requests answered",
)  # counters of what raises no event

OBSERVED = (
    Started,
    Connect,
    Admitted,
    Input,
    WindowSize,
    ClientReady,
    GmcpMessage,
    MsdpMessage,
    ResumeRequested,
    Interrupt,
    EchoRefused,
    Disconnect,
    SessionStarted,
    LinkLost,
    SessionResumed,
    SessionEnded,
)


@dataclass(slots=True)
class Happening:
    """One hook event, as seen by the first function of its hook.

    Attributes:
        at: Virtual time.
        over_at: The time at which its last function had run; None while one waits.
        listed: True if its connection was on the server's list.
        ending: The decided ending of its connection.
        session: The session of its connection.
    """

    at: float
    event: Any
    listed: bool = False
    ending: Cause | None = None
    session: Session | None = None
    over_at: float | None = None

    @property
    def kind(self) -> str:
        """The name of the event's type."""
        return type(self.event).__name__

    @property
    def connection(self) -> Connection | None:
        """The connection of the event, if it has one."""
        found = getattr(self.event, "connection", None)
        return found if isinstance(found, Connection) else None

    def as_text(self) -> str:
        """Return a text that is equal in every process."""
        if (connection := self.connection) is not None:
            text = f"{self.kind} {connection.number}"
            if isinstance(self.event, Input):
                return f"{text} {self.event.line!r}"
            return f"{text} {self.event.cause}" if isinstance(self.event, Disconnect) else text
        if (session := getattr(self.event, "session", None)) is not None:
            return f"{self.kind} {session.key!r}"
        return self.kind


@dataclass(slots=True)
class Watched:
    """The observations of one connection.

    Attributes:
        decisions: Every observed ending, and its time.
        taken: Its lines in the order they were handled, by hooks or dialogs.
        said: Numbered lines written by the game and accepted by the driver.
        may_skip: True if lines may be dropped although it goes on: a hidden question or a dialog failed.
        most_lines: Maximum number of lines in its inbox; `most_bytes`, of bytes in long lines; `most_unread`, of
            unparsed bytes; and `most_unsent`, of bytes in its outbox.
        had_tail: True if its link kept text for a return by token.
        unread: Current number of unparsed bytes in its inbox; it last changed at `parsed_at`.
        robbed: True if another connection took over its session, which drops its lines.
        guests: Number of connections when it connected, including itself.
        ended_in_dialog: True if it was in a dialog when its ending was decided, which drops its lines.
        hidings: Number of times the game hid its input or showed it again.
    shows: Numbers of the connections whose lines its player may show; empty for its own.
    """

    connection: Connection
    decisions: list[tuple[float, Cause]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    may_skip: bool = False
    was_listed: bool = False
    most_lines: int = 0
    most_bytes: int = 0
    most_unread: int = 0
    unread: int = 0
    parsed_at: float = 0.0
    most_unsent: int = 0
    had_tail: bool = False
    robbed: bool = False
    hidings: int = 0
    shows: set[int] = field(default_factory=set)
    in_dialog: bool = False
    ended_in_dialog: bool = False
    guests: int = 0


class Trace:
    """The record of one run; of a game with records, of one life of it.

    Attributes:
        plan: The plan of the run.
        server: The server.
        players: In the order of connecting.
        happenings: Every hook event in dispatch order.
        watched: Every connection since accept, by number.
        log: The log records, each with its traceback.
        faults: Violations observed when they happened, with their invariants.
        fired: Number of times each action succeeded.
        closing_at: The time at which a shutdown or the hard path began; `aborting_at`: the hard path.
        closed_at: The time at which everything had ended.
        quiescence: The observations at the end of the quiet period, in words; empty if the run ended before.
        tasks_left: Tasks at the very end, beyond those at the beginning.
        raised: The exception raised by `serve`.
        storage: The record of its store; None for games without records.
        judge: Yields what is wrong with kept rows, for a game that knows.
        judge_step: Yields what is wrong with the way from one moment of the world to the next.
        stays: The record of who plays which character; None for games without characters.
        reload: The record of the versions of its code; None for games that are not reloaded.
        staff: The record of its staff; None for games without operations.
        world: The record of its world; None for games without things.
        accepted_at: The time at which each connection was accepted, by its number.
        returned: The returns of clients by a token, by the number of the new connection.
        continued: The number of the connection that entered the same session before, by the number of the new one.
        after_restart: The record of the next life of the game; None if there is none.
        services: The number of its services.
        continuing: The connections that continue a session of an earlier world, by number: they have no connect event.
        cut_refusals: The numbers of the connections of a gateway whose world refused them while it was stopped hard.
    """

    def __init__(self, plan: RunPlan, server: MasterServer) -> None:
        self.plan = plan
        self.server = server
        self.steps: Steps | None = None
        self.players: list[SimulatedPlayer] = []
        self.by_address: dict[str, SimulatedPlayer] = {}
        self.happenings: list[Happening] = []
        self.watched: dict[int, Watched] = {}
        self.log: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.fired: Counter[str] = Counter()
        self.closing_at: float | None = None
        self.aborting_at: float | None = None
        self.closed_at: float | None = None
        self.drain: float = plan.limits.shutdown_timeout
        self.was_cut = False
        self.calm_at: float | None = None
        self.tasks_left = 0
        self.raised: BaseException | None = None
        self.stuck: BaseException | None = None
        self.operated_at: float | None = None
        self.storage: StorageTrace | None = None
        self.judge: Callable[[WorldState], Iterable[str]] = lambda kept: ()
        self.judge_step: Callable[[WorldState, WorldState], Iterable[str]] = lambda before, after: ()
        self.after_restart: Trace | None = None
        self.stays: StayTrace | None = None
        self.reload: ReloadTrace | None = None
        self.staff: StaffTrace | None = None
        self.world: WorldTrace | None = None
        self.most_posts = 0
        self.sharing: set[Connection] = set()  # connections that entered a session which they may share
        self.returned: dict[int, inside.Returned] = {}  # by number of the new connection
        self.continued: dict[int, int] = {}
        self.accepted_at: dict[int, float] = {}
        self.numbers = range(1, 1_000_000)  # of its connections
        self.services = 0
        self.continuing: dict[int, Connection] = {}
        inside.on_continue(server, self._goes_on)
        self.cut_refusals: set[int] = set()
        self._guests: dict[int, int] = {}  # how many there were when a connection was accepted, by its number
        self._failed_at: dict[int, float] = {}  # when connections ended in their handshakes, by their numbers
        self._turns: defaultdict[Source, Counter[int]] = defaultdict(Counter)
        inside.on_put(server, self._begins_to_wait)
        self._passed = 0  # deadlines that expired in the current step
        inside.on_deadline(server, self._passes)
        inside.on_enter(server, self.sharing.add, self._enters)
        self._links: dict[Session, tuple[Connection, ...]] = {}
        self._newest: dict[Session, int] = {}  # number of the last connection that entered each session
        self._origins: dict[Session, str] = {}  # origin of the last connection of each session
        self._busy: dict[Hashable, Happening] = {}

    @property
    def game_is_known(self) -> bool:
        """True if the game writes only numbered lines."""
        return self.plan.game in KNOWN

    def fault(self, invariant: str, text: str) -> None:
        """Record a violation that is visible now."""
        if len(self.faults) < 20:
            self.faults.append((invariant, f"{text} (at {trio.current_time():g} s)"))

    def player_of(self, connection: Connection) -> SimulatedPlayer | None:
        """Return the player at the other end."""
        return self.by_address.get(connection.address)

    # Reported by the harness

    def meet(self, player: SimulatedPlayer) -> None:
        """Register a player that is about to connect."""
        self.players.append(player)
        self.by_address[player.address] = player
        if player.door == TELNET:  # by another door, close frames and alerts go out at the end
            player.pipe.server.on_send = partial(self._server_sends, player)
            player.pipe.server.on_put = partial(self._bytes_go, player)

    def sends_to(self, address: str) -> None:
        """Check a layer that is given something to send to a player."""
        player = self.by_address.get(address)
        if player is not None:
            self._server_sends(player)

    def comes_back(self, connection: Connection, returned: inside.Returned) -> None:
        """Register that a client returns by a token, and the text that was sent to its session."""
        self.returned[connection.number] = returned

    def operate(self) -> None:
        """Record the time at which the operator acts."""
        self.operated_at = trio.current_time()

    def keep_calm(self) -> None:
        """Check the state that must hold after a long time without new faults."""
        self.calm_at = trio.current_time()
        server = self.server
        admitted = {h.connection for h in self.happenings if h.kind == "Admitted"} | {*self.continuing.values()}
        gone = {h.connection for h in self.happenings if h.kind == "Disconnect"}
        if set(server.connections) != {c for c in admitted - gone if c is not None}:
            self.fault("I-15", "the list differs from the admitted connections that have not ended")
        for happening in self._busy.values():
            if happening.at < self.calm_at - PATIENCE:
                self.fault("I-19", f"after the calm {happening.as_text()} is still not over")
        living = [connection.number for connection in inside.guests(server)]
        for task in every_task():
            found = _GUEST.fullmatch(task.name)
            if found is not None and int(found[1]) in self.numbers and int(found[1]) not in living:
                self.fault("I-14", f"the task {task.name!r} has outlived its connection")
        for connection in inside.guests(server):
            if inside.is_in_handshake(connection):
                if self._failed_at.get(connection.number, self.calm_at) < self.calm_at - PATIENCE:
                    self.fault("I-14", f"{connection.name} has not passed its handshake, and is still here")
                continue
            has_waited = connection.idle_seconds > PATIENCE and inside.waiting(connection)[0]
            if has_waited and connection.ending is None and connection.dialog is None:
                self.fault("I-17", f"lines of {connection.name} wait, and none of them is handled")
            watched = self.watch(connection)
            is_stuck = watched.unread and watched.parsed_at < self.calm_at - PATIENCE
            if is_stuck and connection.ending is None and not inside.waiting(connection)[0]:
                self.fault("I-17", f"{watched.unread} bytes of {connection.name} wait, and none of them is parsed")
            if connection.ending is not None and self.watch(connection).decisions[-1][0] < self.calm_at - PATIENCE:
                self.fault("I-14", f"{connection.name} has ended by {connection.ending} long ago, and is still here")
        accepted, counters = server.counters["accepted"], server.counters
        refused = sum(n for word, n in counters.items() if word.startswith("refused: "))
        vanished = sum(counters[word] for word in NEVER_THERE)
        if accepted != refused + counters["admitted"] + vanished + self._at_the_door():
            self.fault("I-26", f"{accepted} accepted, but {refused} refused and {counters['admitted']} admitted")
        if self.storage is not None and self.storage.is_failing:
            self.fault("I-19", "the disk works again, and saving still fails")
        if self.stays is not None:
            for text in self.stays.at_rest(self.calm_at - PATIENCE):
                self.fault("I-27", text)
        if self.reload is not None:
            for text in self.reload.at_rest():
                self.fault("I-28", text)
        if self.staff is not None:
            for text in self.staff.at_rest():
                self.fault("I-30", text)

    def _at_the_door(self) -> int:
        happened = (h.connection for h in self.happenings if h.kind == "Connect")
        guests = inside.guests(self.server)
        in_handshake = sum(inside.is_in_handshake(one) and inside.is_without_outcome(one) for one in guests)
        return in_handshake + sum(one is not None and inside.is_undecided(one) for one in happened)

    def _server_sends(self, player: SimulatedPlayer) -> None:
        for watched in self.watched.values():
            connection = watched.connection
            if connection.address == player.address:
                if connection.ending is not None and connection.ending.reason is Reason.LINKDEATH:
                    self.fault(
                        "I-13", f"{connection.name} was written to after its link had died ({connection.ending})"
                    )
                if connection._inbox.is_gone:
                    self.fault("I-5", f"{connection.name} was written to after its disconnect event")

    def _bytes_go(self, player: SimulatedPlayer) -> None:
        """Check bytes put into the pipe: after the link's loss, only a piece being sent at that moment may follow."""
        for watched in self.watched.values():
            if watched.connection.address == player.address and watched.decisions:
                at, ending = watched.decisions[-1]
                if ending.reason is Reason.LINKDEATH and at < trio.current_time():
                    self.fault("I-13", f"bytes for {watched.connection.name} went out after its link had died")

    # Reported by the hooks

    def hooks_around(self, game: Hooks) -> Hooks:
        """Return the game's hooks between our first and last functions."""
        hooks = Hooks()
        # Sessions are restored only for a game with a function for that.
        observed = (*OBSERVED, SessionRestored) if game.functions_for(SessionRestored) else OBSERVED
        for kind in observed:
            hooks.on(kind, order=FIRST)(self._begins)
        hooks.include(game)
        for kind in observed:
            hooks.on(kind, order=LAST)(self._is_over)
        return hooks

    def _begins(self, event: Any) -> None:
        happening = Happening(trio.current_time(), event)
        connection = happening.connection
        if connection is not None:
            happening.listed = connection in self.server.connections
            happening.ending = connection.ending
            happening.session = connection.session
            watched = self.watch(connection)
            self._see_ending(watched)
            if isinstance(event, Input):
                watched.taken.append(event.line)
            self._count_turn(connection)
        if self.stays is not None and isinstance(event, SessionRestored):
            self.stays.restore(event.session)
        whose: Hashable = connection if connection is not None else getattr(event, "session", None)
        if isinstance(whose, Session):
            whose = ("key", whose.key)
        if (other := self._busy.get(whose)) is not None and whose is not None:
            self.fault("I-4", f"{happening.as_text()} began while {other.as_text()} was not over")
        self._busy[whose] = happening
        self.happenings.append(happening)
        if self.steps is not None:
            self.steps.note(happening.as_text())

    def _is_over(self, event: Any) -> None:
        whose: Hashable = getattr(event, "connection", None)
        if whose is None and (session := getattr(event, "session", None)) is not None:
            whose = ("key", session.key)
        happening = self._busy.pop(whose, None)
        if happening is not None:
            happening.over_at = trio.current_time()
        if self.stays is not None and isinstance(event, SessionEnded):
            self.stays.end(event.session)

    def _enters(self, session: Session) -> None:
        connection = session.connection
        assert connection is not None, "it has just entered"
        if session in self._newest:
            self.continued[connection.number] = self._newest[session]
        self._newest[session] = connection.number
        if self.stays is not None:
            self.stays.begin(session)

    def _goes_on(self, connection: Connection, session: Session) -> None:
        self.continuing[connection.number] = connection
        self.sharing.add(connection)  # perhaps with others, as in the earlier world

    def _count_turn(self, connection: Connection) -> None:
        """For each queued connection, count the events of every other connection that came first."""
        for other in self.server.connections:
            if other is not connection and other._inbox.is_queued:
                turns = self._turns[other._inbox]
                turns[connection.number] += 1
                if turns[connection.number] > 1:
                    self.fault("I-17", f"{connection.name} had two events while {other.name} stood in line")

    def _begins_to_wait(self, source: Source) -> None:
        self._turns[source].clear()

    def _passes(self) -> None:
        self._passed += 1

    # Reported by the game

    def said(self, connection: Connection, line: str, accepted: bool) -> None:
        """Record a numbered line written by the game."""
        if accepted:
            if connection.ending is not None:
                self.fault("I-5", f"a write to {connection.name} was taken after its ending")
            self.watch(connection).said.append(line)

    def took(self, connection: Connection, line: str) -> None:
        """Record a line received by a dialog."""
        if line.upper() != PLAIN_REQUEST:  # at a hidden question it is an ordinary answer; the invariants leave it out
            self.watch(connection).taken.append(line)

    # Reported by the driver's methods

    def hides_input(self, connection: Connection) -> None:
        """Record that the game hid its input or showed it again."""
        self.watch(connection).hidings += 1

    # Observed after steps

    def watch(self, connection: Connection) -> Watched:
        """Return the observations of a connection."""
        watched = self.watched.get(connection.number)
        if watched is None:
            watched = self.watched[connection.number] = Watched(connection)
        elif watched.connection is not connection:
            self.fault("I-15", f"number {connection.number} was given twice")
        return watched

    def after_step(self) -> None:
        """Check everything that must hold after every step of every task."""
        server = self.server
        if self._passed > server.limits.batch_size:
            self.fault("I-17", f"{self._passed} deadlines passed before any other source had a turn")
        self._passed = 0
        if self.closing_at is None and server.is_closing:
            self.closing_at = trio.current_time()
        if self.aborting_at is None and server._aborting.is_set():
            self.aborting_at = trio.current_time()
        if server._context.dispatcher.is_cutting:
            self.was_cut = True
        guests = inside.guests(server)
        for connection in guests:
            self.accepted_at.setdefault(connection.number, trio.current_time())
            count = self._guests.setdefault(connection.number, len(guests))
            if inside.is_in_handshake(connection):
                if connection.ending is not None:
                    self._failed_at.setdefault(connection.number, trio.current_time())
                continue
            watched = self.watch(connection)
            watched.guests = count
            self._see_ending(watched)
            lines, size, unread, unsent = inside.waiting(connection)
            watched.most_lines = max(watched.most_lines, lines)
            watched.most_bytes = max(watched.most_bytes, size)
            watched.most_unread = max(watched.most_unread, unread)
            if unread != watched.unread:
                watched.unread, watched.parsed_at = unread, trio.current_time()
            watched.most_unsent = max(watched.most_unsent, unsent)
            watched.had_tail = watched.had_tail or inside.has_tail(connection)
        self._see_list(server)
        self._see_sessions(server.sessions)
        self._see_link_dead(server.sessions)
        self.most_posts = max(self.most_posts, inside.posts(server))
        if self.storage is not None:
            self.storage.after_step()
        if self.stays is not None and self.storage is not None and self.storage.is_open:
            for text in self.stays.after_step():
                self.fault("I-27", text)
        if self.reload is not None and self.storage is not None and self.storage.is_open:
            for text in self.reload.after_step():
                self.fault("I-28", text)
        if self.staff is not None and self.storage is not None and self.storage.is_open:
            self.staff.after_step()
        if self.world is not None and self.storage is not None and self.storage.is_open:
            is_quiet = self.operated_at is None or self.plan.operator == "nobody"
            for number, text in self.world.after_step(
                len(self.storage.moments), is_serving=is_quiet and self.closing_at is None
            ):
                self.fault(number, text)

    def _see_ending(self, watched: Watched) -> None:
        ending = watched.connection.ending
        was_in_dialog, watched.in_dialog = watched.in_dialog, watched.connection.dialog is not None
        last = watched.decisions[-1][1] if watched.decisions else None
        if ending is last:
            return
        if ending is None:
            self.fault("I-3", f"{watched.connection.name} had ended by {last}, and lives again")
            return
        if last is not None and not (ending.reason is Reason.REFUSED and not watched.was_listed):
            self.fault("I-3", f"{watched.connection.name} had ended by {last}, and then by {ending}")
        watched.ended_in_dialog = was_in_dialog or watched.in_dialog
        watched.decisions.append((trio.current_time(), ending))
        if self.staff is not None:
            self.staff.ended(watched.connection)

    def _see_list(self, server: MasterServer) -> None:
        counters = server.counters
        ended = sum(n for word, n in counters.items() if word.startswith(("quit: ", "linkdeath: ")))
        listed = len(server.connections)
        if counters["admitted"] != listed + ended and not server._context.dispatcher.is_dead:
            self.fault("I-26", f"{counters['admitted']} admitted, but {listed} listed and {ended} ended")
        refused = sum(n for word, n in counters.items() if word.startswith("refused: "))
        gone = sum(counters[word] for word in NEVER_THERE)
        decided = counters["admitted"] + refused + gone
        if counters["accepted"] != decided + inside.undecided(server):
            self.fault(
                "I-26", f"{counters['accepted']} accepted, {decided} decided, {inside.undecided(server)} not yet"
            )
        for connection in server.connections:
            watched = self.watch(connection)
            watched.was_listed = True
            if connection.is_refused and not any(
                h.connection is connection and h.kind == "Admitted" for h in self.happenings
            ):
                self.fault("I-6", f"{connection.name} was refused and is on the list")

    def _see_link_dead(self, sessions: Sessions) -> None:
        limits = self.plan.limits
        # Sessions of an earlier world all wait at first, however many there are.
        idle = [session for session in sessions if not session.connections and session in self._origins]
        waiting = Counter(self._origins[session] for session in idle)
        if limits.max_link_dead is not None and waiting.total() > limits.max_link_dead:
            self.fault("I-11", f"{waiting.total()} sessions wait for their players")
        for origin, count in waiting.items():
            if limits.max_link_dead_per_address is not None and count > limits.max_link_dead_per_address:
                self.fault("I-11", f"{count} sessions from {origin} wait for their players")

    def _see_sessions(self, sessions: Sessions) -> None:
        for session in sessions:
            links = session.connections
            before = self._links.get(session, ())
            if links != before:
                self._links[session] = links
                if links:
                    self._origins[session] = origin_of(links[-1].address)
                for link in before:
                    if link not in links:
                        self.watch(link).robbed = True
            if not self.sharing.issuperset(links[1:]):  # the first may have entered without sharing
                self.fault("I-21", f"{session!r} has {len(links)} owners")
            for old in session._old_connections:
                if not old._inbox.is_busy:
                    self.fault("I-19", f"{session!r} waits for {old.name}, of which no event runs")
            for link in links:
                if link.session is not session:
                    self.fault("I-21", f"{link.name} serves {link.session!r}, and {session!r} says that it serves it")
