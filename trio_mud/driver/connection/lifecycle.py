"""The life of a connection: one task, its scopes, and the decision how it ends.

Indentation is lifetime::

    handshake               PROXY header, TLS, the first byte of what may be a proxy's health check;
    |                       failed = it was never there: no event at all
    link
    ├─ Connect is handled; nothing was read or offered before
    ├─ stay                 cancelled = the ending is decided: no more is read
    │  ├─ dialogs, own work
    │  └─ reading; at end of file what was typed is served
    └─ last words           the rest-writer empties the outbox, within limits.quit_flush
    then its source yields Disconnect, and the transport is closed

Dialogs, own work and the rest-writer are siblings of this task, each in a scope of its own, and this one waits for
them: a nursery for each connection would take more than a kilobyte, and most have nothing to run most of the time.
The end of the stay cancels the scopes of the first two; a quit leaves the rest-writer's alone, which only the loss
of the link cancels.

An ending is always decided before a scope is cancelled, and the first decision stands.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ...transports import DeadPeer, Transport
from ..core.describing import innermost
from ..core.events import Cause, Reason
from ..core.guard import interrupt_in, log_error, own_cancellation
from ..core.timers import Deadline
from ..link.client import FactSource

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("trio_mud")

Work = Callable[[], Awaitable[object]]


class _TooFast(Exception):
    """The peer's address is past `limits.accept_rate_per_address`."""


