"""What a telnet engine reports: small values, compared by value.

They say what the peer sent, never what the game should do about it; the driver turns them into hook events.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, final

# What JSON can say; numbers have up to 32 characters.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# What MSDP can say; it knows no numbers.
MsdpValue: TypeAlias = "str | list[MsdpValue] | dict[str, MsdpValue]"


@final
class Line:
    """The peer ended a line.

    `cut` is true if it was longer than the limit: `text` is its beginning, the rest was discarded up to its end.
    `hidden` is true if it was meant not to show as it was typed, if the peer hid it or not: do not log it.  It says
    how to treat the line, not what it is, so lines compare without it.
    """

    # A plain slotted class, immutable by custom: one is made for every line typed, and to freeze it would add 0.16 us
    # to the 0.65 us that a short line costs in all.
    __match_args__ = ("text", "cut")
    __slots__ = ("cut", "hidden", "text")

    def __init__(self, text: str, cut: bool = False, hidden: bool = False) -> None:
        self.text = text
        self.cut = cut
        self.hidden = hidden

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return self.text == other.text and self.cut == other.cut

    def __hash__(self) -> int:
        return hash((self.text, self.cut))

    def __repr__(self) -> str:
        text = "hidden" if self.hidden else repr(self.text)
        return f"Line({text}, cut=True)" if self.cut else f"Line({text})"


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
class ClientVariable:
    """The peer told a variable of its program: one that was asked for, or one of a few that clients volunteer.

    The value is not to be trusted: whoever sits there may have written it.  It is for display and for choosing
    colours, never for a path, a command, an address or the question who somebody is.  It has at most 512
    characters, all of them printable; None means that the peer says it has no such variable.
    """

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class CharsetAgreed:
    """Text travels in this charset from here on, in both directions; the engine already uses it.

    With `TelnetEngine.choose_charset` in force it does not: the user's choice comes first.

    `name` is that of the Python codec, as in `TelnetEngine.charset`.
    """

    name: str


@dataclass(frozen=True, slots=True)
class CharsetRejected:
    """The peer takes none of the charsets that it was asked for; the engine goes on as before.

    `names` are those of the Python codecs.  Source: TinTin++ in the C locale rejects UTF-8.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """The peer has answered what it was asked as the connection began, or has had time enough to.

    Once for each engine, after all events that tell the answers; later answers may still come.
    """


@dataclass(frozen=True, slots=True)
class FeatureAgreed:
    """Text may carry something from here on, or may not any more: `mxp`, tags in it, or `sounds`, triggers of MSP.

    Text sent after this must be made for it: with MXP a `<` that is not escaped would be a tag.
    """

    feature: str
    agreed: bool


@dataclass(frozen=True, slots=True)
class EchoRefused:
    """The peer does not hide its input, so what is typed now may show.

    It refused, it did not answer in time, or it agreed and took that back while its input was to be hidden.
    """


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The peer's program gave its name and version in GMCP: up to 64 printable characters each, "" if left out.

    Early, late or never, and up to four times in a connection's life.  It is only what the peer says.
    """

    program: str
    version: str


@dataclass(frozen=True, slots=True)
class GmcpSupports:
    """The packages that the peer takes by GMCP are now these, in lower case, with the version of each."""

    packages: Mapping[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class GmcpReceived:
    """The peer sent this package of the game's by GMCP; `data` is None if it came without any.

    The package is spelt as it was sent: compare by `key`.  Nothing in the data is to be trusted, not
    even its shape, and its texts may hold control characters.

    Passwords come this way, so what belongs to `Char.Login` does not show, and of all else only the beginning.
    """

    package: str
    data: Json

    @property
    def key(self) -> str:
        """The package in lower case."""
        return self.package.lower()

    def __repr__(self) -> str:
        data = "hidden" if self.key.startswith("char.login") else _shorten(self.data)
        return f"GmcpReceived({self.package!r}, {data})"


@dataclass(frozen=True, slots=True, repr=False)
class MsdpReceived:
    """The peer sent this variable by MSDP, or a command that the option leaves to the game.

    Such are REPORT and SEND, whose value is the name or a list of names of variables that were not given a value yet.
    Texts may hold control characters, but none of 00-06.
    """

    variable: str
    value: MsdpValue

    def __repr__(self) -> str:
        return f"MsdpReceived({self.variable!r}, {_shorten(self.value)})"


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """The peer sent this payload, already undoubled, for an option that no handler knows.

    Some options carry passwords, so the payload does not show.
    """

    option: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """The peer sent IAC and this byte, and telnet itself has no answer to it."""

    code: int


class InterruptKind(StrEnum):
    """The ways in which a peer may want to stop what is going on."""

    INTERRUPT = "interrupt process"
    BREAK = "break"
    SUSPEND = "suspend"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The peer's user pressed a key that stops things, such as ^C in a client that has a command for it."""

    kind: InterruptKind


class AnomalyKind(StrEnum):
    """The ways in which a peer breaks the protocol."""

    OVERSIZED_SUBNEGOTIATION = "oversized subnegotiation"
    MALFORMED_SUBNEGOTIATION = "malformed subnegotiation"
    """Its frame is broken: another command came before IAC SE."""
    MALFORMED_PAYLOAD = "malformed payload"
    """Its frame is sound, and its content cannot be understood; the content was dropped."""
    UNEXPECTED_SUBNEGOTIATION = "unexpected subnegotiation"
    UNFINISHED_SUBNEGOTIATION = "unfinished subnegotiation"
    NEGOTIATION_FLOOD = "negotiation flood"

    @property
    def is_harmless(self) -> bool:
        """True if programs that mean no harm send it: the frame around it is sound, so the stream is still readable.

        MUDPortal's web client greets by GMCP in bare words at each login, some scripts write JSON with single quotes,
        some clients send the size of their window before they are asked.
        """
        return self in (AnomalyKind.MALFORMED_PAYLOAD, AnomalyKind.UNEXPECTED_SUBNEGOTIATION)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The peer broke the protocol; the engine dealt with it and goes on.

    `detail` never quotes the peer's bytes, so it may go into a log.
    """

    kind: AnomalyKind
    detail: str


@dataclass(frozen=True, slots=True)
class CompressionFailed:
    """The peer's compressed bytes cannot be read on, or must not; the engine ignores all that comes after them.

    There is no way back to text, so end the connection.  `detail` never quotes the peer's bytes.
    """

    detail: str


@dataclass(frozen=True, slots=True)
class OptionFailed:
    """One of our option handlers raised; the option is off for this engine and everything else goes on.

    The engine does not log: whoever reads this event should, with the traceback of `error`.
    """

    code: int
    error: BaseException


_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxlist, _brief.maxdict, _brief.maxstring, _brief.maxlong = 3, 4, 4, 40, 40


def _shorten(value: object) -> str:
    """Show the beginning of a value that may be large."""
    shown = _brief.repr(value)
    return shown if len(shown) <= 200 else shown[:197] + "..."


TelnetEvent = (
    Line
    | Resized
    | TerminalType
    | ClientVariable
    | CharsetAgreed
    | CharsetRejected
    | FeatureAgreed
    | Settled
    | ClientHello
    | GmcpSupports
    | GmcpReceived
    | MsdpReceived
    | EchoRefused
    | Interrupt
    | Subnegotiation
    | Command
    | Anomaly
    | CompressionFailed
    | OptionFailed
)
