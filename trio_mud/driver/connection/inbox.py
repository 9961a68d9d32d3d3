"""A connection's inbox: its events, in the order in which hooks receive them.

Theory of operation
-------------------
The inbox is the connection's *source*. When asked for its next event it yields `Connect`, then `Admitted`,
then ticks, resizes and typed lines, and at last, when nothing more is read or written, `Disconnect`.
So neither the order of these events nor their number needs waiting or flags.

It is also the *receiver* of the connection's link. Lines, and messages that wait in turn with them, are queued up to
`limits.max_typeahead` and `limits.max_typeahead_bytes`. Past either, `is_full` makes the link stop parsing and reading
(backpressure). Signals (ticks, resizes) overtake lines, but never two in a row while a line waits, so that fast timers
cannot delay it for long.

A line goes to the line taker, such as a dialog, when the taker asks. Without a taker it becomes `Input`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import trio

from ..core.context import Context
from ..core.events import Cause, HookEvent, Reason
from ..core.metering import SHORTEST_PAUSE
from ..core.timers import Deadline, Timer, tick_of
from ..core.turns import NEVER, Source
from ..link.base import (
    ClientKnown,
    HidingRefused,
    Interrupted,
    LineCut,
    Link,
    LinkEvent,
    OutOfBand,
    PackagesNamed,
    Resized,
)
from .events import (
    Admitted,
    ClientReady,
    Connect,
    Disconnect,
    EchoRefused,
    Input,
    Interrupt,
    MsdpMessage,
    WindowSize,
    message_event,
)
from .idle import IdleMonitor
from .line_taker import InnerTaker, InputObserver
from .tap import Sent, Tap, Typed
from .waiting import SHORT, HiddenLine, Payload, Waiting, weight_of

if TYPE_CHECKING:
    from .events import Subject


class _Stage(enum.Enum):
    """The state of the inbox, by the event that comes next."""

    HANDSHAKE = enum.auto()  # no event: the handshake is not over
    ARRIVED = enum.auto()  # Connect
    CONNECTING = enum.auto()  # no event: the connect hook runs
    ADMITTED = enum.auto()  # Admitted
    OPEN = enum.auto()  # ticks, resizes, lines; then Disconnect, when closed and nothing is left
    GONE = enum.auto()  # no event: Disconnect was the last


_UNDECIDED = (_Stage.HANDSHAKE, _Stage.ARRIVED, _Stage.CONNECTING)
_TOGETHER = 5  # lines released at once past the rate; a pause for each line would cost more than the line itself
_OPEN = _Stage.OPEN  # read for every line, and the attribute of an enum is slow to look up


class Ending(Protocol):
    """The connection's lifecycle, as far as the inbox needs it.

    Attributes:
        cause: Why the connection is ending or has ended; None while it lives.
        last_words: The text of its ending.
        sleeper: The connection's task, while it waits for something that `notify` re-evaluates; otherwise None.
    """

    cause: Cause | None
    last_words: str
    sleeper: trio.lowlevel.Task | None

    def notify(self) -> None:
        """Make the connection's task check its condition again."""
        ...

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait, in the connection's task, until the condition holds."""
        ...

    def quit(self, text: str, cause: Cause) -> None:
        """End the connection after its pending output."""
        ...

    def lose_link(self, cause: Cause) -> None:
        """End the connection, because its link is lost."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the connection, because the driver, a transport or code of the game that they call raised."""
        ...

    def typed_first(self) -> None:
        """Take note that the first line was typed: the peer is probably a player and not a scanner."""
        ...


class BoundSession(Protocol):
    """The session of a connection, as far as the inbox needs it."""

    def _link_over(self, connection: Subject) -> None:
        """Take note that all functions of its `Disconnect` have run."""
        ...

    def _packages_named(self, connection: Subject) -> None:
        """Take note that its client named the GMCP packages that it supports."""
        ...


