"""What one peer has sent and the game has not handled: bytes first, then lines. Bounded, and nothing is dropped.

The engine gets slices of at most 512 bytes, and only while there is room for more lines,
because one read of newlines could make thousands of them; the rest stays bytes.
What the peer compressed waits in the engine instead, and is read a piece a turn, for nobody knows how much it is.
When it is full, whoever reads stops reading, and TCP slows the sender.
Parsing is metered: when the peer has caused more work than it may (`metering`), the rest stays bytes for a while, too.

Lines and events are counted, and those that are large are bounded in bytes, too.
A payload waits as the JSON it means, for the objects it decodes to may take twenty times the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from ...limits import Limits
from ...telnet import Line, TelnetEngine, TelnetEvent
from ...telnet.gmcp_messages import from_json, to_json
from ...telnet.scanner import COMMAND_COST
from ...text import clean_line
from ...text.cleaning import break_triggers
from ..core.events import HookEvent
from .events import GmcpMessage, MsdpMessage

if TYPE_CHECKING:
    from .connection import Connection

SLICE: Final = 512  # bytes given to the engine at once, so at most as many lines above the limit
LEAST_COST: Final = (
    4 * COMMAND_COST
)  # of a slice that ends no line; a read takes 90 us, and keys repeat 40 times a second
LIGHT: Final = 192  # bytes of a line or payload; the number of lighter ones is bound enough


class HiddenLine(str):
    """A line typed while a dialog hid it: an answer to hidden questions and to nothing else. Its repr does not tell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden line>"


class Payload:
    """A GMCP or MSDP message that waits for its turn, as JSON: its size is known, and is that of what came."""

    __slots__ = ("_body", "_connection", "_kind", "_name")

    def __init__(self, kind: type[GmcpMessage | MsdpMessage], connection: Connection, name: str, data: object) -> None:
        self._kind = kind
        self._connection = connection
        self._name = name
        self._body = to_json(data)

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + getsizeof(self._body)

    def event(self) -> HookEvent:
        """The event that its turn makes of it."""
        return self._kind(self._connection, self._name, from_json(self._body))


Heard = HookEvent | Payload
Hear = Callable[[TelnetEvent], Heard | None]
Spend = Callable[[int], bool]  # takes the cost of a slice; returns whether the next one may be parsed


def weight_of(item: str | Heard) -> int:
    """Bytes of memory that a line or payload counts for; 0 for a light one."""
    size = getsizeof(item)
    return size if size > LIGHT else 0


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
        "_limits",
        "_raw",
        "_room",
        "_shown",
        "_skips_line",
        "_weight",
        "is_closed",
        "is_hidden",
        "is_paused",
        "lines",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room = limits.typeahead  # lines
        self._weight = 0  # bytes of those that are not light
        self.lines: list[str | Heard] = []
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
        return (
            self._is_behind
            or self._raw is not None
            or self.is_paused
            or len(self.lines) >= self._room
            or (self._weight != 0 and self._weight >= self._limits.max_typeahead_bytes)
        )

    @property
    def _has_room(self) -> bool:
        return len(self.lines) < self._room and self._weight < self._limits.max_typeahead_bytes

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
        if self.is_paused or not self._has_room:
            return False
        return engine.pending if self._is_behind else self._raw is not None

    def feed_line(self, data: bytes, engine: TelnetEngine) -> bool:
        """Take bytes in if they are one line that anybody may see, as most are; otherwise take none."""
        if self.is_hidden or self.is_closed or self.is_full or (line := engine.receive_line(data)) is None:
            return False
        self.lines.append(line := break_triggers(line))
        if len(line) > LIGHT // 2:
            self._weight += weight_of(line)
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
        """Turn waiting bytes into lines while there is room and budget.

        Compressed bytes are parsed a piece at each call, and so are slices that cost more than their lines: a whole
        read of commands would hold up everybody else for some milliseconds, and the burst of ten peers for sixty.
        """
        is_costly = (
            self._is_behind and self.may_parse(engine) and self._receive(b"", engine, hear, spend, self.is_hidden)
        )
        while not is_costly and self._raw is not None and not self._is_behind and not self.is_paused and self._has_room:
            is_hidden = self.is_hidden and not self._shown
            piece = bytes(self._raw[: min(SLICE, self._shown or SLICE)])
            del self._raw[: len(piece)]
            self._shown = max(0, self._shown - len(piece))
            if not self._raw:
                self._raw = None
            is_costly = self._receive(piece, engine, hear, spend, is_hidden)

    def take(self) -> str | HookEvent:
        """The oldest line or event."""
        item = self.lines.pop(0)
        if self._weight:
            self._weight -= weight_of(item)
        return item.event() if isinstance(item, Payload) else item

    def give_back(self, line: str) -> None:
        """Have this line first again."""
        if not self.is_closed:
            self._put(line, 0)

    def discard(self, engine: TelnetEngine, hear: Hear, spend: Spend) -> None:
        """Forget the lines that came so far, and the one whose end is still to come.

        What else is in the bytes that wait, such as half a negotiation, is heard all the same.
        """
        self.lines.clear()
        self._weight = 0
        raw, self._raw, self._shown = self._raw, None, 0
        if raw is not None and not self._is_behind:
            self._receive(bytes(raw), engine, hear, spend, False, drops_lines=True)
        self._skips_line = engine.is_amid_line

    def close(self) -> None:
        """Forget everything, and what still comes: nobody will handle it."""
        self.is_closed = True
        self.lines.clear()
        self._weight = 0
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
    ) -> bool:
        """Parse these bytes; return whether they cost anything beside their lines."""
        events = engine.receive(data)
        cost = engine.take_cost()
        if cost < LEAST_COST and Line not in map(type, events):
            cost = LEAST_COST
        if cost:
            self.is_paused = not spend(cost)  # before any event may end the connection, and with it the budget
        if drops_lines:
            events = [event for event in events if type(event) is not Line]
        self._add(events, engine, hear, is_hidden)
        self._is_behind = engine.is_full and not self.is_closed
        return bool(cost)

    def _add(self, events: list[TelnetEvent], engine: TelnetEngine, hear: Hear, is_hidden: bool) -> None:
        for event in events:
            if self.is_closed:
                return  # by what one of them led to
            if type(event) is Line:
                if self._skips_line:
                    self._skips_line = False
                    continue
                line = clean_line(event.text)
                self._put(HiddenLine(line) if is_hidden or self._hides_partial else line)
                self._hides_partial = False
                if not event.cut:
                    continue
            if (heard := hear(event)) is not None:
                self._put(heard)
        if is_hidden:  # also when the rest of it comes after that
            self._hides_partial = engine.is_amid_line

    def _put(self, item: str | Heard, at: int | None = None) -> None:
        self.lines.insert(len(self.lines) if at is None else at, item)
        self._weight += weight_of(item)
