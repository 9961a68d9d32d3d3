"""Restoring: sessions of a server that has died go on in the next one.

Theory of operation
-------------------
The world of a split server reports the state of each session with its commits. The next world restores all of them
before its first event. A restored session has no connection at first, and waits as one whose link is dead; so a player
who logs in again meets it, and resumes it.

`SessionRestored` is its first event, and comes when its connection is known: with the first connection that continues
it, or as soon as none is left that could, or with the first `enter` of another connection. A connection that continues
a session passes neither the connect hook nor `Admitted`, since it passed both in the earlier world.

It continues its session unless another connection has entered that meanwhile; then it begins at the door.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import trio

from ...origins import origin_of
from ..core.events import Reason
from .events import SessionRestored, SessionResumed

if TYPE_CHECKING:
    from ..connection.connection import Connection
    from .session import Server, Session


SHORTEST_WAIT: Final = 1.0  # seconds that a session waits at least whose link was dead
ROLL_WAIT: Final = 5.0  # seconds that one waits at least whose link lived: its connection comes with a roll


class SessionState(NamedTuple):
    """The state of a session, for a later server.

    Times are in seconds since 1970, so that they mean the same in another process.

    Attributes:
        key: Its key. Only sessions for which `can_restore` is true are restored.
        grace: Seconds that it waits after a link death.
        name: The name of its connection.
        origin: The origin of its last connection.
        ends_at: When its grace is over, or when its player has quit; infinite while its link lives.
        token: Its token of the game, if there is one.
        token_ends_at: When that token is void.
        return_token: The token that its client has.
    """

    key: str | int
    grace: float
    name: str = ""
    origin: str = ""
    ends_at: float = math.inf
    token: str = ""
    token_ends_at: float = math.inf
    return_token: str = ""


def can_restore(key: object) -> bool:
    """True if a session with this key can be restored: a plain text that UTF-8 can encode, or an integer of 64 bits."""
    if type(key) is str:
        return key.isascii() or key.encode(errors="replace").decode() == key
    return type(key) is int and -(2**63) <= key < 2**63


def has_quit(connection: Connection) -> bool:
    """True if a connection's ending is a quit."""
    return connection.ending is not None and connection.ending.reason is Reason.QUIT


class Registry(Protocol):
    """The registry of sessions, as far as restoring needs it."""

    _server: Server
    _tokens: dict[str, tuple[Session, float]]

    def _resurrect(self, state: SessionState, token_ends_at: float) -> Session:
        """Begin a session without a connection, with the state of one of an earlier server; `_await_player` follows."""
        ...

    def _await_player(self, session: Session, seconds: float) -> None:
        """Let a session wait for its player from now on."""
        ...

    def _stop_waiting(self, session: Session) -> None:
        """Stop counting a session as link-dead."""
        ...


