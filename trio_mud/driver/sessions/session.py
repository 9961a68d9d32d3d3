"""One session: its connections, its missed output, its timers and work. The registry changes its state."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from ...text import Text
from ..core.checks import check_seconds, check_text, check_words, check_work
from ..core.events import Cause, HookEvent
from ..core.guard import Args, describe_value
from ..core.queue_source import QueueSource
from ..core.timers import Deadline, EndingTimerOwner, Timer, Timers
from ..link.tail import Tail
from .events import LinkLost, SessionEnded, SessionRestored
from .resume import can_return, catch_up, offer_return

if TYPE_CHECKING:
    from ..connection.connection import Connection
    from ..server.server import MasterServer

    Server = MasterServer  # the owner of a session; the registry imports it by this name only

OFFERED: Final = 8  # tokens of the game's own whose clients may count lines; one return may spend one


class FrozenKey:
    """A key of the game with the hash it had when it was entered.

    An object of the game may change its hash later, or raise when it is hashed.
    """

    __slots__ = ("_hash", "key")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self._hash = hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenKey) and bool(self.key is other.key or self.key == other.key)


class KeySource(QueueSource):
    """All events of one key, in order, across successive sessions."""

    __slots__ = ("_forget", "handle")

    def __init__(self, server: MasterServer, handle: FrozenKey, forget: Callable[[FrozenKey], object]) -> None:
        super().__init__(server._context.dispatcher)
        self.handle = handle
        self._forget = forget

    def event_over(self, event: HookEvent) -> None:
        if type(event) is SessionRestored:
            event.session.server.sessions._restoring.event_over()
        if not self.waiting:
            self._forget(self.handle)


class Session(EndingTimerOwner):
    """One player in the game. Created by `Sessions.enter`.

    Attributes:
        server: The server it belongs to.
        key: Its key.
        body: The game's own object for it. A game may set it.
        ending: The cause of its ending; None while it lasts.
    """

    __slots__ = (
        "_connections",
        "_expiry",
        "_grace",
        "_is_leaving",
        "_last_origin",
        "_lost",
        "_missed",
        "_missed_size",
        "_name",
        "_offered",
        "_old_connections",
        "_overdue",
        "_return_token",
        "_source",
        "_tail",
        "_token",
        "_works",
        "body",
        "ending",
        "key",
        "server",
    )

    def __init__(self, server: MasterServer, key: Hashable, source: KeySource, grace: float) -> None:
        self.server = server
        self.key = key
        self.body: object = None
        self.ending: Cause | None = None
        self._source = source
        self._grace = grace
        self._connections: list[Connection] = []
        self._expiry: Deadline | None = None  # while its link is dead
        self._missed: list[Text] | None = None  # texts written while its link is dead, replayed on return
        self._missed_size = 0  # bytes
        self._lost = 0  # missed texts dropped past `limits.max_replay`
        self._timers: dict[Timer, None] | None = None
        self._works: dict[trio.CancelScope, object] | None = None
        self._overdue: Deadline | None = None  # when unfinished work is logged
        self._token = ""  # given by `resume_token`
        self._return_token = ""  # given to the client
        self._offered: tuple[str, ...] = ()  # the game's own tokens whose clients count as `_tail` does
        self._tail: Tail | None = None  # of the link whose client has the token, also after the link's death
        self._is_leaving = False
        self._old_connections: list[
            Connection
        ] = []  # old connections with an event in flight, which `SessionResumed` waits for
        self._last_origin: str | None = None  # the origin of its last connection, while its link is dead
        self._name = ""  # that of its last connection; one that returns by a token gets it

    def __repr__(self) -> str:
        return f"<Session {describe_value(self.key)}>"

    @property
    def connection(self) -> Connection | None:
        """The connection bound to it, the newest of several; None while its link is dead."""
        return self._connections[-1] if self._connections else None

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All connections bound to it, the oldest first."""
        return tuple(self._connections)

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line; while the link is dead, keep it for replay, up to `limits.max_replay` bytes.

        Returns:
            False if it will not arrive: the session is over, or every connection dropped it.

        Raises:
            TypeError: The text is neither a `str` nor `Markup`; checked even while the link is dead.
        """
        self.server._thread.check()
        if type(text) is not str:
            text = check_text(text, "Session.write()")
        if self.ending is not None:
            return False
        arrives = [connection.write(text) for connection in self._connections]
        if any(arrives):
            return True
        if not all(connection._lifecycle.is_link_dead for connection in self._connections):
            return False  # a live link dropped it because the player reads too slowly or quits: not missed, but lost
        self._keep(text)
        return True

    @enable_ki_protection
    def leave(self, text: str = "") -> None:
        """End the session: its connections quit, and `SessionEnded` follows their `Disconnect`, or comes at once.

        Args:
            text: The last words, sent to its connections.

        Raises:
            TypeError: The text is not a `str`.
        """
        self.server._thread.check()
        text = check_words(text, "Session.leave()")
        self._is_leaving = True  # it must end even if a link turns out to be dead before the quit
        if not self._connections:
            self.server.sessions._finish(self, Cause.ASKED)
        for connection in list(self._connections):
            connection.quit(text)

    @enable_ki_protection
    def resume_token(self, *, lifetime: float = 3600.0) -> str:
        """Return a secret that lets one connection resume this session once; an earlier one is void.

        Args:
            lifetime: Seconds until it is void.

        Raises:
            TypeError: The lifetime is not a number.
        """
        self.server._thread.check()
        lifetime = check_seconds(lifetime, "Session.resume_token(lifetime=)", may_be_infinite=True)
        self._token = self.server.sessions._give_token(self, self._token, lifetime)
        return self._token

    @enable_ki_protection
    def void_tokens(self) -> None:
        """Make all its tokens void, also the one that its client has. A live client gets a new one."""
        self.server._thread.check()
        self.server.sessions._void_tokens(self)
        if self._tail is not None and self.connection is not None and can_return(self.connection):
            self._offer_return(self.connection, self._tail)

    @enable_ki_protection
    def offer_token(self, token: str, lifetime: float) -> None:
        """Send its client a token of the game's own, by GMCP, for instance one that outlives the server.

        A hook on `ResumeRequested` has to accept it. Its client gets the text that it missed, as with the driver's own
        token. Without a client that names the package `Session`, this has no effect.

        Args:
            token: A secret.
            lifetime: Seconds until it is void, for the client to know.
        """
        self.server._thread.check()
        connection = self.connection
        if connection is None or self._tail is None:
            return
        self._offered = (*self._offered[1 - OFFERED :], token)
        connection.gmcp("Session.Token", {"token": token, "grace": lifetime})

    @enable_ki_protection
    def start_soon(self, async_fn: Callable[[*Args], Awaitable[object]], *args: *Args, name: str | None = None) -> None:
        """Run an async function in the background; it is cancelled when the session ends.

        A failure is logged and has no other effect. On an ended session this has no effect.

        Args:
            async_fn: The function to run.
            args: Its arguments.
            name: The name of its task, for debuggers.

        Raises:
            TypeError: `async_fn` is not an async function that accepts these arguments.
        """
        self.server._thread.check()
        check_work(async_fn, "Session.start_soon()", args)
        if self.ending is not None:
            return
        works, scope = self._works or {}, trio.CancelScope()
        over = partial(self._has_worked, scope)
        self.server._tree.run_work(async_fn, args, lambda: f" for {self!r}", scope, over, name)
        works[scope] = async_fn
        self._works = works

    # Called by the registry

    @property
    def _is_unsettled(self) -> bool:
        """True if an event of it is queued, running, or still to be queued."""
        return bool(self._source.waiting) or self._source.is_busy or bool(self._old_connections)

    def _post(self, event: HookEvent) -> None:
        """Queue an event of this session."""
        self._source.put(event)

    def _link(self, connection: Connection, *, continues: bool = False) -> None:
        """Bind a connection, and send it the missed output. One that continues keeps its token and its tail."""
        self._connections.append(connection)
        # The barrier: `SessionStarted` or `SessionResumed` is handled before the connection's next `Input`.
        connection.session = connection._inbox.barrier = connection._inbox.session = self
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if not continues or self._tail is None:
            self._begin_tail(connection)
        missed, self._missed = self._missed, None
        if missed is not None:
            if self._lost:
                connection._notify_player(self.server.texts.missed.replace("{count}", str(self._lost)))
            for text in missed:
                connection.write(text)
        self._lost = self._missed_size = 0

    def _unlink(self, connection: Connection) -> None:
        """Unbind a connection."""
        self._connections.remove(connection)
        self._name = connection.name
        connection._link.end_tail()
        connection.session = connection._inbox.barrier = connection._inbox.session = None
        connection._inbox.wake()

    def _begin_tail(self, connection: Connection) -> None:
        """Let the client of a new connection return, and that of an earlier one no longer."""
        sessions = self.server.sessions
        tail, self._tail = self._tail, None
        returning = sessions._take_returning(connection)
        # Any other token was given to a client with another count: of another device, or of an earlier server.
        continues = returning is not None and returning.token in (self._return_token, *self._offered)
        sessions._void(self._return_token)
        for earlier in self._connections[:-1]:
            earlier._link.end_tail()
        if can_return(connection):
            if tail is None or not continues:
                tail, self._offered = Tail(self.server.limits.max_tail), ()
            self._offer_return(connection, tail, seen=None if returning is None else returning.seen or 0)
            if returning is not None:
                catch_up(connection, tail, returning.seen)

    def _offer_return(self, connection: Connection, tail: Tail, *, seen: int | None = None) -> None:
        self._return_token = self.server.sessions._give_token(self, self._return_token, math.inf)
        self._tail = tail
        offer_return(connection, tail, self._return_token, self._grace, seen=seen)

    def _packages_named(self, connection: Connection) -> None:
        """Let the client return, if it has named the package `Session` only now."""
        if self._tail is None and connection is self.connection and can_return(connection):
            self._offer_return(connection, Tail(self.server.limits.max_tail))

    def _link_over(self, connection: Connection) -> None:
        """Take note that all functions on a connection's `Disconnect` have run."""
        self.server.sessions._link_ended(connection)

    def _suspend(self, expire: Callable[[], None]) -> None:
        """Start the grace, because the link is dead, and queue `LinkLost`."""
        self._wait(self._grace, expire)
        self._post(LinkLost(self))

    def _wait(self, seconds: float, expire: Callable[[], None]) -> None:
        """Wait for the player, with a dead link."""
        if seconds < math.inf:
            self._expiry = self._clock.at(trio.current_time() + seconds, expire)

    def _end(self, cause: Cause) -> None:
        """End the session: cancel its timers and work, and queue `SessionEnded`."""
        self.ending = cause
        if self._expiry is not None:
            self._expiry.cancel()
        self._cancel_timers()
        for scope in list(self._works or ()):
            scope.cancel(reason="the session is over")
        if self._works:
            when = trio.current_time() + self.server.limits.cleanup_timeout
            self._overdue = self.server._context.timers.at(when, self._name_unfinished)
        self._missed = self._tail = None
        self._post(SessionEnded(self, cause.reason, cause))

    def _has_worked(self, scope: trio.CancelScope) -> None:
        assert self._works is not None, "the scope is in it"
        del self._works[scope]
        if not self._works and self._overdue is not None:
            self._overdue.cancel()

    def _name_unfinished(self) -> None:
        for work in list((self._works or {}).values()):
            self.server._host.name_unfinished("work", work, f" for {self!r}")

    def _keep(self, text: Text) -> None:
        """Keep a text for replay; past `limits.max_replay`, drop the oldest."""
        if self._missed is None:
            self._missed = []
        limit = self.server.limits.max_replay
        self._missed.append(text)
        self._missed_size += _size_of(text)
        while self._missed and self._missed_size > limit:
            self._missed_size -= _size_of(self._missed.pop(0))
            self._lost += 1

    @property
    def _clock(self) -> Timers:
        return self.server._context.timers

    def _has_ended(self) -> bool:
        return self.ending is not None

    def _deliver_tick(self, timer: Timer) -> None:
        self._source.put(timer)


def _size_of(text: Text) -> int:
    """Return the bytes of a text and its line end, so that even an empty text counts."""
    return len(str(text).encode(errors="replace")) + 2
