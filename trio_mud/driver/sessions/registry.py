"""The registry of sessions: a session is one player in the game, and outlives the loss of a connection.

Theory of operation
-------------------
A session is identified by its *key*, a name or an account. At any moment at most one session has a key.
A connection that enters a key starts a session, resumes a link-dead one, or meets a live one; a policy decides the
last case. Each change is made inside `enter`, `leave`, the end of a `Disconnect`, or the end of the grace.
All of these are steps between two checkpoints: the first in the dispatcher's order wins, and there are no races.

The events of a session are queued under its key, not under the session,
so the `SessionEnded` of one session precedes the `SessionStarted` of the next with that key.
A connection bound to a session waits for the session's queued and running events before its own next one,
so `SessionStarted` or `SessionResumed` precedes its next `Input`.

A connection's `Disconnect` comes first and at once, with or without a session.
The session is notified when the last function of `Disconnect` has run:
a quit ends the session (`SessionEnded`); a link death suspends it (`LinkLost`),
until the player returns (`SessionResumed`) or the grace is over (`SessionEnded`).
If too many sessions wait already, in total or from the address of the last connection, there is no grace
(`SessionEnded` at once). After a takeover the old connection is unbound, and its `Disconnect` does not affect the
session.
"""

from __future__ import annotations

import enum
import math
import secrets
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, InvalidToken, LocalProtocolError, SessionInUse
from ...origins import origin_of
from ...text.cleaning import exact
from ..core.checks import article, check_number, check_words
from ..core.events import Cause, HookEvent, Reason
from ..core.guard import describe_value
from .events import SessionResumed, SessionStarted
from .restoring import Restoring, SessionState, has_quit
from .resume import PresentedToken
from .session import FrozenKey, KeySource, Session

if TYPE_CHECKING:
    from ..connection.connection import Connection
    from .session import Server

TOKEN_BYTES: Final = 16  # 128 bits cannot be guessed


class Duplicate(enum.Enum):
    """The policy for a second connection that enters a live session."""

    TAKE_OVER = enum.auto()
    """The new connection takes the session; the old one receives `texts.taken_over` and ends, cause `TAKEOVER`."""
    REFUSE = enum.auto()
    """`enter` raises `SessionInUse`; nothing changes."""
    SHARE = enum.auto()
    """Both connections are bound to the session and receive its output. No event reports it."""


