"""The lifecycle of a connection: its one task, its two scopes, and the decision of its ending.

Theory of operation
-------------------
Indentation is lifetime::

    handshake               PROXY header, TLS, the first byte of a possible health check;
    |                       if it fails, the connection raises no event at all
    link scope              cancelled when the link is lost; never by a quit
    ├─ Connect is handled; nothing was read or offered before
    ├─ active scope         cancelled when the ending is decided; nothing more is read
    │  └─ reading; at end of file all typed lines are served first
    └─ last words           the link drains, within limits.quit_timeout
    then the link is closed, and the inbox yields Disconnect

So after a quit the active scope was cancelled and the link scope was not. After a link death both were,
and trio lets only the outermost of the two catch the cancellation.
The link scope is also cancelled when the link is lost while last words drain; the ending is then still a quit.

Dialogs, background work and the link's writer are siblings of this task, each in a scope of its own. This task waits
for them. A nursery for each connection would take more than a kilobyte, and most connections have nothing to run.
The end of the active scope cancels the scopes of dialogs and work. The writer's scope ends with the link scope, so
that a quit never cuts a text in half.

An ending is always decided before a scope is cancelled, and the first decision stands.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import trio
from trio.lowlevel import Abort, Task, current_task, enable_ki_protection, reschedule, wait_task_rescheduled

from ...transports import DeadPeer, ProtocolViolation, RequestAnswered
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
    def _label(self) -> str:
        """The name and the number, for log lines."""
        ...

    @property
    def is_refused(self) -> bool:
        """True if the connect hook or a limit refused it."""
        ...

    @property
    def _is_aborting(self) -> bool:
        """True if the server is being stopped hard, and nothing may take long."""
        ...

    def _handshake(self) -> AbstractContextManager[None]:
        """Count a handshake while it runs."""
        ...

    def _locate(self, *, is_named: bool) -> bool:
        """Check the rate of new connections from its address; return False if it is exceeded.

        Args:
            is_named: False if the peer has not named the address of the client, as in a proxy's health check.
        """
        ...

    def _turned_away(self, what: str) -> None:
        """Take note that the handshake failed, or was answered otherwise; `what` is the name of its counter."""
        ...

    def _typed_first(self) -> None:
        """Take note that the first line was typed."""
        ...

    def _release(self) -> None:
        """Stop counting the connection for its address, because its input has ended."""
        ...

    def _ending_decided(self) -> None:
        """Release everything that ends with the active scope, before any scope is cancelled."""
        ...

    def quit(self, text: str, *, cause: Cause) -> None:
        """End the connection after its pending output."""
        ...

    def _name_unfinished(self, what: str, function: object) -> None:
        """Log that work still runs although it was cancelled."""
        ...

    def _interrupted(self, error: BaseException) -> None:
        """Stop the server, because code of the game was interrupted."""
        ...

    def _closed(self) -> None:
        """Take note that the link is closed; `Disconnect` may still wait for its turn."""
        ...

    def _start_sibling(self, work: Work, *, name: str) -> None:
        """Run a task beside the connection's own."""
        ...


