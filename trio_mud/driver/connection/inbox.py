"""A connection's inbox: everything that comes from it, in the order hooks see it.

The connection's source. Asked for its next event it yields `Connect`, then `Admitted`,
then ticks, resizes and typed lines, and at last, when nothing more is read or written, `Disconnect`:
so their order and their number need no waiting and no flags.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

import trio

from ...telnet.options.mssp import PLAIN_PERIOD, PLAIN_REQUEST
from ..core.dispatcher import Source
from ..core.events import HookEvent
from ..core.metering import SHORTEST_PAUSE, Meter
from ..core.timers import Deadline, Timer, tick_of
from .events import Admitted, Connect, Disconnect, Input
from .idle import Vigil
from .typeahead import HiddenLine, Typeahead

if TYPE_CHECKING:
    from .connection import Connection


class _Stage(enum.Enum):
    """Which event comes next."""

    AWAY = enum.auto()  # none: its handshake is not over
    NEW = enum.auto()  # Connect
    AT_THE_DOOR = enum.auto()  # none: the connect hook runs
    WELCOME = enum.auto()  # Admitted
    OPEN = enum.auto()  # ticks, resizes, lines; when closed and none is left, Disconnect
    GONE = enum.auto()  # none ever


_UNDECIDED = (_Stage.AWAY, _Stage.NEW, _Stage.AT_THE_DOOR)
_TOGETHER = 5  # lines that are let through at once past the rate; to wait for each costs more than most lines do
_REQUEST_LENGTH = len(PLAIN_REQUEST)
_OPEN = _Stage.OPEN  # asked for at every line, and an attribute of an enum is slow to find


class Inbox(Source):
    """One connection's events.

    Attributes:
        has_typed: True if it has typed a line; a crawler's request for the variables of MSSP is none.
        last_line_at: When the last line was taken, on trio's clock; the time of admission until then.
    """

    __slots__ = (
        "_connection",
        "_first_input",
        "_is_closed",
        "_listed_at",
        "_meter",
        "_owes_line",
        "_rate",
        "_signals",
        "_spent_until",
        "_stage",
        "_throttle",
        "_typeahead",
        "_vigil",
        "has_typed",
        "last_line_at",
        "shown_at",
    )

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.server.dispatcher)
        self._connection = connection
        self._typeahead = Typeahead(connection.server.limits)
        self._stage = _Stage.AWAY
        self._rate = connection.server.limits.command_rate
        self._is_closed = False
        self._signals: list[HookEvent | Timer] | None = None
        self._owes_line = False  # a signal came before a line that waited, so the line is next
        self._first_input: Deadline | None = None
        self._vigil: Vigil | None = None
        self._throttle: Deadline | None = None  # while it has typed more than limits.command_rate
        self._spent_until = -math.inf
        self._listed_at = -math.inf
        self._meter: Meter | None = None  # once it has sent anything other than short lines
        self.last_line_at = trio.current_time()
        self.shown_at = -math.inf  # which line was the last when typing was shown again: `hide_input(False)`
        self.has_typed = False  # it is a player

    # What the connection tells

    @property
    def is_undecided(self) -> bool:
        """Whether the connect hook has still to say who may come in."""
        return self._stage in _UNDECIDED

    @property
    def is_gone(self) -> bool:
        """Whether its last event has been taken."""
        return self._stage is _Stage.GONE

    @property
    def is_full(self) -> bool:
        """Whether so much is typed ahead that reading must wait."""
        return self._typeahead.is_full

    @property
    def has_lines(self) -> bool:
        """Whether anything that was typed waits."""
        return not self._typeahead.is_empty

    @property
    def is_served(self) -> bool:
        """Whether everything that came has been handled."""
        return self._typeahead.is_empty and not self._signals and not self.is_busy

    def arrive(self) -> None:
        """Its handshake is over: `Connect` is queued."""
        self._stage = _Stage.NEW
        self.wake()

    def admit(self) -> None:
        """The verdict is: come in. `Admitted` is next, and the first line is waited for."""
        self._stage = _Stage.WELCOME
        self.last_line_at = trio.current_time()
        server, patience = self._connection.server, self._connection.server.limits.first_input
        if self._connection.ending is not None:
            return
        if patience is None:
            self._begin_vigil()
        else:
            self._first_input = server.timers.at(trio.current_time() + patience, self._connection.give_up_waiting, self)

    def turn_away(self) -> None:
        """The verdict is: go. `Disconnect` is next."""
        self._stage = _Stage.OPEN

    def feed(self, data: bytes) -> bool:
        """Take what was received, and stand in line if it made an event.

        Returns:
            Whether there is room for more.
        """
        connection = self._connection
        typeahead = self._typeahead
        if typeahead.feed_line(data, connection.engine):
            self.wake()
            return not typeahead.is_full
        typeahead.feed(data, connection.engine, connection.hearing.hear, self._spend)
        self.wake()
        connection.hearing.has_parsed()
        return not connection.is_full

    def signal(self, signal: HookEvent | Timer) -> None:
        """Take something other than a line: it waits neither behind the lines nor for a dialog."""
        if self._connection.ending is not None:
            return
        if self._signals is None:
            self._signals = []
        self._signals.append(signal)
        self.wake()

    def replace_signal(self, signal: HookEvent) -> None:
        """Take a signal that says all that waiting ones of its type would have said, so their number is bounded."""
        if self._signals:
            self._signals = [waiting for waiting in self._signals if type(waiting) is not type(signal)]
        self.signal(signal)

    def end(self, *, drop_lines: bool) -> None:
        """The ending is decided: only typed lines may still come before `Disconnect`."""
        self._signals = None
        for deadline in (self._first_input, self._throttle):
            if deadline is not None:
                deadline.cancel()
        self._first_input = self._throttle = None
        if self._meter is not None:
            self._meter.end()
            self._meter = None
        self._typeahead.is_paused = False
        if self._vigil is not None:
            self._vigil.end()
            self._vigil = None
        if drop_lines:
            self._typeahead.close()

    def discard_lines(self) -> None:
        """What it has typed so far is nobody's; what it types from now on is handled."""
        self._typeahead.discard(self._connection.engine, self._connection.hearing.hear, self._spend)
        self._connection.hearing.has_parsed()

    def drop_lines(self) -> None:
        """What it typed is nobody's any more."""
        self._typeahead.close()

    def hide_lines(self, hidden: bool) -> None:
        """Take what comes now as typed hidden, for a question of its dialog's, or no more."""
        self._typeahead.is_hidden = hidden

    @property
    def hides_lines(self) -> bool:
        """Whether what comes now is typed hidden, for a question of its dialog's."""
        return self._typeahead.is_hidden

    def exchange_typeahead(self, typeahead: Typeahead) -> None:
        """Keep the lines in this one, before any has come."""
        self._typeahead = typeahead

    def give_back(self, line: str) -> None:
        """Take a line that its dialog did not want after all: it comes first again."""
        self._typeahead.give_back(line)

    def close(self) -> None:
        """Nothing more is read or written: what is left is handled, then `Disconnect` comes."""
        self._is_closed = True
        self.wake()

    # What the dispatcher asks

    def has_event(self) -> bool:
        if self._stage is _OPEN:
            typeahead = self._typeahead
            if (typeahead.lines and self._may_take_line()) or self._signals or self._is_closed:
                return True
            return typeahead.may_parse(self._connection.engine)
        return self._stage is _Stage.NEW or self._stage is _Stage.WELCOME

    def take_event(self) -> HookEvent | None:
        if self._stage is _OPEN:
            return self._take_while_open()
        connection = self._connection
        if self._stage is _Stage.NEW:
            self._stage = _Stage.AT_THE_DOOR
            return Connect(connection)
        if self._stage is _Stage.WELCOME:
            self._stage = _OPEN
            return Admitted(connection)
        return None

    def failed(self, error: BaseException) -> None:
        self._typeahead.close()  # or the same bytes could fail at each turn
        self._connection.life.fail(error)

    def event_over(self, event: HookEvent) -> None:
        connection = self._connection
        if connection.life.awaited is not None:
            connection.life.stir()
        if connection.successors:
            connection.server.sessions.event_over(connection)
        if connection.session is not None and self._stage is _Stage.GONE:
            connection.server.sessions.link_ended(connection)

    def _take_while_open(self) -> HookEvent | None:
        typeahead = self._typeahead
        if self._signals:
            has_line = bool(typeahead.lines and self._may_take_line()) or typeahead.may_parse(self._connection.engine)
            if not (has_line and self._owes_line):
                self._owes_line = has_line  # fast timers must not keep it waiting for ever
                signal = self._signals.pop(0)
                return tick_of(signal, self._connection) if isinstance(signal, Timer) else signal
            self._owes_line = False
        if self._dispatcher.is_cutting:
            typeahead.close()
        if typeahead.lines and self._may_take_line():
            return self._take_line()
        if typeahead.may_parse(self._connection.engine):
            self._parse()
            return None
        if not self._is_closed:
            return None
        self._stage = _Stage.GONE
        connection = self._connection
        assert connection.ending is not None
        return Disconnect(connection, connection.ending.reason, connection.ending, connection.life.last_words)

    def _may_take_line(self) -> bool:
        if self._throttle is not None and not self._is_closed:
            return False
        dialog = self._connection.dialog
        return dialog is None or dialog.is_asking or not isinstance(self._typeahead.lines[0], str)

    def _take_line(self) -> HookEvent | None:
        """One line: for the dialog that asks for it, or else an `Input`; a MUD listing's crawler gets its answer."""
        connection, typeahead = self._connection, self._typeahead
        line = typeahead.take()
        now = self._dispatcher.now
        if self._rate is not None:
            self._spent_until, wait = self._rate.spend(self._spent_until, now)
            if wait > 0:
                several = min(_TOGETHER, self._rate.burst - 1) / self._rate.per_second
                self._pause_for(now + max(wait, min(several, SHORTEST_PAUSE)))
        if typeahead.has_unread:
            self._parse()
            if typeahead.is_closed:
                return None  # what came behind it has ended the connection
        if connection.life.awaited is not None:
            connection.life.stir()  # there is room to read on
        if not isinstance(line, str):
            return line
        if len(line) == _REQUEST_LENGTH and line.upper() == PLAIN_REQUEST and type(line) is not HiddenLine:
            self._answer_crawler(now)
            return None
        self.last_line_at = now
        if not self.has_typed:
            self._typed_first()
        dialog = connection.dialog
        if type(line) is HiddenLine and not (dialog is not None and dialog.asks_hidden):
            connection.server.counters["hidden lines dropped"] += 1
            return None  # half a password, or one too many: nobody is to see it
        connection.outbox.prompt_answered()
        if dialog is None:
            return Input(connection, line)
        dialog.answer(line)
        return None

    def _typed_first(self) -> None:
        """It has typed a line, so it is a player."""
        self.has_typed = True
        self._connection.server.typed_first(self._connection)
        if self._first_input is not None:
            self._first_input.cancel()
            self._first_input = None
            self._begin_vigil()

    def _answer_crawler(self, now: float) -> None:
        """Answer a request for the variables of MSSP, at most once a second. It is no line of a player's."""
        self._connection.outbox.prompt_answered()
        if now - self._listed_at >= PLAIN_PERIOD:
            self._listed_at = now
            self._connection.tell_listing()

    def _begin_vigil(self) -> None:
        limits = self._connection.server.limits
        if limits.idle is not None or limits.keepalive is not None:
            self._vigil = Vigil(self._connection)

    def _parse(self) -> None:
        """Read on in what has come: there is room, or a turn for it."""
        self._typeahead.parse(self._connection.engine, self._connection.hearing.hear, self._spend)
        self._connection.hearing.has_parsed()

    def _spend(self, cost: int) -> bool:
        """Take the cost of a slice from `limits.protocol_rate`; past it nothing is parsed or read for a while.

        Once the ending is decided nobody waits: the rest of the last read, 4 KiB, is parsed at once, so that every
        line before an end of file is handled. Compressed bytes, which may mean much more, get one more burst.
        """
        connection = self._connection
        rate = connection.server.limits.protocol_rate
        if rate is None or (connection.ending is not None and not connection.engine.is_full):
            return True
        if self._meter is None:
            self._meter = Meter(rate, connection.server.timers)
        may_go_on = self._meter.spend(cost, self._resume)
        if connection.ending is not None:
            self._meter.end()
        return may_go_on

    def _resume(self) -> None:
        self._typeahead.is_paused = False
        self.wake()
        self._connection.life.stir()

    def _pause_for(self, until: float) -> None:
        """It types faster than `limits.command_rate`: the next lines wait, and nothing is dropped."""
        if self._throttle is None and not self._is_closed:
            self._throttle = self._connection.server.timers.at(until, self._go_on, self)

    def _go_on(self) -> None:
        self._throttle = None
        self.wake()
