"""The dispatcher's host: chooses the functions that run for an event, and handles their failures.

The game's functions come from its `Hooks`. The network's own steps run before the first or after the last of them.
A failure costs one call. It is logged with the function, the event and the typed line, and the player concerned
receives a sentence of `Texts`. Only an interrupt, an exit and a failure on `Started` stop the server.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

import trio

from ...errors import ConnectionEnded
from ...text import Text
from ..connection.connection import Connection, Connections
from ..connection.events import Connect, Disconnect, Input, ResumeRequested
from ..core.context import Context
from ..core.describing import describe, guarded, typed
from ..core.events import Cause, HookEvent, Reason
from ..core.failures import log_failure
from ..core.guard import attribute_of, describe_value, interrupt_in, is_a, log_error, unwrap_single
from ..core.hooks import HookFunction, Hooks
from ..core.timers import Tick
from ..link.base import LinkReceiver
from ..link.telnet import TelnetLink
from ..link.traffic import OTHER, count_at
from .events import Started

logger = logging.getLogger("trio_mud")

# Adds the network's own steps for one type of event to the functions of the game.
_Surround = Callable[[Any, Sequence[HookFunction]], Sequence[HookFunction]]


class Stopping(Protocol):
    """The task tree, as far as failures need it.

    Attributes:
        fatal: The unrecoverable error that ends the server; None without one.
        last_words: The text that players receive, once a shutdown has begun; otherwise None.
    """

    fatal: BaseException | None
    last_words: str | None

    def fail(self, error: BaseException) -> None:
        """Take the hard path, and make `serve` raise the error."""
        ...

    def interrupted(self, error: BaseException) -> None:
        """End because of a KeyboardInterrupt or SystemExit."""
        ...

    def note_started(self) -> None:
        """Take note that all functions on `Started` have run."""
        ...


class HookHost:
    """The server's side of the dispatcher.

    Attributes:
        hooks: The game's functions; may be replaced between two events.
        connections: The admitted connections.
        undecided: The accepted connections without a verdict, by number. Each leaves it once: when its handshake fails,
            or when it is admitted or refused.
        events: The number of events by the name of their type, but for `Input`, whose way must be short.
        visit_level: The level at which the visits of players are logged.
    """

    _context: Context
    _stopping: Stopping
    _begin_timers: Callable[[], None]

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.connections = Connections()
        self.undecided: dict[int, Connection] = {}
        self.events: Counter[str] = Counter()
        self.visit_level = logging.INFO
        self._dirty: list[LinkReceiver] = []
        self._rendered: dict[Hashable, tuple[Text, bytes]] = {}
        self._after_flush: Sequence[Callable[[], object]] = ()
        self.must_flush = trio.Event()  # output was written outside a batch
        self._with_own_steps: Final[Mapping[type[HookEvent], _Surround]] = {
            Connect: self._around_connect,
            Disconnect: self._around_disconnect,
            Tick: self._instead_of_tick,
            ResumeRequested: self._around_resume,
            Started: self._around_started,
        }

    def attach(
        self,
        context: Context,
        stopping: Stopping,
        rendered: dict[Hashable, tuple[Text, bytes]],
        after_flush: Sequence[Callable[[], object]],
        begin_timers: Callable[[], None],
    ) -> None:
        """Set the parts that themselves need the dispatcher. Called once, before any other method."""
        self._context = context
        self._begin_timers = begin_timers
        self._stopping = stopping
        self._rendered = rendered
        self._after_flush = after_flush

    # Called by the dispatcher

    def functions_for(self, event: HookEvent) -> Sequence[HookFunction]:
        """Return the functions to run for an event: the game's functions, the network's own steps outermost."""
        try:
            functions = self.hooks.functions_for(type(event))
        except Exception as error:  # noqa: BLE001 - a registry of the game's own; the network's own steps must run
            self.hook_failed(event, self.hooks.functions_for, error)
            functions = ()
        if type(event) is Input:  # first, since most events are
            return functions
        self.events[type(event).__name__] += 1
        surround = self._with_own_steps.get(type(event))
        return functions if surround is None else surround(event, functions)

    def flush(self) -> None:
        """Flush each dirty connection once."""
        if self._rendered:  # texts shared within a batch; kept longer, they would hold memory
            self._rendered.clear()
        while self._dirty:  # a flush may itself write: the notice that output was dropped
            dirty, self._dirty = self._dirty, []
            for receiver in dirty:
                try:
                    receiver.flush()
                except BaseException as error:  # noqa: BLE001 - a failure costs this connection
                    receiver.failed(error)
        for function in self._after_flush:
            function()

    def hook_failed(self, event: HookEvent, function: HookFunction, error: BaseException) -> None:
        """Log a failure and notify the player. On `Connect` it refuses the connection; on `Started` the server ends."""
        connection = attribute_of(event, "connection")
        if is_a(error, ConnectionEnded) and isinstance(connection, Connection) and connection.ending is not None:
            # Any peer can cause this by hanging up while a hook waits, so it is no failure of the game.
            log_error(None, "a hook for %s gave up: %s", type(event).__name__, error, level=logging.DEBUG)
            return
        count_at(self._context.counters, "hooks failed", type(event).__name__)
        if isinstance(event, Started) and self._stopping.fatal is None:  # raised by `serve`, with its traceback
            logger.critical("hook %s failed on Started: the server does not start", describe(function, error))
            self._stopping.fail(error)
            return
        if isinstance(event, Tick):
            self._log_failure("timer", event.function, error, partial(_about, event))
        else:
            self._log_failure("hook", function, error, partial(_about, event))
        texts, too_slow = self._context.texts, is_a(error, trio.TooSlowError)
        if interrupt_in(error) is not None:
            if isinstance(event, Connect):  # the connect hook fails closed: a check that did not run must not admit
                event.connection._reject(self._stopping.last_words or "", Cause.HOOK_FAILED)
        elif isinstance(event, Connect):
            text = texts.connect_too_slow if too_slow else texts.connect_failed
            event.connection._reject(text, Cause.HOOK_TOO_SLOW if too_slow else Cause.HOOK_FAILED)
        elif isinstance(event, Input):
            event.connection._notify_player(texts.command_too_slow if too_slow else texts.command_failed)

    def hook_late(self, event: HookEvent, function: HookFunction, took: float) -> None:
        """Warn that a function returned after its deadline. Its effects stand, and it costs nothing."""
        self._context.counters["hooks late"] += 1
        named = f"hook {describe(function)}"
        self._context.repeats.log(
            logging.WARNING,
            f"{named} returned {took:.1f} s after it was called{guarded(partial(_about, event))}; "
            f"limits.hook_timeout is {self._context.limits.hook_timeout:g} s, and it was not cancelled: "
            f"run long work by start_soon(), give trio.to_thread.run_sync() abandon_on_cancel=True if its result "
            f"may be lost, and let trio.Cancelled pass",
            kind=(named, "late"),
            summary=f"{named} returned late",
        )

    def hook_returned_false(self, event: HookEvent, function: HookFunction) -> None:
        """Warn on `Connect`, where False was probably meant to refuse: the result of a hook has no effect."""
        if isinstance(event, Connect):
            named = f"hook {describe(function)}"
            self._context.repeats.log(
                logging.WARNING,
                f"{named} returned False{guarded(partial(_about, event))}, which refuses no one: "
                "call event.connection.refuse(text)",
                kind=(named, "returned False"),
                summary=f"{named} returned False",
            )

    def hook_interrupted(self, error: BaseException) -> None:
        """Stop the server: code of the game raised KeyboardInterrupt or SystemExit."""
        self._stopping.interrupted(error)

    # Called by connections and sessions

    def mark_dirty(self, receiver: LinkReceiver) -> None:
        """Mark a connection dirty; it is flushed at the end of the current batch, or by the flusher task."""
        self._dirty.append(receiver)
        if not self._context.dispatcher.in_batch:
            self.must_flush.set()

    def admit(self, connection: Connection) -> None:
        """Add a connection that passed the connect hook to the list."""
        self.undecided.pop(connection.number, None)
        count_at(self._context.counters, "admitted", door_of_connection(connection))
        self.connections._add(connection)
        if logger.isEnabledFor(logging.DEBUG):  # the label costs more than the rest
            logger.debug("%s was admitted from %s", connection._label, connection.address)

    def refuse(self, connection: Connection, cause: Cause) -> None:
        """Count a connection that did not pass the connect hook."""
        self.undecided.pop(connection.number, None)
        self._context.counters[f"{Reason.REFUSED.value}: {cause}"] += 1

    def turn_away(self, connection: Connection, what: str) -> None:
        """Count a connection whose handshake failed, or was answered otherwise.

        Args:
            what: The name of the counter.
        """
        self.undecided.pop(connection.number, None)
        count_at(self._context.counters, what, door_of_connection(connection))

    def typed_first(self, connection: Connection) -> None:
        """Log the connection, which has typed its first line and so is probably a player and not a scanner."""
        logger.log(self.visit_level, "%s came in from %s", connection._label, connection.address)

    def work_failed(self, what: str, function: object, whose: Callable[[], str], error: BaseException) -> None:
        """Log that a script or other work of the game raised; an interrupt stops the server.

        Args:
            what: The function's role: "dialog", "work".
            function: The function that was called.
            whose: Returns " for " and its owner.
            error: The exception.
        """
        if (interrupt := interrupt_in(error)) is not None:
            self._stopping.interrupted(interrupt)
        self._log_failure(what, function, error, whose)

    def name_unfinished(self, what: str, function: object, whose: str) -> None:
        """Log that code of the game still runs after its cancellation; only the end of the process can stop it."""
        named = f"{what} {describe(function)}"
        self._context.repeats.log(
            logging.ERROR,
            f"{named}{whose} was cancelled and does not end: let trio.Cancelled pass, "
            "which `except BaseException` and a bare `except` catch",
            kind=(named, "unfinished"),
            summary=f"{named} does not end",
        )

    def name_unfinished_hooks(self) -> None:
        """Log each hook that still waits although it was cancelled."""
        for event, function in self._context.dispatcher.waiting():
            self.name_unfinished("hook", function, guarded(partial(_about, event)))

    # The network's own steps

    def _around_connect(self, event: Connect, functions: Sequence[HookFunction]) -> Sequence[HookFunction]:
        return (_conclude_connect,) if event.connection._continues else (*functions, _conclude_connect)

    def _around_disconnect(self, event: Disconnect, functions: Sequence[HookFunction]) -> Sequence[HookFunction]:
        return (self._forget, *functions)

    def _instead_of_tick(self, event: Tick, functions: Sequence[HookFunction]) -> Sequence[HookFunction]:
        return (_tick,)

    def _around_resume(self, event: ResumeRequested, functions: Sequence[HookFunction]) -> Sequence[HookFunction]:
        if event.connection.session is not None:
            return (_refuse_resume,)
        is_known = event.connection._resume(event.token, event.seen)
        return (_conclude_resume,) if is_known else (*functions, _conclude_resume)

    def _around_started(self, event: Started, functions: Sequence[HookFunction]) -> Sequence[HookFunction]:
        return (*functions, self._note_started)

    def _forget(self, event: Disconnect) -> None:
        """Take the connection off the list, as the first step on `Disconnect`, before any function of the game runs."""
        connection = event.connection
        self.connections._discard(connection)
        if event.reason is not Reason.REFUSED:  # a refusal was counted with the verdict
            self._context.counters[f"{event.reason.value}: {event.cause}"] += 1
        level = self.visit_level if connection._inbox.has_typed else logging.DEBUG
        if logger.isEnabledFor(level):  # the label costs more than the rest; thousands may leave at once
            logger.log(level, "%s left: %s (%s)", connection._label, event.reason.value, event.cause)

    def _note_started(self, event: Started) -> None:
        """Start the declared timers and allow connections to be accepted, as the last step on `Started`."""
        if self._stopping.fatal is None:
            self._begin_timers()
        self._stopping.note_started()

    # Parts

    def _log_failure(self, what: str, function: object, error: BaseException, about: Callable[[], str]) -> None:
        """Log an exit that the game requested as one line, and any other failure with its traceback, rate-limited."""
        single = unwrap_single(error)
        if is_a(single, SystemExit):
            code = describe_value(attribute_of(single, "code"))
            logger.critical("%s %s called sys.exit(%s): the server stops", what, describe(function, single), code)
        elif is_a(single, KeyboardInterrupt):
            logger.critical("%s %s was interrupted: the server stops", what, describe(function, single))
        else:
            log_failure(self._context.repeats, what, function, error, about)


def door_of_connection(connection: Connection) -> str:
    """Return the door by which a connection came."""
    link = connection._link
    return link.door if isinstance(link, TelnetLink) else OTHER


def _about(event: HookEvent) -> str:
    """Return a description of an event for the log: ` for Input of guest-1 (#1), typed 'look'`."""
    text = f" for {type(event).__name__}"
    connection, session = getattr(event, "connection", None), getattr(event, "session", None)
    if isinstance(connection, Connection):
        text += f" of {connection._label}"
    elif session is not None:
        text += f" of {session!r}"
    if isinstance(event, Input):
        text += f", typed {'hidden' if event.connection._is_line_secret else typed(event.line)}"
    return text


def _conclude_connect(event: Connect) -> None:
    event.connection._conclude_connect()


def _refuse_resume(event: ResumeRequested) -> None:
    event.connection.server.counters["returns by token refused"] += 1
    event.connection.gmcp("Session.Void")


def _conclude_resume(event: ResumeRequested) -> None:
    event.connection._conclude_resume()


def _tick(event: Tick) -> object:
    return event.function()