class Continuation:
    """A connection that is about to continue a session of an earlier server.

    Attributes:
        session: The session.
        is_open: True until the connection is bound to the session, or never will be.
    """

    __slots__ = ("is_open", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.is_open = True


class _Restored:
    """A session that its connection may still continue."""

    __slots__ = ("arriving", "is_reported", "state")

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.arriving = 0  # connections that are about to continue it
        self.is_reported = False


class Restoring:
    """The restored sessions of one server, and the state of all of them for the next one.

    Attributes:
        changed: The sessions whose state has changed since it was read; None if no other server will restore them.
        advanced: Called whenever a session was restored, or a connection has continued one or never will. To be set.
    """

    def __init__(self, sessions: Registry) -> None:
        self._sessions = sessions
        self._restored: dict[Session, _Restored] = {}
        self._expected: WeakKeyDictionary[Connection, Continuation] = WeakKeyDictionary()
        self._unreported = 0
        self._running = 0  # sessions whose functions for `SessionRestored` have not ended
        self.changed: dict[Session, None] | None = None
        self.advanced: Callable[[], object] = lambda: None

    def note(self, session: Session) -> None:
        """Note that the state of a session has changed."""
        if self.changed is not None:
            self.changed[session] = None

    def state_of(self, session: Session) -> SessionState | None:
        """Return the state of a session; None if it cannot be restored, or has ended."""
        key = session.key
        if session.ending is not None or not can_restore(key):
            return None
        assert isinstance(key, str | int), "it can be restored"
        sessions, connection = self._sessions, session.connection
        to_wall = sessions._server.wall_clock() - trio.current_time()
        token, token_ends_at = session._token, sessions._tokens.get(session._token, (session, math.inf))[1]
        if connection is None:
            ends_at = session._expiry.when + to_wall if session._expiry is not None else math.inf
            name, origin = session._name, session._last_origin or ""
        else:
            name, origin = connection.name, origin_of(connection.address)
            # One whose player has quit ends there too, even if the quit is all that was handled here.
            ends_at = trio.current_time() + to_wall if all(map(has_quit, session.connections)) else math.inf
        return SessionState(
            *(key, session._grace, name, origin, ends_at),
            *(token if token in sessions._tokens else "", token_ends_at + to_wall),
            session._return_token if session._return_token in sessions._tokens else "",  # it may be void
        )

    def restore(self, state: SessionState) -> Session:
        """Begin a session with the state of an earlier one. No event is queued yet, and it waits without an end."""
        to_trio = trio.current_time() - self._sessions._server.wall_clock()
        session = self._sessions._resurrect(state, state.token_ends_at + to_trio)
        self._restored[session] = _Restored(state)
        self._unreported += 1
        self.note(session)
        return session

    def begin_waits(self) -> None:
        """Let the restored sessions wait for their players from now on: before, no connection is accepted."""
        now = self._sessions._server.wall_clock()
        for session, restored in self._restored.items():
            if session.connections or session._expiry is not None or session.ending is not None:
                continue  # its player was faster
            state = restored.state
            if state.ends_at < math.inf:  # whatever the clocks of the two machines say
                seconds = min(max(state.ends_at - now, SHORTEST_WAIT), state.grace)
            else:
                seconds = max(state.grace, ROLL_WAIT)
            self._sessions._await_player(session, seconds)

    def unreported(self) -> list[Session]:
        """Return the sessions that no function was called for, and that no connection is about to continue."""
        return [
            session for session, restored in self._restored.items() if not (restored.is_reported or restored.arriving)
        ]

    def report(self, session: Session) -> None:
        """Queue `SessionRestored`, unless that was done."""
        restored = self._restored.get(session)
        if restored is not None and not restored.is_reported:
            restored.is_reported = True
            session._post(SessionRestored(session, restored.state.name))
            self._unreported -= 1
            self._running += 1

    def event_over(self) -> None:
        """Note that all functions of one `SessionRestored` have ended."""
        self._running -= 1
        self.advanced()

    def is_over(self, *, reported: bool = False) -> bool:
        """Return True if all functions for `SessionRestored` have ended.

        Args:
            reported: True if only those of sessions count that were reported.
        """
        return not self._running and (reported or not self._unreported)

    def settle(self, session: Session) -> None:
        """Let no earlier connection continue the session, because another one has entered it, or it ends."""
        if self._restored:
            self.report(session)
            self._restored.pop(session, None)
            self.advanced()

    def awaits(self, session: Session) -> bool:
        """Return True if a connection of an earlier server may still continue a session."""
        return session in self._restored

    def announce(self, session: Session) -> Continuation:
        """Note that a connection is about to continue a session: `expect` follows."""
        if (restored := self._restored.get(session)) is not None:
            restored.arriving += 1
        return Continuation(session)

    def give_up(self, connection: Connection) -> None:
        """Note that a connection that was expected has ended before it was accepted, or was refused."""
        continuation = self._expected.pop(connection, None)
        if continuation is not None:
            continuation.is_open = False
            self.report(continuation.session)
            self.advanced()

    def expect(self, connection: Connection, continuation: Continuation) -> None:
        """Let a connection continue a session once it is accepted."""
        self._expected[connection] = continuation

    def continues(self, connection: Connection) -> bool:
        """Return True if a connection is to continue its session, and can."""
        continuation = self._expected.get(connection) if self._restored else None
        return continuation is not None and continuation.session in self._restored

    def conclude(self, connection: Connection) -> None:
        """Bind an accepted connection to the session that it continues."""
        continuation = self._expected.pop(connection)
        continuation.is_open = False
        session = continuation.session
        restored, was_waiting = self._restored[session], not session.connections
        if was_waiting:
            self._sessions._stop_waiting(session)
        if restored.state.name:
            connection._name = restored.state.name
        session._link(connection, continues=True)
        if not restored.is_reported:
            self.report(session)
        elif was_waiting:
            session._post(SessionResumed(session))
        self.note(session)
        self.advanced()