class Lifecycle:
    """One connection's task. Owns its link and always closes it.

    Attributes:
        cause: The cause of its ending; None while it lives.
        last_words: The text of its ending.
        link_scope: Cancelled when the link is lost, and never by a quit.
        active_scope: Inside it; cancelled when the ending is decided. None before the verdict.
        sleeper: The task, while it waits in `wait_until`; otherwise None. `notify` wakes it.
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
        "sleeper",
    )

    _inbox: Inbox

    def __init__(self, owner: Owner, context: Context, link: Link) -> None:
        self._owner = owner
        self._context = context
        self._link = link
        self._handshake: trio.CancelScope | None = None
        self.link_scope = trio.CancelScope()
        self.active_scope: trio.CancelScope | None = None
        self._works: dict[trio.CancelScope, tuple[str, object]] | None = None  # dialogs and work that run, by scope
        self._overdue: Deadline | None = None  # when unfinished work is logged
        self._to_start: list[tuple[Work, str, object, str | None]] | None = None  # when the active scope begins
        self._closing: trio.CancelScope | None = None
        self.sleeper: Task | None = None
        self.cause: Cause | None = None
        self.last_words = ""

    def attach(self, inbox: Inbox) -> None:
        """Set the inbox. Called once, before any other method."""
        self._inbox = inbox

    # Endings

    @property
    def is_link_dead(self) -> bool:
        """True if the connection ends or has ended by losing its link."""
        return self.cause is not None and self.cause.reason is Reason.LINKDEATH

    def end(self, cause: Cause, text: str = "") -> None:
        """Decide the ending, then cancel the scopes. The first decision stands."""
        if self.cause is not None:
            return
        # Before any cancel: code that wakes up cancelled, and every later call, must find the ending decided.
        self.cause, self.last_words = cause, text
        self._to_start = None  # if the active scope has not begun, it never does
        self._owner._ending_decided()
        if self._handshake is not None:
            self._handshake.cancel(reason=str(cause))
        if self.active_scope is not None:
            self.active_scope.cancel(reason=str(cause))
        if self._works:
            for scope in self._works:
                scope.cancel(reason=str(cause))
            when = trio.current_time() + self._context.limits.cleanup_timeout
            self._overdue = self._context.timers.at(when, self._name_unfinished)
        self.notify()

    def _name_unfinished(self) -> None:
        for what, function in list((self._works or {}).values()):
            self._owner._name_unfinished(what, function)

    def override(self, cause: Cause, text: str, write: Callable[[str], object]) -> None:
        """End by a refusal, which replaces an ending decided during the connect hook.

        The text is sent unless the link is lost.
        """
        self.cause = None
        if not self.link_scope.cancel_called:
            write(text)
        self.end(cause, text)

    def quit(self, text: str, cause: Cause) -> None:
        """End the connection after its pending output."""
        self._owner.quit(text, cause=cause)

    def typed_first(self) -> None:
        """Take note that the first line was typed."""
        self._owner._typed_first()

    def lose_link(self, cause: Cause) -> None:
        """End by the loss of the link, unless an ending was decided before; nothing more is written."""
        self.end(cause)
        self._link.discard()  # pending output can no longer be sent, and its writer must not wait for the peer
        self.link_scope.cancel(reason="the link is lost")
        self.notify()

    def fail(self, error: BaseException) -> None:
        """End the connection, because the driver, a transport or code of the game that they call raised."""
        self._context.repeats.log(
            logging.ERROR,
            f"connection {self._owner._label} failed",
            kind=("connection", type(error), innermost(error)),
            summary=f"connections failed with {type(error).__name__}",
            error=error,
        )
        if (interrupt := interrupt_in(error)) is not None:
            self._owner._interrupted(interrupt)
        self.lose_link(Cause.ERROR)

    def abort(self) -> None:
        """Lose the link now, without waiting for its transport to close gently."""
        self.lose_link(Cause.CANCELLED)
        if self._closing is not None:
            self._closing.cancel(reason="the server ends at once")

    # Siblings

    def start(self, work: Work, what: str, function: object, name: str | None = None) -> None:
        """Run work until the active scope ends; it starts when that scope begins.

        Args:
            work: The task.
            what: Its role, as for `log_failure`.
            function: The game's function that the work calls.
        """
        if self.active_scope is None:
            if self._to_start is None:
                self._to_start = []
            self._to_start.append((work, what, function, name))
            return
        scope = trio.CancelScope()
        if self._works is None:
            self._works = {}
        self._works[scope] = (what, function)
        self._owner._start_sibling(partial(self._run_in, scope, work), name=name or f"work of {self._owner._label}")

    def _start_held(self) -> None:
        """Start the work that waited for the active scope."""
        held, self._to_start = self._to_start, None
        for work in held or ():
            self.start(*work)

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

    def open_scopes(self) -> Iterator[str]:
        """Yield what this connection's open scopes are for, the outermost first."""
        if self._handshake is not None:
            yield "handshake"
        if not (self._inbox.is_in_handshake or self.link_scope.cancel_called or self._closing is not None):
            yield "link"
        if self.active_scope is not None and not self.active_scope.cancel_called:
            yield "active"
        yield from (what for what, _ in (self._works or {}).values())
        if self._closing is not None:
            yield "close"

    def notify(self) -> None:
        """Make the task check the condition of `wait_until` again."""
        if self.sleeper is not None:
            sleeper, self.sleeper = self.sleeper, None
            reschedule(sleeper)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. For the connection's own task only.

        Code that may change the condition calls `notify`.
        """
        while not condition():
            self.sleeper = current_task()  # a `trio.Event` would do, and cost a new connection two percent more
            await wait_task_rescheduled(self._forget_sleeper)

    def _forget_sleeper(self, _: object) -> Abort:
        self.sleeper = None
        return Abort.SUCCEEDED

    # Conditions; lambdas would keep a cell for each variable in the frame of the waiting task, 120 bytes in all

    def _is_decided(self) -> bool:
        return not self._inbox.is_undecided

    def _is_alone(self) -> bool:
        return self._works is None

    # The one task

    @enable_ki_protection
    async def run(self) -> None:
        """Do the handshake, then serve. In every case the link is closed and the inbox yields `Disconnect`."""
        if not await self._has_arrived():
            self.end(Cause.RESET)  # releases what it holds; no event reports it, since Connect was not queued
            await self._close(gently=False)
            self._owner._closed()
            return
        is_whole = False  # all output was sent
        try:
            # Both scopes are entered here: another coroutine would take 280 bytes as long as the connection lives.
            with self.link_scope:
                self._inbox.arrive()  # Connect is queued before the first checkpoint
                await self.wait_until(self._is_decided)
                if self.cause is None:
                    with trio.CancelScope() as self.active_scope:
                        self._start_held()
                        try:
                            await self._link.read()
                            is_whole = await self._serve_the_rest()
                            self.lose_link(Cause.EOF)
                        except ProtocolViolation:
                            self.end(Cause.PROTOCOL)  # the link can still close gently
                        except trio.BrokenResourceError as error:
                            self.lose_link(Cause.DEAD_PEER if isinstance(error, DeadPeer) else Cause.RESET)
                        # Both scopes are cancelled now. Leaving them by the cancellation keeps their
                        # `cancelled_caught` true to the ending, as when the poller reports the loss.
                        await trio.lowlevel.checkpoint()
                    await self.wait_until(self._is_alone)
                if not self.is_link_dead:
                    is_whole = await self._say_last_words()
        except GeneratorExit:
            raise  # the coroutine is closed by the garbage collector; awaiting anything would raise RuntimeError
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            is_whole = False
            # A cancellation of this task is no failure, and need not be raised again: the task ends below.
            if own_cancellation(error) is None:
                self.fail(error)
        finally:
            self.end(Cause.ERROR)  # has no effect unless this failed or was cancelled before an ending was decided
            if not self.is_link_dead:  # a lost link has discarded its output already
                self._link.discard()
            if self._works is not None or not self._link.is_drained:
                # Nothing may outlive the connection. All siblings are cancelled already, so this wait is short,
                # unless a game's function swallows its cancellation; then `_name_unfinished` logs it.
                with trio.CancelScope(shield=True):
                    await self._link.drain()
                    await self.wait_until(self._is_alone)
            self._inbox.close()
            await self._close(gently=is_whole)
            self._owner._closed()

    async def _has_arrived(self) -> bool:
        """Do the handshake; return True if the peer completed it in time. No event is raised before."""
        try:
            if not self._link.needs_handshake and self.cause is None:
                await self._link.handshake()
                return True
            return await self._has_done_its_part()
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s failed in its handshake", self._owner._label)
            self._owner._turned_away("handshakes failed")
            return False

    async def _has_done_its_part(self) -> bool:
        link, owner = self._link, self._owner
        why, counted_as, has_arrived = "it took too long", "", False
        with owner._handshake(), trio.move_on_after(self._context.limits.handshake_timeout) as self._handshake:
            if self.cause is not None:
                self._handshake.cancel(reason="ended before it began")
            try:
                # First the PROXY header, which is cheap: a flood is rejected before TLS costs CPU time.
                self._hurry_if_refused()
                await link.locate()
                if owner._locate(is_named=not link.may_be_health_check):
                    self._hurry_if_refused()
                    await link.handshake()
                    has_arrived = True
                else:
                    why, counted_as = "too many new connections from this address", "closed by rate"
            except RequestAnswered as error:
                why, counted_as = str(error), "requests answered"
                self._context.counters[f"answered with {error.status}"] += 1
            except trio.BrokenResourceError as error:
                why = str(error) or str(error.__cause__ or "the link is lost")
        self._handshake = None
        if not has_arrived:
            failure = "health checks" if link.may_be_health_check else "handshakes failed"
            owner._turned_away(counted_as or failure)
            if self.cause is not None:
                why = f"the connection was ended ({self.cause})"
            logger.debug("handshake of %s from %s failed: %s", owner._label, link.address or "an unknown address", why)
        return has_arrived

    def _hurry_if_refused(self) -> None:
        """Shorten the handshake of a connection that a limit refused already, so that it frees its slot soon."""
        assert self._handshake is not None
        if self._owner.is_refused:
            deadline = trio.current_time() + self._context.limits.linger_timeout
            self._handshake.deadline = min(self._handshake.deadline, deadline)

    async def _serve_the_rest(self) -> bool:
        """After the end of file, serve all typed lines; return True if all output was sent."""
        # A client may half-close (`printf 'look\nquit\n' | nc`): its lines deserve their answers, and a `quit`
        # among them makes the ending a quit. The peer counts for its address no longer: it can send nothing.
        inbox, link = self._inbox, self._link
        self._owner._release()
        with trio.move_on_after(self._context.limits.quit_timeout):
            await self.wait_until(lambda: inbox.is_served and link.is_drained)
            inbox.input_over()
            await self.wait_until(lambda: inbox.is_served and link.is_drained)
        return link.is_drained

    async def _say_last_words(self) -> bool:
        """Drain the link within `limits.quit_timeout`; return True if all output was sent."""
        with trio.move_on_after(self._context.limits.quit_timeout):
            await self._link.drain()
        # Read inside the link scope: after a loss, `discard` makes the link look drained.
        return self._link.is_drained and not self.link_scope.cancel_called

    async def _close(self, *, gently: bool) -> None:
        """Close the link: gently if all output was sent, within `limits.linger_timeout`."""
        assert self.cause is not None, "it is decided before anything closes"
        timeout = self._context.limits.linger_timeout if gently and not self._owner._is_aborting else 0
        try:
            with trio.move_on_after(timeout, shield=True) as self._closing:
                await self._link.aclose(gently=gently, why=self.cause)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a connection
            if own_cancellation(error) is None:
                log_error(error, "the transport of %s failed to close", self._owner._label)
