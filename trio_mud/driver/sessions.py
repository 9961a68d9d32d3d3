"""Sessions: one player's stay in the game, which outlives a dead link and takes up the next connection.

Theory of operation
-------------------
A session is known by its *key*, a name or an account; at any moment at most one stay has a key.
Whoever enters a key starts a stay, resumes a link-dead one, or meets a living one, by policy.
Everything is decided inside `enter`, `leave`, the end of a `Disconnect`, and the end of the grace,
all of them steps between two checkpoints: who comes first in the dispatcher's order wins, and nothing can race.

The events of a key are queued under the key, not under the stay,
so the `Left` of one stay precedes the `Entered` of the next.
A connection that serves a session waits for the session's queued and running events before its own next one,
so `Entered` or `Resumed` precede its next `Input`.

A connection's `Disconnect` comes first and at once, session or not.
When its last function has run the session learns of it:
a quit ends the stay (`Left`); a link death suspends it (`LinkLost`),
until somebody returns (`Resumed`) or the grace is over (`Left`).
After a takeover the old connection belongs to nobody, and its `Disconnect` says nothing of the session.
"""

from __future__ import annotations

import enum
import math
import secrets
from collections.abc import Awaitable, Callable, Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from ..errors import BadToken, ConnectionEnded, KeyTaken, LocalProtocolError
from ..text import Text
from .dispatcher import Source
from .events import Cause, Entered, HookEvent, Left, LinkLost, Reason, Resumed
from .timers import Deadline, Timer, TimerFunction, TimerOwner, tick_of

if TYPE_CHECKING:
    from .connection import Connection
    from .server import MasterServer

TOKEN_BYTES: Final = 16  # 128 bits: not to be guessed


class Duplicate(enum.Enum):
    """What a second connection for a living session does."""

    TAKE_OVER = enum.auto()
    """It takes the session; the first is told and ends, cause `TAKEOVER`."""
    REFUSE = enum.auto()
    """`enter` raises `KeyTaken`; nothing changes."""
    SHARE = enum.auto()
    """Both serve the session: what it writes goes to both. No event says so."""


class _Key(Source):
    """All events of one key, in order, also across successive stays."""

    __slots__ = ("_forget", "waiting")

    def __init__(self, server: MasterServer, forget: Callable[[], object]) -> None:
        super().__init__(server.dispatcher)
        self.waiting: list[HookEvent | Timer] = []
        self._forget = forget

    def post(self, event: HookEvent | Timer) -> None:
        """Queue an event."""
        self.waiting.append(event)
        self.wake()

    def has_event(self) -> bool:
        return bool(self.waiting)

    def take_event(self) -> HookEvent | None:
        event = self.waiting.pop(0)
        return tick_of(event) if isinstance(event, Timer) else event

    def event_over(self, event: HookEvent) -> None:
        if not self.waiting:
            self._forget()