class Life:
    """One connection's task. Owns its transport, and closes it, always.

    Attributes:
        cause: Why it is ending or has ended; None while it lives.
        last_words: The text of its ending.
        may_write: Whether there is a link to write to: from the verdict on, until it is lost.
        awaited: What its task waits for, if it waits for something of the connection's own; see `stir`.
    """

    __slots__ = (
        "_closing",
        "_connection",
        "_handshake",
        "_is_cut",
        "_overdue",
        "_stay",
        "_to_start",
        "_transport",
        "_works",
        "_writing",
        "awaited",
        "cause",
        "last_words",
        "may_write",
    )

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._handshake: trio.CancelScope | None = None
        self.may_write = False
        self._is_cut = False  # the link is lost, also if the ending was decided before as another
        self._writing: trio.CancelScope | None = None  # the rest-writer's, while there is one
        self._stay: trio.CancelScope | None = None
        self._works: dict[trio.CancelScope, tuple[str, object]] | None = None  # the dialogs and work that run, by scope
        self._overdue: Deadline | None = None  # when work that is still there is named
        self._closing: trio.CancelScope | None = None
        self.awaited: trio.Event | None = None  # what the task waits for
        self._to_start: list[tuple[Work, str, object]] | None = None  # when the stay begins
        self.cause: Cause | None = None
        self.last_words = ""

    # Endings

    @property
    def is_link_dead(self) -> bool:
        """Whether it ends or has ended by losing its link."""
        return self.cause is not None and self.cause.reason is Reason.LINKDEATH

    def end(self, cause: Cause, text: str = "") -> None:
        """Decide the ending, and only then cancel what it ends. The first decision stands."""
        if self.cause is not None:
            return
        self.cause, self.last_words = cause, text
        self._to_start = None  # if the stay has not begun it never does
        self._connection.ending_decided()
        if self._handshake is not None:
            self._handshake.cancel(reason=str(cause))
        if self.is_link_dead:
            self._cut_link()
        for scope in (self._stay, *(self._works or ())):
            if scope is not None:
                scope.cancel(reason=str(cause))
        if self._works:
            server = self._connection.server
            when = trio.current_time() + server.limits.cleanup
            self._overdue = server.timers.at(when, self._name_unfinished)
        self.stir()

    def _name_unfinished(self) -> None:
        connection = self._connection
        for what, function in list((self._works or {}).values()):
            connection.server.name_unfinished(what, function, f" for {connection.name} (#{connection.number})")

    def overrule(self, cause: Cause, text: str, say: Callable[[str], object]) -> None:
        """End by a refusal, which outweighs whatever was decided at the door; a living link reads it."""
        was_dead, self.cause = self.is_link_dead, None
        if not was_dead:
            say(text)
        self.end(cause, text)

    def lose_link(self, cause: Cause) -> None:
        """The link is gone: write nothing more. If no ending was decided before, this is it."""
        self.end(cause)
        self._connection.outbox.forget()
        self._cut_link()

    def break_link(self, error: trio.BrokenResourceError) -> None:
        """Reading or writing failed: whoever is at the other end is gone without an answer, or has torn the link."""
        self.lose_link(Cause.DEAD_PEER if isinstance(error, DeadPeer) else Cause.RESET)

    def fail(self, error: BaseException) -> None:
        """The driver, a transport or an option has a bug: it costs this connection."""
        connection = self._connection
        connection.server.repeats.log(
            logging.ERROR,
            f"connection {connection.name} (#{connection.number}) failed",
            kind=("connection", type(error), innermost(error)),
            summary=f"connections failed with {type(error).__name__}",
            error=error,
        )
        if (interrupt := interrupt_in(error)) is not None:
            self._connection.server.hook_interrupted(interrupt)
        self.lose_link(Cause.ERROR)

    def abort(self) -> None:
        """Lose the link now, and let its transport linger no more."""
        self.lose_link(Cause.CANCELLED)
        if self._closing is not None:
            self._closing.cancel(reason="the server ends at once")

    def open_link(self) -> None:
        """The verdict is there: what was written may go, unless the link was lost meanwhile."""
        self.may_write = not self._is_cut

    def _cut_link(self) -> None:
        self._is_cut = True
        self.may_write = False
        if self._writing is not None:
            self._writing.cancel(reason=str(self.cause))
        self.stir()

    # Tasks of its own

    def start_writer(self, write: Work) -> None:
        """Run the rest-writer, until it is done or the link is lost."""
        scope = trio.CancelScope()
        self._run_beside("rest-writer", write, scope, self._has_written)
        self._writing = scope

    def _has_written(self) -> None:
        self._writing = None

    def start(self, work: Work, what: str, function: object) -> None:
        """Run this as long as the stay lasts, from its beginning on.

        Args:
            work: The task.
            what: Its role, as for `log_failure`.
            function: Of the game, which the work calls.
        """
        if self._stay is None:
            if self._to_start is None:
                self._to_start = []
            self._to_start.append((work, what, function))
            return
        scope = trio.CancelScope()
        self._run_beside("work", work, scope, partial(self._has_worked, scope))
        if self._works is None:
            self._works = {}
        self._works[scope] = (what, function)

    def _has_worked(self, scope: trio.CancelScope) -> None:
        assert self._works is not None, "it is in there"
        del self._works[scope]
        if not self._works:
            self._works = None
            if self._overdue is not None:
                self._overdue.cancel()

    def _run_beside(self, name: str, work: Work, scope: trio.CancelScope, over: Callable[[], None]) -> None:
        """Run a sibling of this task, whose failure is the connection's."""
        run = partial(self._run_in, scope, work, over)
        self._connection.server.start_sibling(run, name=f"{name} of {self._connection.name}")

    @enable_ki_protection
    async def _run_in(self, scope: trio.CancelScope, work: Work, over: Callable[[], None]) -> None:
        try:
            with scope:
                await work()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a link
            if own_cancellation(error) is None:
                self.fail(error)
        finally:
            over()
            self.stir()

    def _is_alone(self) -> bool:
        """Whether nothing runs beside this task."""
        return self._writing is None and self._works is None

    def stir(self) -> None:
        """Something the task may wait for has changed."""
        if self.awaited is not None:
            self.awaited.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until a condition holds; whatever may change it calls `stir`. For the connection's own task only."""
        while not is_so():
            self.awaited = trio.Event()
            await self.awaited.wait()
        self.awaited = None

    # The one task

    @enable_ki_protection
    async def run(self) -> None:
        """Shake hands, then live. However that goes, the source yields Disconnect and the transport is closed."""
        connection = self._connection
        if (first := await self._shakes_hands()) is None:
            self.end(Cause.RESET)  # which nobody will hear of
            await self._close(gently=False)
            connection.server.leave(connection)
            return
        try:
            await self._live(first)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a link
            if own_cancellation(error) is None:
                self.fail(error)
        finally:
            self.end(Cause.ERROR)
            self._cut_link()
            if not self._is_alone():
                with trio.CancelScope(shield=True):  # all of it is cancelled, and will not be long
                    await self.until(self._is_alone)
            connection.inbox.close()
            await self._close(gently=connection.outbox.is_empty and (self.cause is Cause.EOF or not self.is_link_dead))
            connection.server.leave(connection)

    async def _shakes_hands(self) -> bytes | None:
        """Wait until the peer has done in time what its transport asks for; before that it is not there.

        Returns:
            The peer's first bytes where nothing may be sent before them, otherwise b""; None if it failed.
        """
        try:
            return await self._shakes_hands_in_time()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a link
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s failed in its handshake", self._connection.name)
            self._connection.server.counters["handshakes failed"] += 1
            return None

    async def _shakes_hands_in_time(self) -> bytes | None:
        connection, transport = self._connection, self._transport
        first: bytes | None = None
        why, counted_as = "it took too long", ""
        if not transport.shakes_hands and self.cause is None:
            self._arrive()
            return b""
        server = connection.server
        with server.handshake(connection), trio.move_on_after(server.limits.handshake) as self._handshake:
            if self.cause is not None:
                self._handshake.cancel(reason="ended before it began")
            try:
                self._hurry_if_refused()
                await self._locate()
                self._hurry_if_refused()
                await transport.handshake()
                first = await self._first_bytes()
                self._arrive()
            except _TooFast:
                why, counted_as = "connections from there come too fast", "closed by rate"
            except trio.BrokenResourceError as error:
                why = str(error) or str(error.__cause__ or "the link is gone")
        self._handshake = None
        if first is None:
            failure = "health checks" if transport.may_be_health_check else "handshakes failed"
            server.counters[counted_as or failure] += 1
            if self.cause is not None:
                why = f"it ended before ({self.cause})"
            logger.debug("%s from %s was never there: %s", connection.name, connection.address or "nowhere", why)
        return first

    async def _locate(self) -> None:
        """Learn where the peer is, and count it there, before anything else costs time."""
        await self._transport.locate()
        if not self._connection.server.locate(self._connection, is_named=not self._transport.may_be_health_check):
            raise _TooFast

    def _hurry_if_refused(self) -> None:
        """Let a peer that is refused already hold its place for no longer than any other that is."""
        assert self._handshake is not None
        if self._connection.refused:
            patience = trio.current_time() + self._connection.server.limits.linger
            self._handshake.deadline = min(self._handshake.deadline, patience)

    async def _first_bytes(self) -> bytes:
        """Wait for a player's first bytes if the link may be a proxy's health check, which sends none."""
        if not self._transport.may_be_health_check:
            return b""
        if not (first := await self._transport.receive()):
            raise trio.BrokenResourceError("it ended before its first byte, as health checks do")
        return first

    def _arrive(self) -> None:
        """The handshake is done, and has told what only it can tell."""
        connection = self._connection
        if self._transport.is_secure:
            connection.client.learn("is_secure", True, FactSource.TRANSPORT)
            connection.engine = connection.client.engine = connection.server.make_engine(is_secure=True)

    async def _live(self, first: bytes) -> None:
        inbox, outbox = self._connection.inbox, self._connection.outbox
        inbox.arrive()  # Connect is queued before the first checkpoint
        await self.until(lambda: not inbox.is_undecided or self._is_cut)
        if self.cause is None:
            await self._stay_and_read(first)
        if self.may_write and not outbox.is_empty:
            with trio.move_on_after(self._connection.server.limits.quit_flush):
                await self.until(lambda: outbox.is_empty or self._is_cut)

    async def _stay_and_read(self, first: bytes) -> None:
        connection = self._connection
        with trio.CancelScope() as self._stay:
            try:
                to_start, self._to_start = self._to_start, None
                for work in to_start or ():
                    self.start(*work)
                await self._read(first)
                connection.server.release(connection)
                with trio.move_on_after(connection.server.limits.quit_flush):
                    await self.until(lambda: connection.is_served and connection.outbox.is_empty)
                self.end(Cause.EOF)
            finally:
                self.end(Cause.ERROR)
                self._stay = None
        await self.until(lambda: self._works is None)

    async def _read(self, first: bytes) -> None:
        try:
            if first and not self._connection.feed(first):
                await self._connection.room()
            await self._transport.listen(self._connection, self._connection.server.poller)
        except trio.BrokenResourceError as error:
            self.break_link(error)
            await trio.lowlevel.checkpoint()  # ends here

    async def _close(self, *, gently: bool) -> None:
        """Close the transport: gently if everything was written, but never for long."""
        server = self._connection.server
        patience = server.limits.linger if gently and not server.aborting.is_set() else 0
        try:
            with trio.move_on_after(patience, shield=True) as self._closing:
                await (self._transport.aclose() if gently else self._transport.aclose_forcefully())
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a link
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s did not close", self._connection.name)
