"""The judge of sessions that go on in the next world (I-33).

It compares the sessions of a world at the moment of its last commit with those that the next one restores. The held
state of the cluster link plays no part. Used by `split_trace`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import trio

from ...driver.connection.connection import Connection
from ...driver.core.events import Reason
from ...driver.server.server import MasterServer
from ...driver.sessions.events import SessionRestored, SessionStarted
from ...driver.sessions.restoring import ROLL_WAIT, SHORTEST_WAIT
from ...driver.sessions.session import Session
from . import inside

Place = tuple[str, int, int]  # a connection at a gateway: the gateway's name and incarnation, the connection's number

SLACK: Final = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session of a world, as one of its commits has left it.

    Attributes:
        name: The name of its last connection.
        places: The connections that are bound to it.
        tokens: Those that resume it.
        expires_at: When its grace is over, or at once if its player has quit; infinite while it has a connection that
            has not.
    """

    name: str
    places: frozenset[Place]
    tokens: frozenset[str]
    expires_at: float


def sessions_of(server: MasterServer, restored: RestoredSessions | None) -> dict[object, LeftSession]:
    """Return the sessions of a world, by their keys."""
    return {session.key: _left_by(session, restored) for session in server.sessions}


def _left_by(session: Session, restored: RestoredSessions | None) -> LeftSession:
    awaited = frozenset[Place]() if restored is None else restored.awaited(session.key)
    endings = [connection.ending for connection in session.connections]
    has_quit = endings and all(ending is not None and ending.reason is Reason.QUIT for ending in endings)
    return LeftSession(
        inside.name_of_session(session),
        awaited.union(map(inside.place_of, session.connections)),
        inside.tokens_of(session),
        trio.current_time() if has_quit else inside.expiry_of(session),
    )


class RestoredSessions:
    """The sessions that an earlier world has left, and their way into the next one.

    Args:
        left: Those sessions, by their keys.
        now: The time of its claim, when it restores them.
        grace: Seconds that a session waits for its player.
    """

    def __init__(self, left: Mapping[object, LeftSession], now: float, grace: float) -> None:
        self._left = left
        self._began_at = now
        self._grace = grace
        self._restored: set[object] = set()
        self._entered: set[object] = set()  # by any connection
        self._taken: set[object] = set()  # by one that does not continue them
        self._known: set[Place] = set()  # connections that have arrived

    def begins_at(self, now: float) -> None:
        """Take note that it restores them later than at its claim: it has opened its database meanwhile."""
        self._began_at = now

    def enters(self, session: Session) -> None:
        """Take note that a connection enters a session."""
        self._entered.add(session.key)
        self._taken.add(session.key)

    def awaited(self, key: object) -> frozenset[Place]:
        """Return the connections that a session still waits for."""
        left = self._left.get(key)
        return frozenset() if left is None or key in self._taken else left.places - self._known

    def begins(self, event: object) -> Iterator[str]:
        """Yield what is wrong with an event of a session, which begins now."""
        match event:
            case SessionRestored(session, name):
                yield from self._restores(session, name)
            case SessionStarted(session) if session.key in self._left and session.key not in self._restored:
                yield f"the session of {session.key!r} was left by an earlier world, and another one starts"

    def _restores(self, session: Session, name: str) -> Iterator[str]:
        key, left = session.key, self._left.get(session.key)
        if left is None or key in self._restored:
            yield f"the session of {key!r} is restored, and {'was before' if left else 'no world has left it'}"
            return
        self._restored.add(key)
        if name != left.name:
            yield f"the session of {key!r} was that of {left.name}, and is restored as that of {name}"
        is_idle = session.connection is None and session.ending is None and key not in self._entered
        if session.ending is None and key not in self._taken and not left.tokens <= inside.tokens_of(session):
            yield f"the session of {key!r} had the tokens {left.tokens}, and has {inside.tokens_of(session)}"
        if not is_idle:
            return
        rest = max(self._grace, ROLL_WAIT)
        if left.expires_at < math.inf:
            rest = min(max(left.expires_at - self._began_at, SHORTEST_WAIT), self._grace)
        if abs(inside.expiry_of(session) - self._began_at - rest) > SLACK:
            yield f"the session of {key!r} expires at {inside.expiry_of(session):g}, not {self._began_at + rest:g} s"

    def connects(self, connection: Connection, place: Place, sessions: Mapping[object, Session]) -> Iterator[str]:
        """Yield what is wrong with a connection that passes the connect hook."""
        for key in self._left:
            if place in self.awaited(key) and not connection.is_refused and key in sessions:
                yield f"{connection.name} of the session of {key!r} begins at the door"
        self._known.add(place)

    def continues(self, connection: Connection, session: Session, place: Place) -> Iterator[str]:
        """Yield what is wrong with a connection that continues a session."""
        left = self._left.get(session.key)
        if left is None or place not in left.places:
            yield f"{connection.name} at {place} continues the session of {session.key!r}, left with {left}"
        self._known.add(place)
        self._entered.add(session.key)

    def missing(self) -> Iterator[str]:
        """Yield the sessions that were left, and never restored; called after the calm."""
        for key in self._left.keys() - self._restored:
            yield f"the session of {key!r} was left by an earlier world, and is not restored"
