"""What one peer has sent and the game has not handled: bytes first, then lines. Bounded, and nothing is dropped.

The engine gets slices of at most 512 bytes, and only while there is room for more lines,
because one read of newlines could make thousands of them; the rest stays bytes.
What the peer compressed waits in the engine instead, and is read a piece a turn, for nobody knows how much it is.
When it is full, whoever reads stops reading, and TCP slows the sender.
Parsing is metered: when the peer has caused more work than it may (`metering`), the rest stays bytes for a while, too.
"""

from __future__ import annotations

from collections.abc import Callable

from ..telnet import Line, TelnetEngine, TelnetEvent
from ..text import clean_line
from ..text.cleaning import break_triggers
from .events import HookEvent

SLICE = 512  # bytes given to the engine at once, so at most as many lines above the limit

Hear = Callable[[TelnetEvent], HookEvent | None]
Spend = Callable[[int], bool]  # takes the cost of a slice; returns whether the next one may be parsed


class HiddenLine(str):
    """A line typed while a dialog hid it: an answer to hidden questions and to nothing else. Its repr does not tell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden line>"


class Typeahead:
    """The lines of one connection, and what else it sent that waits in turn with them, oldest first.

    The lines are a list: empty it takes 56 bytes against the 760 of a deque, and it never grows long.

    Attributes:
        lines: The lines and events, to be looked at; `take` takes one.
        is_hidden: Whether what comes now is typed hidden, for a dialog's question.
        is_closed: Whether nobody will handle what comes.
        is_paused: True while the peer has spent its budget: nothing more is parsed or read.
    """

    __slots__ = (
        "_hides_partial",
        "_is_behind",
        "_raw",
        "_room",
        "_shown",
        "_skips_line",
        "is_closed",
        "is_hidden",
        "is_paused",
        "lines",
    )

    def __init__(self, room: int) -> None:
        self._room = room  # lines
        self.lines: list[str | HookEvent] = []
        self._raw: bytearray | None = None  # bytes the engine has not seen
        self._shown = 0  # bytes of these that came before what comes now was hidden
        self._is_behind = False  # the engine has bytes it has not read
        self._hides_partial = False  # and part of a line that came while it was hidden
        self._skips_line = False  # and part of a line that nobody is to see
        self.is_hidden = False
        self.is_closed = False
        self.is_paused = False

    def __len__(self) -> int:
        """How many lines can be taken."""
        return len(self.lines)

    @property
    def is_full(self) -> bool:
        """Whether reading must wait."""
        return self._is_behind or self._raw is not None or self.is_paused or len(self.lines) >= self._room

    @property
    def is_empty(self) -> bool:
        """Whether everything that came was taken."""
        return not self.lines and self._raw is None and not self._is_behind

    @property
    def has_unread(self) -> bool:
        """Whether bytes wait that `parse` may turn into lines."""
        return self._is_behind or self._raw is not None

    def may_parse(self, engine: TelnetEngine) -> bool:
        """Whether `parse` would get further now, though no line was taken: it wants a turn of its own."""
        if self.is_paused or len(self.lines) >= self._room:
            return False
        return engine.pending if self._is_behind else self._raw is not None

    def feed_line(self, data: bytes, engine: TelnetEngine) -> bool:
        """Take bytes in if they are one line that anybody may see, as most are; otherwise take none."""
        if self.is_hidden or self.is_closed or self.is_full or (line := engine.receive_line(data)) is None:
            return False
        self.lines.append(break_triggers(line))
        return True

    def feed(self, data: bytes, engine: TelnetEngine, hear: Hear, spend: Spend) -> None:
        """Take bytes in; `hear` is told of everything in them that is not a line, in order, and `spend` of the cost."""
        if len(data) <= SLICE and not self.is_full:
            self._receive(data, engine, hear, spend, self.is_hidden)
            return
        if self._raw is None:
            self._raw = bytearray()
        self._raw += data
        if not self.is_hidden:
            self._shown = len(self._raw)
        self.parse(engine, hear, spend)

    def parse(self, engine: TelnetEngine, hear: Hear, spend: Spend) -> None:
        """Turn waiting bytes into lines while there is room and budget; compressed ones a piece at each call."""
        if self._is_behind and self.may_parse(engine):
            self._receive(b"", engine, hear, spend, self.is_hidden)
        while self._raw is not None and not self._is_behind and not self.is_paused and len(self.lines) < self._room:
            is_hidden = self.is_hidden and not self._shown
            piece = bytes(self._raw[: min(SLICE, self._shown or SLICE)])
            del self._raw[: len(piece)]
            self._shown = max(0, self._shown - len(piece))
            if not self._raw:
                self._raw = None
            self._receive(piece, engine, hear, spend, is_hidden)

    def take(self) -> str | HookEvent:
        """The oldest line or event."""
        return self.lines.pop(0)

    def give_back(self, line: str) -> None:
        """Have this line first again."""
        if not self.is_closed:
            self.lines.insert(0, line)

    def discard(self, engine: TelnetEngine, hear: Hear, spend: Spend) -> None:
        """Forget the lines that came so far, and the one whose end is still to come.

        What else is in the bytes that wait, such as half a negotiation, is heard all the same.
        """
        self.lines.clear()
        raw, self._raw, self._shown = self._raw, None, 0
        if raw is not None and not self._is_behind:
            self._receive(bytes(raw), engine, hear, spend, False, drops_lines=True)
        self._skips_line = engine.is_amid_line

    def close(self) -> None:
        """Forget everything, and what still comes: nobody will handle it."""
        self.is_closed = True
        self.lines.clear()
        self._raw = None
        self._is_behind = self.is_paused = False

    def _receive(
        self,
        data: bytes,
        engine: TelnetEngine,
        hear: Hear,
        spend: Spend,
        is_hidden: bool,
        drops_lines: bool = False,
    ) -> None:
        events = engine.receive(data)
        if cost := engine.take_cost():
            self.is_paused = not spend(cost)  # before any event may end the connection, and with it the budget
        if drops_lines:
            events = [event for event in events if type(event) is not Line]
        self._add(events, engine, hear, is_hidden)
        self._is_behind = engine.is_full and not self.is_closed

    def _add(self, events: list[TelnetEvent], engine: TelnetEngine, hear: Hear, is_hidden: bool) -> None:
        for event in events:
            if self.is_closed:
                return  # by what one of them led to
            if type(event) is Line:
                if self._skips_line:
                    self._skips_line = False
                    continue
                line = clean_line(event.text)
                self.lines.append(HiddenLine(line) if is_hidden or self._hides_partial else line)
                self._hides_partial = False
                if not event.cut:
                    continue
            if (heard := hear(event)) is not None:
                self.lines.append(heard)
        if is_hidden:  # also when the rest of it comes after that
            self._hides_partial = engine.is_amid_line