class Session(TimerOwner):
    """One stay. Made by `Sessions.enter`.

    Attributes:
        server: The server it belongs to.
        key: What it is known by.
        body: The game's own object for it. Yours to set.
        ending: Why it is over; None while it lasts.
    """

    __slots__ = (
        "_connections",
        "_expiry",
        "_grace",
        "_lost",
        "_missed",
        "_missed_size",
        "_source",
        "_timers",
        "_token",
        "_works",
        "awaited",
        "body",
        "ending",
        "is_leaving",
        "key",
        "server",
    )

    def __init__(self, server: MasterServer, key: Hashable, source: _Key, grace: float) -> None:
        self.server = server
        self.key = key
        self.body: object = None
        self.ending: Cause | None = None
        self._source = source
        self._grace = grace
        self._connections: list[Connection] = []
        self._expiry: Deadline | None = None  # while its link is dead
        self._missed: list[Text] | None = None  # what was written to nobody, for the return
        self._missed_size = 0
        self._lost = 0  # texts of it that were too many
        self._timers: dict[Timer, None] | None = None
        self._works: dict[trio.CancelScope, None] | None = None
        self._token = ""
        self.is_leaving = False
        self.awaited: list[Connection] = []  # old links, for whose events in flight `Resumed` waits

    def __repr__(self) -> str:
        return f"<Session {self.key!r}>"

    @property
    def connection(self) -> Connection | None:
        """The connection that serves it, the newest of several; None while its link is dead."""
        return self._connections[-1] if self._connections else None

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All that serve it, the oldest first."""
        return tuple(self._connections)

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line, or keep it for the return, up to `limits.replay` bytes.

        Returns:
            False if nobody will read it: the session is over, or every connection dropped it.
        """
        if self.ending is not None:
            return False
        arrives = [connection.write(text) for connection in self._connections]
        if any(arrives):
            return True
        if not all(connection.life.is_link_dead for connection in self._connections):
            return False
        self._keep(text)
        return True

    @enable_ki_protection
    def leave(self, text: str = "") -> None:
        """End the stay: its connections quit, and `Left` follows their `Disconnect`, or comes at once without one.

        Args:
            text: The last words to whoever is connected.
        """
        self.is_leaving = True  # also if a link is found to be dead before it has quit
        if not self._connections:
            self.server.sessions.finish(self, Cause.ASKED)
        for connection in list(self._connections):
            connection.quit(text)

    @enable_ki_protection
    def resume_token(self, *, lifetime: float = 3600.0) -> str:
        """A secret that lets one connection resume this session once; an earlier one is void.

        Args:
            lifetime: Seconds after which it is void.
        """
        return self.server.sessions.give_token(self, lifetime)

    @enable_ki_protection
    def start_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run work that may take long; it ends with the session, and its failure is logged and costs nobody else."""
        if self.ending is not None:
            return
        if self._works is None:
            self._works = {}
        works, scope = self._works, trio.CancelScope()
        works[scope] = None
        self.server.run_work(work, f"work of session {self.key!r}", scope, partial(works.pop, scope, None))

    # What the registry tells it

    @property
    def is_unsettled(self) -> bool:
        """Whether an event of it is queued or running, or is still to be queued."""
        return bool(self._source.waiting) or self._source.is_busy or bool(self.awaited)

    @property
    def source(self) -> Source:
        """Where its events come from."""
        return self._source

    def post(self, event: HookEvent) -> None:
        """Queue an event of this session."""
        self._source.post(event)

    def link(self, connection: Connection) -> None:
        """This connection serves it from now on; what was missed is sent."""
        self._connections.append(connection)
        connection.session = self
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        missed, self._missed = self._missed, None
        if missed is not None:
            if self._lost:
                connection.tell(self.server.texts.missed.replace("{count}", str(self._lost)))
            for text in missed:
                connection.write(text)
        self._lost = self._missed_size = 0

    def unlink(self, connection: Connection) -> None:
        """This connection serves it no more."""
        self._connections.remove(connection)
        connection.session = None
        connection.inbox.wake()

    def suspend(self, expire: Callable[[], None]) -> None:
        """Its link is dead: what is written is kept, for as long as the grace lasts."""
        if self._grace < math.inf:
            self._expiry = self.server.timers.at(trio.current_time() + self._grace, expire)
        self.post(LinkLost(self))

    def end(self, cause: Cause) -> None:
        """It is over, with all that belongs to it."""
        self.ending = cause
        if self._expiry is not None:
            self._expiry.cancel()
        for timer in list(self._timers or ()):
            timer.cancel()
        for scope in list(self._works or ()):
            scope.cancel(reason="the session is over")
        self._missed = None
        self.post(Left(self, cause.reason, cause))

    def _keep(self, text: Text) -> None:
        """Keep a text for the return; of too many the oldest go."""
        if self._missed is None:
            self._missed = []
        limit = self.server.limits.replay
        self._missed.append(text)
        self._missed_size += _size_of(text)
        while self._missed and self._missed_size > limit:
            self._missed_size -= _size_of(self._missed.pop(0))
            self._lost += 1

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        if self._timers is None:
            self._timers = {}
        timers = self._timers

        def forget(timer: Timer) -> None:
            timers.pop(timer, None)

        timer = Timer(self.server.timers, delay, function, period=period, deliver=self._source.post, ended=forget)
        timers[timer] = None
        if self.ending is not None:
            timer.cancel()
        return timer


class Sessions:
    """The sessions of one server, by key."""

    def __init__(self, server: MasterServer) -> None:
        self._server = server
        self._by_key: dict[Hashable, Session] = {}
        self._sources: dict[Hashable, _Key] = {}
        self._tokens: dict[str, tuple[Session, float]] = {}  # and when it is void, on trio's clock

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_key.values()))

    def get(self, key: Hashable) -> Session | None:
        """The stay that has this key now, linked or not."""
        return self._by_key.get(key)

    @enable_ki_protection
    def enter(
        self,
        key: Hashable,
        connection: Connection,
        *,
        body: object = None,
        grace: float | None = None,
        on_duplicate: Duplicate = Duplicate.TAKE_OVER,
    ) -> Session:
        """Start a stay, resume a link-dead one, or meet a living one by policy. Never waits.

        `Entered` or `Resumed` follows, before the connection's next `Input`.
        A stay whose only connection is quitting ends first, and a new one begins.

        Args:
            key: Of the player: a name, an account; anything hashable.
            connection: An admitted one that serves no session yet.
            body: The game's object for a new stay; one that goes on keeps its own.
            grace: Seconds that a new stay waits after a link death; `limits.grace` if None, `math.inf` for ever.
            on_duplicate: What to do if the stay is linked.

        Raises:
            ConnectionEnded: The connection's disconnect event has been handled, or is being handled.
            LocalProtocolError: It was not admitted, or serves a session already.
            KeyTaken: The stay is linked, and the policy is `REFUSE`.
            ValueError: The grace is negative.
        """
        self._check(connection, grace)
        session = self._by_key.get(key)
        if session is not None and session.connections and all(map(_is_quitting, session.connections)):
            self._end_quitting(session)
            session = None
        if session is None:
            session = self._begin(key, self._server.limits.grace if grace is None else grace)
            session.body = body
            event: HookEvent | None = Entered(session)
        elif not session.connections:
            event = Resumed(session)
        elif on_duplicate is Duplicate.REFUSE:
            raise KeyTaken(f"{key!r} is in the game already: ask its player first, or take over")
        elif on_duplicate is Duplicate.SHARE:
            event = None
        else:
            self._take_from_all(session)
            event = Resumed(session)
        session.link(connection)
        if event is not None and not session.awaited:
            session.post(event)
        return session

    @enable_ki_protection
    def resume(self, token: str, connection: Connection) -> Session:
        """Enter the session that gave this token, taking over if it is linked. The token is void then.

        Raises:
            BadToken: It is void.
            ConnectionEnded, LocalProtocolError: As for `enter`; the token stays good.
        """
        self._check(connection, None)
        session, void_at = self._tokens.pop(token, (None, 0.0))
        if session is None or session.ending is not None or trio.current_time() >= void_at:
            raise BadToken("this token is void: log in")
        return self.enter(session.key, connection)

    # What sessions and connections tell

    def give_token(self, session: Session, lifetime: float) -> str:
        """A new token for a session, instead of the one it had."""
        self._tokens.pop(session._token, None)
        if session.ending is not None:
            raise BadToken(f"the session of {session.key!r} is over: nobody can resume it")
        session._token = token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens[token] = (session, trio.current_time() + lifetime)
        return token

    def event_over(self, connection: Connection) -> None:
        """An event has run of a connection that was taken over meanwhile: `Resumed` waited for that."""
        heir, connection.heir = connection.heir, None
        if heir is None or connection not in heir.awaited:
            return
        heir.awaited.remove(connection)
        if not heir.awaited and heir.ending is None and heir.connections:
            heir.post(Resumed(heir))
        for link in heir.connections:
            link.inbox.wake()

    def link_ended(self, connection: Connection) -> None:
        """The last function of its `Disconnect` has run."""
        session = connection.session
        if session is None:
            return
        cause = connection.ending
        assert cause is not None
        session.unlink(connection)
        if session.connections:
            return  # others share it
        if cause.reason is Reason.QUIT:
            self.finish(session, cause)
        elif session.is_leaving:
            self.finish(session, Cause.ASKED)
        else:
            session.suspend(partial(self._expire, session))

    def finish(self, session: Session, cause: Cause) -> None:
        """The stay is over. A second call changes nothing."""
        if session.ending is None:
            del self._by_key[session.key]
            self._tokens.pop(session._token, None)
            session.end(cause)

    def close(self) -> None:
        """The server ends: every stay is over."""
        for session in self:
            for connection in session.connections:
                session.unlink(connection)
            self.finish(session, Cause.SHUTDOWN)

    # Steps

    def _check(self, connection: Connection, grace: float | None) -> None:
        if connection.inbox.is_gone:
            reason = None if connection.ending is None else connection.ending.reason
            raise ConnectionEnded(f"{connection.name} has left and cannot enter", reason)
        if connection not in self._server.connections:
            raise LocalProtocolError(f"{connection.name} was not admitted: enter from `Admitted` or later")
        if connection.session is not None:
            raise LocalProtocolError(f"{connection.name} serves {connection.session!r} already: leave that first")
        if grace is not None and not grace >= 0:
            raise ValueError(f"a grace is a number of seconds, 0 or more, not {grace!r}")

    def _begin(self, key: Hashable, grace: float) -> Session:
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Key(self._server, partial(self._forget_key, key))
        session = self._by_key[key] = Session(self._server, key, source, grace)
        return session

    def _end_quitting(self, session: Session) -> None:
        causes = [connection.ending for connection in session.connections]
        for connection in session.connections:
            session.unlink(connection)
        self.finish(session, causes[-1] or Cause.ASKED)

    def _take_from_all(self, session: Session) -> None:
        """The old links end, and their typed lines are nobody's, also those of a link already dead."""
        for old in session.connections:
            session.unlink(old)
            old.quit(self._server.texts.taken_over, cause=Cause.TAKEOVER)
            old.inbox.drop_lines()
            if old.inbox.is_busy:  # never two hooks of one player at once
                session.awaited.append(old)
                old.heir = session

    def _expire(self, session: Session) -> None:
        self.finish(session, Cause.EXPIRED)

    def _forget_key(self, key: Hashable) -> None:
        if key not in self._by_key:
            self._sources.pop(key, None)


def _size_of(text: Text) -> int:
    """Bytes that a text and its line end take; so even nothing is not free."""
    return len(str(text).encode(errors="replace")) + 2


def _is_quitting(connection: Connection) -> bool:
    return connection.ending is not None and connection.ending.reason is Reason.QUIT
