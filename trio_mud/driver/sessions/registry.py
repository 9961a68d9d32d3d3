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
Where too many wait already, in all or from the address of the last connection, there is no grace (`Left` at once).
After a takeover the old connection belongs to nobody, and its `Disconnect` says nothing of the session.
"""

from __future__ import annotations

import enum
import secrets
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import BadToken, ConnectionEnded, KeyTaken, LocalProtocolError
from ...text.cleaning import exact
from ..core.checks import article, check_number, check_words
from ..core.events import Cause, HookEvent, Reason
from ..core.guard import describe_value
from ..core.origins import origin_of
from .events import Entered, Resumed
from .session import FrozenKey, KeySource, Session

if TYPE_CHECKING:
    from ..connection.connection import Connection
    from .session import Server

TOKEN_BYTES: Final = 16  # 128 bits: not to be guessed


class Duplicate(enum.Enum):
    """What a second connection for a living session does."""

    TAKE_OVER = enum.auto()
    """It takes the session; the first is told and ends, cause `TAKEOVER`."""
    REFUSE = enum.auto()
    """`enter` raises `KeyTaken`; nothing changes."""
    SHARE = enum.auto()
    """Both serve the session: what it writes goes to both. No event says so."""


class Sessions:
    """The sessions of one server, by key.

    Attributes:
        new_secret: Makes a token that cannot be guessed; yours to set, where runs are to be alike.
        are_used: True if any session has ever begun.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.new_secret: Callable[[], str] = partial(secrets.token_urlsafe, TOKEN_BYTES)
        self.are_used = False
        self._by_key: dict[FrozenKey, Session] = {}
        self._sources: dict[FrozenKey, KeySource] = {}
        self._link_dead = 0  # sessions that wait for their player
        self._link_dead_from: Counter[str] = Counter()  # those, by the origin of the last connection
        self._tokens: dict[str, tuple[Session, float]] = {}  # and when it is void, on trio's clock

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_key.values()))

    def get(self, key: Hashable) -> Session | None:
        """The stay that has this key now, linked or not."""
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
            ConnectionEnded: The connection's ending is decided. A hook of it that raises this has not failed.
            LocalProtocolError: It was not admitted, or serves a session already.
            KeyTaken: The stay is linked, and the policy is `REFUSE`.
            ValueError: The grace is negative.
            TypeError: The key is not hashable, or something else is not what it is called.
        """
        self._server.thread.check()
        if isinstance(key, str):
            key = exact(key)
        try:
            handle = key if isinstance(key, FrozenKey) else FrozenKey(key)
        except TypeError as error:
            raise TypeError(f"Sessions.enter() takes a key that is hashable, such as a name: {error}") from None
        if not isinstance(on_duplicate, Duplicate):
            raise TypeError(
                f"Sessions.enter(on_duplicate=) takes a Duplicate, such as Duplicate.REFUSE, not "
                f"{article(on_duplicate)}"
            )
        self._check(connection, grace)
        session = self._by_key.get(handle)
        if session is not None and session.connections and all(map(_is_quitting, session.connections)):
            self._end_quitting(session)
            session = None
        if session is None:
            session = self._begin(handle, self._server.limits.grace if grace is None else grace)
            session.body = body
            event: HookEvent | None = Entered(session)
        elif not session.connections:
            self._stop_waiting(session)
            event = Resumed(session, took_over=False)
        elif on_duplicate is Duplicate.REFUSE:
            raise KeyTaken(f"{describe_value(session.key)} is in the game already: ask its player first, or take over")
        elif on_duplicate is Duplicate.SHARE:
            event = None
        else:
            self._take_from_all(session)
            event = Resumed(session, took_over=True)
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
        self._server.thread.check()
        self._check(connection, None)
        session, void_at = self._tokens.pop(token, (None, 0.0))  # none there is of a stay that is over
        if session is None or trio.current_time() >= void_at:
            raise BadToken("this token is void: log in")
        return self.enter(session.source.handle, connection)  # whatever its key has become

    # What sessions and connections tell

    def give_token(self, session: Session, lifetime: float) -> str:
        """A new token for a session, instead of the one it had."""
        self._tokens.pop(session._token, None)
        if session.ending is not None:
            raise BadToken(f"the session of {describe_value(session.key)} is over: nobody can resume it")
        session._token = token = check_words(self.new_secret(), "new_secret()")
        self._tokens[token] = (session, trio.current_time() + lifetime)
        return token

    def event_over(self, connection: Connection, session: Session) -> None:
        """An event has run of a connection that this session was taken from meanwhile: `Resumed` waited for that."""
        session.awaited.remove(connection)
        if not session.awaited and session.connections:  # a stay that is over has none
            session.post(Resumed(session, took_over=True))
        for link in session.connections:
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
        elif self._may_wait(origin := origin_of(connection.address)):
            session.last_origin = origin
            self._link_dead += 1
            self._link_dead_from[origin] += 1
            session.suspend(partial(self._expire, session))
        else:
            self._server.counters["sessions without grace"] += 1
            self.finish(session, cause)

    def finish(self, session: Session, cause: Cause) -> None:
        """The stay is over. A second call changes nothing."""
        if session.ending is None:
            self._by_key.pop(session.source.handle, None)
            self._tokens.pop(session._token, None)
            self._stop_waiting(session)
            session.end(cause)

    def close(self) -> None:
        """The server ends: every stay is over."""
        for session in self:
            for connection in session.connections:
                session.unlink(connection)
            self.finish(session, Cause.SHUTDOWN)

    # Steps

    def _check(self, connection: Connection, grace: float | None) -> None:
        if not hasattr(connection, "inbox"):  # the class cannot be imported here
            raise TypeError(f"Sessions.enter() takes a connection, such as event.connection, not {article(connection)}")
        if grace is not None:
            check_number(grace, "Sessions.enter(grace=)")
        if connection.ending is not None and not connection.inbox.is_undecided:
            # Also while its last hooks and dialogs still run: a dead link must not take a session from a living player.
            raise ConnectionEnded(f"{connection.name} has ended and cannot enter", connection.ending.reason)
        if connection not in self._server.connections:
            raise LocalProtocolError(f"{connection.name} was not admitted: enter from `Admitted` or later")
        if connection.session is not None:
            raise LocalProtocolError(f"{connection.name} serves {connection.session!r} already: leave that first")
        if grace is not None and not grace >= 0:
            raise ValueError(f"a grace is a number of seconds, 0 or more, not {grace!r}")

    def _may_wait(self, origin: str) -> bool:
        """Whether one more session whose last connection came from there may wait for its player."""
        limits = self._server.limits
        if limits.max_link_dead is not None and self._link_dead >= limits.max_link_dead:
            return False
        most = limits.max_link_dead_per_address
        return most is None or not origin or self._link_dead_from[origin] < most

    def _stop_waiting(self, session: Session) -> None:
        """Its player is back, or it ends: it does not count as link-dead any more."""
        origin, session.last_origin = session.last_origin, None
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
        self.are_used = True
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
                old.inbox.after_event += (partial(self.event_over, old, session),)

    def _expire(self, session: Session) -> None:
        self.finish(session, Cause.EXPIRED)

    def _forget_key(self, handle: FrozenKey) -> None:
        if handle not in self._by_key:
            self._sources.pop(handle, None)


def _is_quitting(connection: Connection) -> bool:
    return connection.ending is not None and connection.ending.reason is Reason.QUIT
