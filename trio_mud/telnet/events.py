"""What a telnet engine reports: small values, compared by value.

They say what the peer sent, never what the game should do about it; the driver turns them into hook events.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import final


@final
class Line:
    """The peer ended a line.

    `cut` is true if it was longer than the limit: `text` is its beginning, the rest was discarded up to its end.
    """

    # A plain slotted class, immutable by custom: one is made for every line typed, and to freeze it would add 0.16 us
    # to the 0.65 us that a short line costs in all.
    __match_args__ = ("text", "cut")
    __slots__ = ("cut", "text")

    def __init__(self, text: str, cut: bool = False) -> None:
        self.text = text
        self.cut = cut

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return self.text == other.text and self.cut == other.cut

    def __hash__(self) -> int:
        return hash((self.text, self.cut))

    def __repr__(self) -> str:
        return f"Line({self.text!r}, cut=True)" if self.cut else f"Line({self.text!r})"


@dataclass(frozen=True, slots=True)
class Resized:
    """The peer's window has this many characters: columns within 10..1000, rows within 5..1000, None if unknown."""

    columns: int | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class TerminalType:
    """The peer gave one of its names: 1 to 64 printable ASCII characters, as sent.

    MUD clients give up to three in order: the program, the terminal, and `MTTS` with a number of capability bits.
    """

    name: str


@dataclass(frozen=True, slots=True)
class EchoRefused:
    """The peer will not let us hide its input, or did not say so in time: what is typed now may show."""


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """The peer sent this payload, already undoubled, for an option that no handler knows."""

    option: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """The peer sent IAC and this byte; NOP and GA ask for nothing and are not reported."""

    code: int


class AnomalyKind(StrEnum):
    """The ways in which a peer breaks the protocol."""

    OVERSIZED_SUBNEGOTIATION = "oversized subnegotiation"
    MALFORMED_SUBNEGOTIATION = "malformed subnegotiation"
    UNEXPECTED_SUBNEGOTIATION = "unexpected subnegotiation"
    NEGOTIATION_FLOOD = "negotiation flood"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The peer broke the protocol; the engine dealt with it and goes on.

    `detail` never quotes the peer's bytes, so it may go into a log.
    """

    kind: AnomalyKind
    detail: str


@dataclass(frozen=True, slots=True)
class OptionFailed:
    """One of our option handlers raised; the option is off for this engine and everything else goes on.

    The engine does not log: whoever reads this event should, with the traceback of `error`.
    """

    code: int
    error: Exception


TelnetEvent = Line | Resized | TerminalType | EchoRefused | Subnegotiation | Command | Anomaly | OptionFailed
