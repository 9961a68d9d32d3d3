"""The lifecycle of a connection: its one task, its two scopes, and the decision how it ends.

Theory of operation
-------------------
Indentation is lifetime::

    handshake               PROXY header, TLS, the first byte of what may be a proxy's health check;
    |                       if it fails the connection never existed: no event at all
    link scope              cancelled when the link is lost; never by a quit
    ├─ Connect is handled; nothing was read or offered before
    ├─ active scope         cancelled when the ending is decided; nothing more is read
    │  └─ reading; at end of file everything typed is served first
    └─ last words           the link drains, within limits.quit_flush
    then the link is closed, and the inbox yields Disconnect

So after a quit the active scope was cancelled and the link scope was not; after a link death both were,
and trio lets only the outermost of the two catch the cancellation.
The link scope is also cancelled when the link is lost while last words drain; the ending stays a quit.

Dialogs, the game's own work and the link's writer are siblings of this task, each in a scope of its own, and this
task waits for them: a nursery for each connection would take more than a kilobyte, and most have nothing to run.
The end of the active scope cancels the scopes of the first two; the writer's ends with the link scope, so that a
quit never cuts a text in half.

An ending is always decided before a scope is cancelled, and the first decision stands.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import trio
from trio.lowlevel import enable_ki_protection

from ...transports import DeadPeer
from ..core.context import Context
from ..core.describing import innermost
from ..core.events import Cause, Reason
from ..core.guard import interrupt_in, log_error, own_cancellation
from ..core.timers import Deadline
from ..link.base import Link
from .inbox import Inbox

logger = logging.getLogger("trio_mud")

Work = Callable[[], Awaitable[object]]


class Owner(Protocol):
    """The connection, as far as its lifecycle needs it."""

    @property
    def label(self) -> str:
        """The name and the number, for logs."""
        ...

    @property
    def refused(self) -> bool:
        """True if the connect hook, or a bound, refused it."""
        ...

    @property
    def is_aborting(self) -> bool:
        """True if the server ends the hard way, and nothing may take long."""
        ...

    def handshake(self) -> AbstractContextManager[None]:
        """Count a handshake while it runs."""
        ...

    def locate(self, *, is_named: bool) -> bool:
        """The address is certain; return False if too many connections come from there."""
        ...

    def typed_first(self) -> None:
        """The first line was typed."""
        ...

    def release(self) -> None:
        """The input has ended: stop counting the connection for its address."""
        ...

    def ending_decided(self) -> None:
        """Release what ends with the active scope, before any scope is cancelled."""
        ...

    def quit(self, text: str, *, cause: Cause) -> None:
        """End the connection after its pending output."""
        ...

    def name_unfinished(self, what: str, function: object) -> None:
        """Log that work goes on although it was cancelled."""
        ...

    def interrupted(self, error: BaseException) -> None:
        """An interrupt came out of code of the game: the server stops."""
        ...

    def closed(self) -> None:
        """The link is closed; `Disconnect` may still wait for its turn."""
        ...

    def start_sibling(self, work: Work, *, name: str) -> None:
        """Run a task beside the connection's own."""
        ...