class Sessions:
    """The sessions of one server, by key.

    Attributes:
        new_secret: Returns a token that cannot be guessed. Set it where runs must be reproducible, as in tests.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.new_secret: Callable[[], str] = partial(secrets.token_urlsafe, TOKEN_BYTES)
        self._are_used = False
        self._by_key: dict[FrozenKey, Session] = {}
        self._sources: dict[FrozenKey, KeySource] = {}
        self._link_dead = 0  # sessions that wait for their player
        self._link_dead_from: Counter[str] = Counter()  # the same, by the origin of the last connection
        self._returning: dict[Connection, PresentedToken] = {}  # those that presented a token by GMCP
        self._tokens: dict[str, tuple[Session, float]] = {}  # the session, and when the token expires (trio's clock)
        self._restoring = Restoring(self)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_key.values()))

    def get(self, key: Hashable) -> Session | None:
        """Return the session that has this key now, link-dead or not; None if there is none."""
        return self._by_key.get(FrozenKey(key))

    @enable_ki_protection
    def enter(
        self,
        key: Hashable,
        connection: Connection,
        *,
        body: object = None,
        grace: float | None = None,
        on_duplicate: Duplicate = Duplicate.TAKE_OVER,
        last_words: str | None = None,
    ) -> Session:
        """Start a session, resume a link-dead one, or apply the policy to a live one. Never waits.

        `SessionStarted` or `SessionResumed` follows, before the connection's next `Input`.
        A session whose only connection is quitting ends first, and a new one begins.

        Args:
            key: The key of the player, such as a name or an account; any hashable object.
            connection: An admitted connection that is not bound to a session yet.
            body: The game's object for a new session; an existing session keeps its own.
            grace: Seconds that a new session waits after a link death; `limits.grace` if None, `math.inf` for ever.
            on_duplicate: The policy if the session is live.
            last_words: What the old connection receives if the session is taken over; `texts.taken_over` if None.

        Raises:
            ConnectionEnded: The connection's ending is decided. If one of its hooks raises this, it is not a failure.
            LocalProtocolError: The connection was not admitted, or is bound to a session already.
            SessionInUse: The session is live, and the policy is `REFUSE`.
            ValueError: The grace is negative.
            TypeError: The key is not hashable, or another argument has the wrong type.
        """
        self._server._thread.check()
        if isinstance(key, str):
            key = exact(key)
        try:
            handle = key if isinstance(key, FrozenKey) else FrozenKey(key)
        except TypeError as error:
            raise TypeError(f"Sessions.enter() takes a hashable key, such as a name: {error}") from None
        if not isinstance(on_duplicate, Duplicate):
            raise TypeError(
                f"Sessions.enter(on_duplicate=) takes a Duplicate, such as Duplicate.REFUSE, not "
                f"{article(on_duplicate)}"
            )
        if last_words is not None:
            last_words = check_words(last_words, "Sessions.enter(last_words=)")
        self._check(connection, grace)
        session = self._by_key.get(handle)
        if session is not None:
            self._restoring.settle(session)
        # The player has quit but the last words still drain: to take over would undo a quit that is decided.
        if session is not None and session.connections and all(map(has_quit, session.connections)):
            self._end_quitting(session)
            session = None
        if session is None:
            session = self._begin(handle, float(self._server.limits.grace if grace is None else grace))
            session.body = body
            event: HookEvent | None = SessionStarted(session)
        elif not session.connections:
            self._stop_waiting(session)
            event = SessionResumed(session, took_over=False)
        elif on_duplicate is Duplicate.REFUSE:
            raise SessionInUse(
                f"{describe_value(session.key)} is in the game already: ask its player first, or take over"
            )
        elif on_duplicate is Duplicate.SHARE:
            event = None
        else:
            self._take_from_all(session, self._server.texts.taken_over if last_words is None else last_words)
            event = SessionResumed(session, took_over=True)
        session._link(connection)
        if event is not None and not session._old_connections:  # otherwise `event_over` posts it
            session._post(event)
        self._restoring.note(session)
        return session

    @enable_ki_protection
    def resume(self, token: str, connection: Connection) -> Session:
        """Enter the session that this token belongs to, taking over if it is live. The token is void afterwards.

        Raises:
            InvalidToken: The token is void.
            ConnectionEnded, LocalProtocolError: As for `enter`; the token remains valid.
        """
        self._server._thread.check()
        self._check(connection, None)
        session, void_at = self._tokens.pop(token, (None, 0.0))  # `finish` has removed those of ended sessions
        if session is None or trio.current_time() >= void_at:
            raise InvalidToken("this token is void: log in")
        return self.enter(session._source.handle, connection)  # the handle: the key object may have changed its hash

    # Called by sessions and connections

    def _count_bound(self) -> int | None:
        """Return the number of connections that are bound to a session; None if the game has not used sessions."""
        return sum(len(session._connections) for session in self._by_key.values()) if self._are_used else None

    def _give_token(self, session: Session, former: str, lifetime: float) -> str:
        """Return a new token for a session; the former one is void."""
        self._void(former)
        if session.ending is not None:
            raise InvalidToken(f"the session of {describe_value(session.key)} is over: log in again")
        token = check_words(self.new_secret(), "new_secret()")
        self._tokens[token] = (session, trio.current_time() + lifetime)
        self._restoring.note(session)
        return token

    def _void(self, token: str) -> None:
        self._tokens.pop(token, None)

    def _void_tokens(self, session: Session) -> None:
        """Make the tokens of a session void."""
        self._void(session._token)
        self._void(session._return_token)
        self._restoring.note(session)

    def _begin_return(self, connection: Connection, token: str, seen: int | None) -> None:
        """Take note that a connection presented a token by GMCP; until `_take_returning`, `enter` is its return."""
        self._returning[connection] = PresentedToken(token, seen)

    def _take_returning(self, connection: Connection) -> PresentedToken | None:
        """Return what a connection that is about to return presented, or None; then forget it."""
        return self._returning.pop(connection, None)

    def _event_over(self, connection: Connection, session: Session) -> None:
        """Queue the deferred `SessionResumed`, because the old connection's event in flight was handled."""
        session._old_connections.remove(connection)
        if not session._old_connections and session.connections:  # an ended session has no connections
            session._post(SessionResumed(session, took_over=True))
        for link in session.connections:
            link._inbox.wake()

    def _link_ended(self, connection: Connection) -> None:
        """Suspend or end the session of a connection, because all functions on its `Disconnect` have run."""
        session = connection.session
        if session is None:
            return
        cause = connection.ending
        assert cause is not None
        session._unlink(connection)
        self._restoring.note(session)
        if session.connections:
            return  # another connection shares it
        if cause.reason is Reason.QUIT:
            self._finish(session, cause)
        elif session._is_leaving:
            self._finish(session, Cause.ASKED)
        elif self._may_wait(origin := origin_of(connection.address)):
            session._last_origin = origin
            self._link_dead += 1
            self._link_dead_from[origin] += 1
            session._suspend(partial(self._expire, session))
        else:
            self._server.counters["sessions without grace"] += 1
            self._finish(session, cause)

    def _finish(self, session: Session, cause: Cause) -> None:
        """End a session. A second call has no effect."""
        if session.ending is None:
            self._restoring.settle(session)
            self._by_key.pop(session._source.handle, None)
            self._void_tokens(session)
            self._stop_waiting(session)
            session._end(cause)

    def _close(self) -> None:
        """End all sessions, because the server ends."""
        for session in self:
            for connection in session.connections:
                session._unlink(connection)
            self._finish(session, Cause.SHUTDOWN)

    # Steps

    def _check(self, connection: Connection, grace: float | None) -> None:
        if not hasattr(connection, "_inbox"):  # the class may be imported for types only, to avoid a cycle
            raise TypeError(f"Sessions.enter() takes a connection, such as event.connection, not {article(connection)}")
        if grace is not None:
            check_number(grace, "Sessions.enter(grace=)")
        if connection.ending is not None and not connection._inbox.is_undecided:
            # Its last hooks and dialogs may still run, but a dead link must not take a session from a live player.
            raise ConnectionEnded(
                f"the connection of {connection.name} has ended: it cannot enter a session", connection.ending.reason
            )
        if connection not in self._server.connections:
            raise LocalProtocolError(f"{connection.name} was not admitted: enter on `Admitted` or later")
        if connection.session is not None:
            raise LocalProtocolError(f"{connection.name} is bound to {connection.session!r} already: leave it first")
        if grace is not None and not grace >= 0:
            raise ValueError(f"Sessions.enter(grace=) takes a number of seconds, 0 or more, not {grace!r}")

    def _may_wait(self, origin: str) -> bool:
        """Return True if one more session with this origin of its last connection may wait for its player."""
        limits = self._server.limits
        if limits.max_link_dead is not None and self._link_dead >= limits.max_link_dead:
            return False
        most = limits.max_link_dead_per_address
        return most is None or not origin or self._link_dead_from[origin] < most

    def _stop_waiting(self, session: Session) -> None:
        """Stop counting a session as link-dead, because its player has returned or it ends."""
        origin, session._last_origin = session._last_origin, None
        if origin is not None:
            self._link_dead -= 1
            self._link_dead_from[origin] -= 1
            if not self._link_dead_from[origin]:
                del self._link_dead_from[origin]

    def _begin(self, handle: FrozenKey, grace: float) -> Session:
        source = self._sources.get(handle)
        if source is None:
            source = self._sources[handle] = KeySource(self._server, handle, self._forget_key)
        session = self._by_key[source.handle] = Session(self._server, handle.key, source, grace)
        self._are_used = True
        return session

    def _resurrect(self, state: SessionState, token_ends_at: float) -> Session:
        """Begin a session without a connection, with the state of one of an earlier server; `_await_player` follows."""
        session = self._begin(FrozenKey(state.key), state.grace)
        if state.token:
            session._token = state.token
            self._tokens[state.token] = (session, token_ends_at)
        if state.return_token:
            session._return_token = state.return_token
            self._tokens[state.return_token] = (session, math.inf)
        session._last_origin, session._name = state.origin, state.name
        self._link_dead += 1
        self._link_dead_from[state.origin] += 1
        return session

    def _await_player(self, session: Session, seconds: float) -> None:
        """Let a session wait for its player from now on."""
        session._wait(seconds, partial(self._expire, session))

    def _end_quitting(self, session: Session) -> None:
        causes = [connection.ending for connection in session.connections]
        for connection in session.connections:
            session._unlink(connection)
        self._finish(session, causes[-1] or Cause.ASKED)

    def _take_from_all(self, session: Session, last_words: str) -> None:
        """Unbind and quit the old connections, and drop their typed lines."""
        # The lines too of a link that is dead but not yet handled: commands typed before the takeover must not run
        # after `SessionResumed`, mixed with those of the new connection.
        for old in session.connections:
            session._unlink(old)
            old.quit(last_words, cause=Cause.TAKEOVER)
            old._inbox.drop_lines()
            if old._inbox.is_busy:
                # `SessionResumed` waits for the event in flight, so that never two hooks of one player run at once. It
                # does not wait for the old `Disconnect`, which could be held up by a flush.
                session._old_connections.append(old)
                old._inbox.after_event += (partial(self._event_over, old, session),)

    def _expire(self, session: Session) -> None:
        self._finish(session, Cause.EXPIRED)

    def _forget_key(self, handle: FrozenKey) -> None:
        if handle not in self._by_key:
            self._sources.pop(handle, None)