class Inbox(Source):
    """One connection's events, and the receiver of its link.

    Args:
        subject: The connection that the events carry. The inbox uses only its label.
        context: The shared parts of the server.
        link: The source of lines.
        ending: The connection's lifecycle.

    Attributes:
        lines: The lines, and the events that wait in turn with them, oldest first. A list, because an empty one takes
            56 bytes against the 760 of a deque, and it stays short.
        is_full: True if the link must stop parsing.
        taker: Receives the lines in place of the game.
        observer: Notified of the fate of each line; None unless the connection is recorded.
        after_event: Called once, when all functions of the event in flight have run; used by sessions.
        session: The session that the connection is bound to; None without one.
        last_line_at: When the last line was handled, or the connection was admitted; on trio's clock.
        shown_at: The value of `last_line_at` at the last `hide_input(False)`.
        has_typed: True if a line was typed.
        idle_timeout: Seconds since the last line after which the connection ends; None for no limit.
        taps: Get a copy of what is sent and typed; most connections have none.
    """

    __slots__ = (
        "_context",
        "_ending",
        "_first_input",
        "_full_at",
        "_idle",
        "_is_closed",
        "_is_shut",
        "_link",
        "_owes_line",
        "_room",
        "_signals",
        "_stage",
        "_subject",
        "_throttle",
        "_weight",
        "after_event",
        "has_typed",
        "idle_timeout",
        "is_full",
        "last_line_at",
        "lines",
        "observer",
        "session",
        "shown_at",
        "taker",
        "taps",
    )

    def __init__(self, subject: Subject, context: Context, link: Link, ending: Ending) -> None:
        super().__init__(context.dispatcher)
        self._subject = subject
        self._context = context
        self._link = link
        self._ending = ending
        self._stage = _Stage.HANDSHAKE
        self._room = context.limits.max_typeahead  # lines and messages
        self._weight = 0  # bytes of the items that are not light
        self._is_closed = False
        self._is_shut = False  # further input is dropped
        self._signals: list[HookEvent | Timer] | None = None
        self._owes_line = False  # a signal has overtaken a waiting line, so the line is next
        self._first_input: Deadline | None = None
        self._idle: IdleMonitor | None = None
        self._throttle: Deadline | None = None  # while lines come faster than limits.command_rate
        self._full_at = NEVER  # when the bucket of that rate is full again
        self.lines: list[Waiting] = []
        self.is_full = False
        self.taker: InnerTaker | None = None
        self.observer: InputObserver | None = None
        self.after_event: tuple[Callable[[], None], ...] = ()
        self.session: BoundSession | None = None
        self.last_line_at = trio.current_time()
        self.shown_at = NEVER
        self.has_typed = False
        self.idle_timeout = context.limits.idle_timeout
        self.taps: tuple[Tap, ...] = ()
        link.attach(self)

    # Called by the lifecycle and the connection

    @property
    def is_undecided(self) -> bool:
        """True until the connect hook's verdict."""
        return self._stage in _UNDECIDED

    @property
    def ending(self) -> Cause | None:
        """The cause of the connection's ending; None until it is decided."""
        return self._ending.cause

    @property
    def is_in_handshake(self) -> bool:
        """True until the handshake is over."""
        return self._stage is _Stage.HANDSHAKE

    @property
    def is_gone(self) -> bool:
        """True once its last event was taken."""
        return self._stage is _Stage.GONE

    @property
    def has_lines(self) -> bool:
        """True if anything typed waits to be handled."""
        return bool(self.lines) or self._link.has_unparsed

    @property
    def is_served(self) -> bool:
        """True if all received input was handled. A taker has handled its line when it asks again."""
        if self.lines or self._link.has_unparsed or self._signals or self.is_busy:
            return False
        return self.taker is None or self.taker.is_asking

    @property
    def waiting(self) -> int:
        """The number of lines and messages that were received and not taken; a dialog may still put one back."""
        return len(self.lines) + (self.taker is not None and self.taker.holds_line)

    def input_over(self) -> None:
        """Notify the taker that the peer has sent its end of file and that all its input was taken."""
        if self.taker is not None:
            self.taker.input_over()

    def arrive(self) -> None:
        """Queue `Connect`, because the handshake is over."""
        self._stage = _Stage.ARRIVED
        self.wake()

    def admit(self, *, is_continuing: bool) -> None:
        """Yield `Admitted` next, and start the deadline of the first line. A continuing connection has had both."""
        self._stage = _OPEN if is_continuing else _Stage.ADMITTED
        self.has_typed = is_continuing
        self.last_line_at = now = trio.current_time()
        if self._ending.cause is not None:
            return
        timeout = self._context.limits.first_input_timeout
        if timeout is None or is_continuing:
            self._monitor_idleness()
        else:
            self._first_input = self._context.timers.at(now + timeout, self._input_timed_out, self)

    def set_idle_timeout(self, timeout: float | None) -> None:
        """Replace the idle timeout; the time since the last line counts."""
        self.idle_timeout = timeout
        if self._idle is not None:
            self._idle.end()
            self._idle = None
        if not self.is_undecided and self._ending.cause is None and self._first_input is None:
            self._monitor_idleness()

    def report(self, event: Sent | Typed) -> None:
        """Pass something to the taps."""
        for tap in self.taps:
            tap._report(event)

    def reject(self) -> None:
        """Yield `Disconnect` next, because the connection is refused."""
        self._stage = _Stage.OPEN

    def signal(self, signal: HookEvent | Timer) -> None:
        """Queue a tick or an event that overtakes the lines and does not go to a taker."""
        if self._ending.cause is not None:
            return
        if self._signals is None:
            self._signals = []
        self._signals.append(signal)
        self.wake()

    def replace_signal(self, signal: HookEvent) -> None:
        """Queue a signal in place of the waiting ones of its type, so that their number is bounded."""
        if self._signals:
            self._signals = [waiting for waiting in self._signals if type(waiting) is not type(signal)]
        self.signal(signal)

    def end(self, *, drop_lines: bool) -> None:
        """Drop signals and deadlines, because the ending is decided; only typed lines may precede `Disconnect`."""
        self._signals = None
        for deadline in (self._first_input, self._throttle):
            if deadline is not None:
                deadline.cancel()
        self._first_input = self._throttle = None
        if self._idle is not None:
            self._idle.end()
            self._idle = None
        self._link.stop(drop_input=drop_lines)
        if drop_lines:
            self._shut()
        if self.taker is not None and not self.taker.has_begun:
            self.taker = None  # its script never starts, so it would never detach itself

    def discard_lines(self) -> None:
        """Drop the input received so far; later input is handled."""
        self._clear()
        loses_bytes = self._link.discard_input()
        if self.observer is not None:
            self.observer.lines_discarded(loses_bytes=loses_bytes)

    def drop_lines(self) -> None:
        """Drop all input, including later input."""
        self._link.drop_input()
        self._shut()

    def give_back(self, line: str) -> None:
        """Put back a line that the taker did not use, as the oldest."""
        if not self._is_shut:
            self.lines.insert(0, line)
            self._weight += weight_of(line)
            self._measure()
            if self.observer is not None:
                self.observer.line_given_back()

    def close(self) -> None:
        """Yield the rest and then `Disconnect`: nothing more is read or written."""
        self._is_closed = True
        self.wake()

    def notify_player(self, text: str) -> None:
        """Write one of the driver's own texts; an empty text is not sent."""
        if text and self._link.write(text) and self.taps:
            self.report(Sent(text))

    # Called by the link

    @property
    def label(self) -> str:
        """The connection's name and number, for logs."""
        return self._subject._label

    def received_line(self, line: str, hidden: bool) -> bool:
        """Queue a line; return True if there is room for more."""
        if self._is_shut:
            return True
        self.lines.append(line := HiddenLine(line) if hidden else line)
        if len(line) > SHORT:  # most lines are shorter, and need no call
            self._weight += weight_of(line)
            self._measure()
        elif len(self.lines) >= self._room:
            self.is_full = True
        # `wake` inlined, and of `has_event` the usual case: nothing holds the line back.
        may_take = self._throttle is None and self.taker is None and self._stage is _OPEN
        if not self.is_queued and not self.is_busy and (may_take or self.has_event()):
            self._dispatcher.put(self)
        return not self.is_full

    def received(self, event: LinkEvent) -> None:
        """Queue an event of the link, and pass it to the taker."""
        subject = self._subject
        match event:
            case OutOfBand("gmcp", name, data):
                self._queue(Payload(message_event, subject, name, data))
            case OutOfBand(_, name, data):
                self._queue(Payload(MsdpMessage, subject, name, data))
            case ClientKnown():
                self.replace_signal(ClientReady(subject))
            case Interrupted(kind):
                self._queue(Interrupt(subject, kind))
            case Resized(columns, rows):
                self.replace_signal(WindowSize(subject, columns, rows))
            case HidingRefused():
                self.replace_signal(EchoRefused(subject))
            case LineCut():
                self.notify_player(self._context.texts.line_cut)
            case PackagesNamed():
                if self.session is not None:
                    self.session._packages_named(subject)
        if self.taker is not None:
            self.taker.received(event)

    def ended(self, cause: Cause, text: str = "") -> None:
        """End the connection, because the link is lost or the peer broke the protocol."""
        if cause.reason is Reason.QUIT:
            self._ending.quit(text, cause)
        else:
            self._ending.lose_link(cause)

    def notify(self) -> None:
        """Wake the connection's task, and queue this source if it has an event: the link's state has changed."""
        self.wake()
        self._ending.notify()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait in the connection's task until the condition holds."""
        await self._ending.wait_until(condition)

    def flush(self) -> None:
        """Pass all pending output to the transport. The server calls it once per batch."""
        taker = self.taker
        if taker is not None and not taker.asks_hidden:
            # Done here and not when a hidden question ends, so that input is still hidden between two of them.
            taker.show_input()
        self._link.flush()
        if self._ending.sleeper is not None:
            self._ending.notify()

    # Called by the dispatcher

    def has_event(self) -> bool:
        if self._stage is _OPEN:
            if (self.lines and self._may_take_line()) or self._signals:
                return True
            link = self._link  # `_can_parse` inlined: this runs for every line
            if link.has_unparsed and not self.is_full and link.can_parse:
                return True
            return self._is_closed and not link.is_held
        return self._stage is _Stage.ARRIVED or self._stage is _Stage.ADMITTED

    def take_event(self) -> HookEvent | None:
        if self._stage is not _OPEN:
            return self._take_first()
        if self._signals:
            # A signal overtakes the lines once; then a line comes, so that fast timers cannot starve the player.
            has_line = bool(self.lines and self._may_take_line()) or self._can_parse()
            if not (has_line and self._owes_line):
                self._owes_line = has_line
                signal = self._signals.pop(0)
                if not self._signals:
                    self._signals = None
                return tick_of(signal, self._subject) if isinstance(signal, Timer) else signal
            self._owes_line = False
        if self._dispatcher.is_cutting:
            self.drop_lines()  # the time for cleanup is over: typed lines must not delay `Disconnect` further
        if self.lines and ((self._throttle is None and self.taker is None) or self._may_take_line()):
            return self._take_line()
        if self._can_parse():
            self._link.taken()  # parses one more slice; the turn yields no event, so that other sources have theirs
            return None
        if not self._is_closed or self._link.is_held:
            return None
        self._stage = _Stage.GONE
        cause = self._ending.cause
        assert cause is not None, "it is decided before anything closes"
        return Disconnect(self._subject, cause.reason, cause, self._ending.last_words)

    def failed(self, error: BaseException) -> None:
        self.drop_lines()  # otherwise the same bytes could fail at every turn
        self._ending.fail(error)

    def event_over(self, event: HookEvent) -> None:
        if self._ending.sleeper is not None:
            self._ending.notify()
        if self.after_event:
            callbacks, self.after_event = self.after_event, ()
            for callback in callbacks:
                callback()
        if self.session is not None and self._stage is _Stage.GONE:
            self.session._link_over(self._subject)

    # Steps of a turn

    def _take_first(self) -> HookEvent | None:
        """Return the event of a stage before `OPEN`."""
        if self._stage is _Stage.ARRIVED:
            self._stage = _Stage.CONNECTING
            return Connect(self._subject)
        if self._stage is _Stage.ADMITTED:
            self._stage = _OPEN
            return Admitted(self._subject)
        return None

    def _can_parse(self) -> bool:
        link = self._link
        return link.has_unparsed and not self.is_full and link.can_parse

    def _may_take_line(self) -> bool:
        if self._throttle is not None and not self._is_closed:  # a dead link can send no more, so its lines do not wait
            return False
        # Events that wait in turn with the lines usually do not go to a taker, so they pass while it does not ask.
        # Not while it may put back the line before them, which a world would count as the one that was taken.
        taker = self.taker
        if taker is None or taker.is_asking:
            return True
        return not (taker.takes_all or taker.holds_line or isinstance(self.lines[0], str))

    def _take_line(self) -> HookEvent | None:
        """Take the oldest line: give it to the taker that asks for it, or return it as an `Input`."""
        link, taker = self._link, self.taker
        line = self.lines.pop(0)
        if self._weight:
            self._weight -= weight_of(line)
        if self.is_full:
            self._measure()
        if self.observer is not None and isinstance(line, str):
            is_hidden = link.hides_input or (taker is not None and taker.asks_hidden)
            self.observer.line_taken(is_secret=is_hidden or type(line) is HiddenLine, is_borrowed=taker is not None)
        now = self._dispatcher.now
        rate = self._context.limits.command_rate
        if rate is not None:
            self._full_at, wait = rate.spend(self._full_at, now)
            if wait > 0:
                # A deadline for each line would cost more than the line: pause longer, then let several through.
                several = min(_TOGETHER, rate.burst - 1) / rate.per_second
                self._pause_until(now + max(wait, min(several, SHORTEST_PAUSE)))
        if link.has_unparsed:
            link.taken()
            if self._is_shut:
                return None  # the bytes after this line have ended the connection
        if self._ending.sleeper is not None:
            self._ending.notify()  # there is room to read on
        if not isinstance(line, str):
            if self._ending.cause is not None:
                return None  # only typed lines may precede `Disconnect`
            if taker is not None and taker.takes_all:
                taker.forward(line)
                return None
            return line.event() if isinstance(line, Payload) else line
        self.last_line_at = now
        if not self.has_typed:
            self._typed_first()
        is_hidden = type(line) is HiddenLine
        if is_hidden and not (taker is not None and taker.asks_hidden):
            self._context.counters["hidden lines dropped"] += 1
            return None  # it may be a password that no question took, which must not become a command
        link.prompt_answered(is_hidden)
        if self.taps and not (is_hidden or link.hides_input or (taker is not None and taker.asks_hidden)):
            self.report(Typed(line))
        if taker is None:
            return Input(self._subject, line)
        taker.answer(line)
        return None

    def _typed_first(self) -> None:
        self.has_typed = True
        self._ending.typed_first()
        if self._first_input is not None:
            self._first_input.cancel()
            self._first_input = None
            self._monitor_idleness()

    def _queue(self, item: HookEvent | Payload) -> None:
        """Queue an item that waits in turn with the lines and counts as one."""
        if not self._is_shut:
            self.lines.append(item)
            self._weight += weight_of(item)
            self._measure()
            self.wake()

    def _measure(self) -> None:
        is_too_heavy = self._weight >= self._context.limits.max_typeahead_bytes
        self.is_full = is_too_heavy or len(self.lines) >= self._room

    def _clear(self) -> None:
        self.lines.clear()
        self._weight = 0
        self.is_full = False

    def _shut(self) -> None:
        self._is_shut = True
        self._clear()
        if self.observer is not None:
            self.observer.stop_tracking()

    def _input_timed_out(self) -> None:
        """End the connection, because no line was typed in time."""
        self._ending.quit(self._context.texts.no_input, Cause.LOGIN_DEADLINE)

    def _monitor_idleness(self) -> None:
        if self.idle_timeout is not None:
            self._idle = IdleMonitor(self._context, self, self.idle_timeout)

    def _pause_until(self, when: float) -> None:
        """Hold the next lines back, because they exceed `limits.command_rate`. None is dropped."""
        if self._throttle is None and not self._is_closed:
            self._throttle = self._context.timers.at(when, self._continue, self)

    def _continue(self) -> None:
        self._throttle = None
        self.wake()