class Lifecycle:
    """One connection's task. Owns its link, and closes it, always.

    Attributes:
        cause: Why the connection is ending or has ended; None while it lives.
        last_words: The text of its ending.
        link_scope: Cancelled when the link is lost, and never by a quit.
        active_scope: Inside it; cancelled when the ending is decided. None before the verdict.
        wakeup: Set by `notify` while the task waits for something of the connection's own; otherwise None.
    """

    __slots__ = (
        "_closing",
        "_context",
        "_handshake",
        "_inbox",
        "_link",
        "_overdue",
        "_owner",
        "_to_start",
        "_works",
        "active_scope",
        "cause",
        "last_words",
        "link_scope",
        "wakeup",
    )

    _inbox: Inbox

    def __init__(self, owner: Owner, context: Context, link: Link) -> None:
        self._owner = owner
        self._context = context
        self._link = link
        self._handshake: trio.CancelScope | None = None
        self.link_scope = trio.CancelScope()
        self.active_scope: trio.CancelScope | None = None
        self._works: dict[trio.CancelScope, tuple[str, object]] | None = None  # the dialogs and work that run, by scope
        self._overdue: Deadline | None = None  # when work that is still there is named
        self._to_start: list[tuple[Work, str, object]] | None = None  # when the active scope begins
        self._closing: trio.CancelScope | None = None
        self.wakeup: trio.Event | None = None
        self.cause: Cause | None = None
        self.last_words = ""

    def attach(self, inbox: Inbox) -> None:
        """Set the inbox: once, before anything else."""
        self._inbox = inbox

    # Endings

    @property
    def is_link_dead(self) -> bool:
        """True if the connection ends or has ended by losing its link."""
        return self.cause is not None and self.cause.reason is Reason.LINKDEATH

    def end(self, cause: Cause, text: str = "") -> None:
        """Decide the ending, and only then cancel what it ends. The first decision stands."""
        if self.cause is not None:
            return
        self.cause, self.last_words = cause, text
        self._to_start = None  # if the active scope has not begun, it never does
        self._owner.ending_decided()
        if self._handshake is not None:
            self._handshake.cancel(reason=str(cause))
        if self.active_scope is not None:
            self.active_scope.cancel(reason=str(cause))
        if self._works:
            for scope in self._works:
                scope.cancel(reason=str(cause))
            when = trio.current_time() + self._context.limits.cleanup
            self._overdue = self._context.timers.at(when, self._name_unfinished)
        self.notify()

    def _name_unfinished(self) -> None:
        for what, function in list((self._works or {}).values()):
            self._owner.name_unfinished(what, function)

    def override(self, cause: Cause, text: str, write: Callable[[str], object]) -> None:
        """End by a refusal, which outweighs an ending decided during the connect hook; a living link reads it."""
        self.cause = None
        if not self.link_scope.cancel_called:
            write(text)
        self.end(cause, text)

    def quit(self, text: str, cause: Cause) -> None:
        """End the connection after its pending output."""
        self._owner.quit(text, cause=cause)

    def typed_first(self) -> None:
        """The first line was typed."""
        self._owner.typed_first()

    def lose_link(self, cause: Cause) -> None:
        """The link is gone: nothing more is written. If no ending was decided before, this is it."""
        self.end(cause)
        self._link.discard()
        self.link_scope.cancel(reason="the link is lost")
        self.notify()

    def fail(self, error: BaseException) -> None:
        """The driver, a transport or code of the game called by them has a bug: it costs this connection."""
        self._context.repeats.log(
            logging.ERROR,
            f"connection {self._owner.label} failed",
            kind=("connection", type(error), innermost(error)),
            summary=f"connections failed with {type(error).__name__}",
            error=error,
        )
        if (interrupt := interrupt_in(error)) is not None:
            self._owner.interrupted(interrupt)
        self.lose_link(Cause.ERROR)

    def abort(self) -> None:
        """Lose the link now, without waiting for its transport to close gently."""
        self.lose_link(Cause.CANCELLED)
        if self._closing is not None:
            self._closing.cancel(reason="the server ends at once")

    # Siblings

    def start(self, work: Work, what: str, function: object) -> None:
        """Run this as long as the active scope lasts, from its beginning on.

        Args:
            work: The task.
            what: Its role, as for `log_failure`.
            function: Of the game, which the work calls.
        """
        if self.active_scope is None:
            if self._to_start is None:
                self._to_start = []
            self._to_start.append((work, what, function))
            return
        scope = trio.CancelScope()
        if self._works is None:
            self._works = {}
        self._works[scope] = (what, function)
        self._owner.start_sibling(partial(self._run_in, scope, work), name=f"work of {self._owner.label}")

    @enable_ki_protection
    async def _run_in(self, scope: trio.CancelScope, work: Work) -> None:
        try:
            with scope:
                await work()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                self.fail(error)
        finally:
            assert self._works is not None, "this scope is in there"
            del self._works[scope]
            if not self._works:
                self._works = None
                if self._overdue is not None:
                    self._overdue.cancel()
            self.notify()

    # Waiting

    def notify(self) -> None:
        """Something the task may wait for has changed."""
        if self.wakeup is not None:
            self.wakeup.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; whatever may change it calls `notify`. For the connection's own task only."""
        while not condition():
            self.wakeup = trio.Event()
            await self.wakeup.wait()
        self.wakeup = None

    # The one task

    @enable_ki_protection
    async def run(self) -> None:
        """Do the handshake, then live. However that goes, the link is closed and the inbox yields Disconnect."""
        if not await self._has_arrived():
            self.end(Cause.RESET)  # no event reports it
            await self._close(gently=False)
            self._owner.closed()
            return
        is_whole = False  # everything written was taken
        try:
            is_whole = await self._live()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                self.fail(error)
        finally:
            self.end(Cause.ERROR)
            if not self.is_link_dead:  # a lost link has discarded its output already
                self._link.discard()
            if self._works is not None or not self._link.is_drained:
                with trio.CancelScope(shield=True):  # all of it is cancelled already, so this is short
                    await self._link.drain()
                    await self.wait_until(lambda: self._works is None)
            self._inbox.close()
            await self._close(gently=is_whole)
            self._owner.closed()

    async def _has_arrived(self) -> bool:
        """Return True if the peer did in time what its transport asks; before that the connection does not exist."""
        if not self._link.needs_handshake and self.cause is None:
            await self._link.handshake()
            return True
        try:
            return await self._has_done_its_part()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s failed in its handshake", self._owner.label)
            self._context.counters["handshakes failed"] += 1
            return False

    async def _has_done_its_part(self) -> bool:
        link, owner = self._link, self._owner
        why, counted_as, has_arrived = "it took too long", "", False
        with owner.handshake(), trio.move_on_after(self._context.limits.handshake) as self._handshake:
            if self.cause is not None:
                self._handshake.cancel(reason="ended before it began")
            try:
                self._hurry_if_refused()
                await link.locate()
                if owner.locate(is_named=not link.may_be_health_check):  # before anything else costs time
                    self._hurry_if_refused()
                    await link.handshake()
                    has_arrived = True
                else:
                    why, counted_as = "connections from there come too fast", "closed by rate"
            except trio.BrokenResourceError as error:
                why = str(error) or str(error.__cause__ or "the link is gone")
        self._handshake = None
        if not has_arrived:
            failure = "health checks" if link.may_be_health_check else "handshakes failed"
            self._context.counters[counted_as or failure] += 1
            if self.cause is not None:
                why = f"it ended before ({self.cause})"
            logger.debug("%s from %s never arrived: %s", owner.label, link.address or "an unknown address", why)
        return has_arrived

    def _hurry_if_refused(self) -> None:
        """Let a peer that is refused already hold its place for no longer than any other that is."""
        assert self._handshake is not None
        if self._owner.refused:
            deadline = trio.current_time() + self._context.limits.linger
            self._handshake.deadline = min(self._handshake.deadline, deadline)

    async def _live(self) -> bool:
        """Stand in the link scope; return True if everything written was taken."""
        inbox, link = self._inbox, self._link
        is_whole = False
        with self.link_scope:
            inbox.arrive()  # Connect is queued before the first checkpoint
            await self.wait_until(lambda: not inbox.is_undecided)
            if self.cause is None:
                with trio.CancelScope() as self.active_scope:
                    try:
                        to_start, self._to_start = self._to_start, None
                        for work in to_start or ():
                            self.start(*work)
                        lost = Cause.EOF
                        try:
                            await link.read()
                            is_whole = await self._serve_the_rest()
                        except trio.BrokenResourceError as error:
                            lost = Cause.DEAD_PEER if isinstance(error, DeadPeer) else Cause.RESET
                        self.lose_link(lost)
                        await trio.lowlevel.checkpoint()  # both scopes are cancelled: this leaves them by that
                    finally:
                        self.end(Cause.ERROR)
                await self.wait_until(lambda: self._works is None)
            if not self.is_link_dead:
                with trio.move_on_after(self._context.limits.quit_flush):
                    await link.drain()
                # Asked here, inside the scope: after a loss `discard` would make a link look drained.
                is_whole = link.is_drained and not self.link_scope.cancel_called
        return is_whole

    async def _serve_the_rest(self) -> bool:
        """After the end of file, serve what was typed; return True if everything written was taken."""
        inbox, link = self._inbox, self._link
        self._owner.release()
        with trio.move_on_after(self._context.limits.quit_flush):
            await self.wait_until(lambda: inbox.is_served and link.is_drained)
        return link.is_drained

    async def _close(self, *, gently: bool) -> None:
        """Close the link: gently if everything written was taken, but never for long."""
        assert self.cause is not None, "it is decided before anything closes"
        timeout = self._context.limits.linger if gently and not self._owner.is_aborting else 0
        try:
            with trio.move_on_after(timeout, shield=True) as self._closing:
                await self._link.aclose(gently=gently, why=self.cause)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s did not close", self._owner.label)
