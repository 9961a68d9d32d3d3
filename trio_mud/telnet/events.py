"""The events that a telnet engine reports: small objects, compared by value.

They describe input from the peer, not how the game should react. The driver converts them to hook events.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, final

# Every value JSON can express; numbers have at most 32 characters.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# Every value MSDP can express; it has no numbers.
MsdpValue: TypeAlias = "str | list[MsdpValue] | dict[str, MsdpValue]"


@final
class Line:
    """The peer ended a line.

    `cut` is True if the line exceeded the limit: `text` is its beginning, and the rest was discarded. `hidden` is True
    if the input should have been hidden while it was typed, whether or not the peer hid it; do not log such a line.
    Lines compare equal without regard to `hidden`.
    """

    # A plain slotted class, immutable by convention: one is created for every typed line, and freezing it would add
    # 0.16 us to the 0.65 us that a short line costs in all.
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
class WindowResized:
    """The size of the peer's window in characters: 10..1000 columns, 5..1000 rows, each None if unknown."""

    columns: int | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class TerminalType:
    """The peer sent one of its names: 1 to 64 printable ASCII characters, unchanged.

    MUD clients send up to three in order: the program, the terminal, and `MTTS` with a number of capability bits.
    """

    name: str


@dataclass(frozen=True, slots=True)
class ClientVariable:
    """The peer sent a variable of its program: one that was asked for, or one of a few that clients volunteer.

    Do not trust the value: the user may have written it. Use it for display and for choosing colours, never for a
    path, a command, an address or to identify a user. It has at most 512 characters, all printable; None means that
    the peer reports having no such variable.
    """

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class CharsetAgreed:
    """A charset was agreed for text in both directions; the engine already uses it.

    If `TelnetEngine.choose_charset` is in force, the engine keeps the user's choice instead.

    `name` is the name of the Python codec, as in `TelnetEngine.charset`.
    """

    name: str


@dataclass(frozen=True, slots=True)
class CharsetRejected:
    """The peer rejected all charsets that were offered; the engine continues with the previous one.

    `names` are the names of the Python codecs. Source: TinTin++ in the C locale rejects UTF-8.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NegotiationSettled:
    """The peer has answered all initial offers, or the time for the answers is over.

    It is reported once per engine, after all events for these answers. Later answers may still come.
    """


@dataclass(frozen=True, slots=True)
class FeatureAgreed:
    """A feature of text was switched on or off: `mxp` (tags) or `sounds` (MSP triggers).

    Text sent after this event must be made for it: with MXP on, a `<` that is not escaped begins a tag.
    """

    feature: str
    agreed: bool


@dataclass(frozen=True, slots=True)
class EchoRejected:
    """The peer does not hide its input, so what is typed now may show on the screen.

    It refused, did not answer in time, or agreed and switched back while its input was to be hidden.
    """


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The name and version of the peer's program, received by GMCP: up to 64 printable characters each, "" if missing.

    It may come early, late or never, and up to four times per connection. It is not verified.
    """

    program: str
    version: str


@dataclass(frozen=True, slots=True)
class GmcpSupports:
    """The packages that the peer now supports by GMCP, in lower case, with the version of each."""

    packages: Mapping[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class GmcpReceived:
    """The peer sent a GMCP package for the game; `data` is None if it came without data.

    The package is spelt as the peer spelt it; compare by `key`. Do not trust the data, including its types. Its
    strings may contain control characters.

    Passwords may be sent this way, so the repr omits data of `Char.Login` and shortens all other data.
    """

    package: str
    data: Json

    @property
    def key(self) -> str:
        """The package name in lower case."""
        return self.package.lower()

    def __repr__(self) -> str:
        data = "hidden" if self.key.startswith("char.login") else _shorten(self.data)
        return f"GmcpReceived({self.package!r}, {data})"


@dataclass(frozen=True, slots=True, repr=False)
class MsdpReceived:
    """The peer sent an MSDP variable, or a command that the option leaves to the game.

    Such commands are REPORT and SEND for variables that have no value yet; the value is their name or a list of names.
    Strings may contain control characters, except 00-06.
    """

    variable: str
    value: MsdpValue

    def __repr__(self) -> str:
        return f"MsdpReceived({self.variable!r}, {_shorten(self.value)})"


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """The peer sent a payload for an unsupported option; doubled ff are already single.

    Some options carry passwords, so the repr omits the payload.
    """

    option: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TelnetCommand:
    """The peer sent IAC and this byte, which the engine does not answer by itself."""

    code: int


class InterruptKind(StrEnum):
    """The commands by which a peer asks to interrupt the current activity."""

    INTERRUPT = "interrupt process"
    BREAK = "break"
    SUSPEND = "suspend"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class InterruptReceived:
    """The peer sent an interrupt, as some clients do for ^C."""

    kind: InterruptKind


class AnomalyKind(StrEnum):
    """The kinds of protocol violations."""

    OVERSIZED_SUBNEGOTIATION = "oversized subnegotiation"
    MALFORMED_SUBNEGOTIATION = "malformed subnegotiation"
    """The frame is broken: another command came before IAC SE."""
    MALFORMED_PAYLOAD = "malformed payload"
    """The frame is valid, but the content is not; the content was dropped."""
    UNEXPECTED_SUBNEGOTIATION = "unexpected subnegotiation"
    UNFINISHED_SUBNEGOTIATION = "unfinished subnegotiation"
    NEGOTIATION_FLOOD = "negotiation flood"

    @property
    def is_harmless(self) -> bool:
        """True if well-meaning programs send it: its frame is valid, so the stream is still readable.

        MUDPortal's web client sends its GMCP greeting as bare words at each login, some scripts write JSON with single
        quotes, and some clients send their window size before it was asked for.
        """
        return self in (AnomalyKind.MALFORMED_PAYLOAD, AnomalyKind.UNEXPECTED_SUBNEGOTIATION)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The peer violated the protocol; the engine handled it and continues.

    `detail` never quotes the peer's bytes, so it is safe to log.
    """

    kind: AnomalyKind
    detail: str


@dataclass(frozen=True, slots=True)
class CompressionFailed:
    """The peer's compressed stream is invalid or exceeds its limits; the engine ignores all further bytes.

    Text cannot be read again after it, so close the connection. `detail` never quotes the peer's bytes.
    """

    detail: str


@dataclass(frozen=True, slots=True)
class OptionFailed:
    """An option handler of ours raised; the option is off for this engine and everything else continues.

    The engine does not log. The caller should log this event with the traceback of `error`.
    """

    code: int
    error: BaseException


_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxlist, _brief.maxdict, _brief.maxstring, _brief.maxlong = 3, 4, 4, 40, 40


def _shorten(value: object) -> str:
    """Return the beginning of the repr of a value that may be large."""
    shown = _brief.repr(value)
    return shown if len(shown) <= 200 else shown[:197] + "..."


TelnetEvent = (
    Line
    | WindowResized
    | TerminalType
    | ClientVariable
    | CharsetAgreed
    | CharsetRejected
    | FeatureAgreed
    | NegotiationSettled
    | ClientHello
    | GmcpSupports
    | GmcpReceived
    | MsdpReceived
    | EchoRejected
    | InterruptReceived
    | Subnegotiation
    | TelnetCommand
    | Anomaly
    | CompressionFailed
    | OptionFailed
)
