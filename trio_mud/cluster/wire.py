"""The messages between a gateway and a world, and their encoding.

Theory of operation
-------------------
A *frame* is one batch of messages in one direction, encoded as MessagePack arrays. Up is from a gateway to the world,
down is from the world to a gateway. The messages are the calls of the driver's own interface: up, those of
`LinkReceiver`; down, those of `Link`. So a message down is applied by calling the telnet link of the player, which
renders the text for its client and knows the state of its screen.

Compatibility: a field is only added at the end of a message, with a default, and a tag is never used again. A frame
of a neighbouring version is decoded message by message, and unknown messages are counted. Versions that differ by
more than one do not talk.

Every field is bounded, so that neither side can make the other keep more than a frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from ..text import Markup, Text
from ..text.styles import Style

VERSION: Final = 1
MAX_FRAME: Final = 16 * 1024 * 1024  # bytes
MAX_LINE: Final = 64 * 1024  # characters of a typed line
MAX_TEXT: Final = 1024 * 1024  # characters of a text for players
MAX_BODY: Final = 512 * 1024  # bytes of JSON; a client's payload has at most 64 KiB, and escapes can multiply it
MAX_TAIL: Final = 4 * 1024 * 1024  # bytes of a tail that moves to another gateway; of a longer one the end

_NUMBER: Final = 2**53  # the greatest integer that every implementation of MessagePack carries exactly

Number = Annotated[int, Meta(ge=0, le=_NUMBER)]
Seen = Annotated[int, Meta(ge=-1, le=_NUMBER)]
Word = Annotated[str, Meta(max_length=64)]
Phrase = Annotated[str, Meta(max_length=1024)]
Address = Annotated[str, Meta(max_length=256)]
TypedText = Annotated[str, Meta(max_length=MAX_LINE)]
PlainText = Annotated[str, Meta(max_length=MAX_TEXT)]
Body = Annotated[bytes, Meta(max_length=MAX_BODY)]
TailText = Annotated[bytes, Meta(max_length=MAX_TAIL)]
Protocol = Literal["gmcp", "msdp"]
Key = Literal["interrupt process", "break", "suspend", "abort"]

# Not `tuple[int, int]`: with msgspec 0.22, a union of that and of a bounded str crashes the garbage collector.
FactValue = bool | int | Phrase | Annotated[tuple[Number, ...], Meta(max_length=2)]
FactTable = Annotated[dict[Word, tuple[FactValue, Annotated[int, Meta(ge=0, le=64)]]], Meta(max_length=64)]
PackageTable = Annotated[dict[Word, Number], Meta(max_length=256)]


class WireError(ValueError):
    """A frame cannot be decoded, and nothing of it was used."""


class VersionMismatch(WireError):
    """The other side's version differs by more than one. Update the older of the two."""


class _Message(msgspec.Struct, array_like=True, frozen=True):
    """One message. Its tag is its first element."""


# Up: from a gateway to the world


class KnownFacts(msgspec.Struct, array_like=True, frozen=True):
    """The known facts about a client's program: the state of a `Client`.

    Attributes:
        facts: Each value with the rank of its source.
        terminals: The answers to TTYPE, in order.
        packages: The GMCP packages that it supports.
        is_ready: True once it has reported its abilities.
        has_answered: True if it has answered any telnet request.
        protocols: The out-of-band protocols that were agreed.
    """

    facts: FactTable = {}
    terminals: Annotated[tuple[Phrase, ...], Meta(max_length=64)] = ()
    packages: PackageTable = {}
    is_ready: bool = False
    has_answered: bool = False
    protocols: Annotated[tuple[Protocol, ...], Meta(max_length=2)] = ()


class Arrived(_Message, tag=1, frozen=True):
    """A connection is at the gateway: a new one, which waits for its verdict, or one that an earlier world admitted.

    Attributes:
        link: Its number at this gateway, never reused.
        taken: The greatest number that the earlier world has acknowledged.
        was_admitted: True if an earlier world has admitted it.
        is_recorded: True if acknowledgements are to name the lines that must not be recorded.
    """

    link: Number
    address: Address
    is_secure: bool
    client: KnownFacts
    taken: Number = 0
    was_admitted: bool = False
    is_recorded: bool = False


class LineTyped(_Message, tag=2, frozen=True):
    """A line was typed. Numbered."""

    link: Number
    number: Number
    text: TypedText
    is_hidden: bool = False


class MessageReceived(_Message, tag=3, frozen=True):
    """The client's program sent a GMCP or MSDP message. Numbered.

    Attributes:
        body: The data as JSON.
    """

    link: Number
    number: Number
    protocol: Protocol
    name: Phrase
    body: Body


class KeyPressed(_Message, tag=4, frozen=True):
    """The player pressed an interrupt key. Numbered."""

    link: Number
    number: Number
    kind: Key


class InputDiscarded(_Message, tag=5, frozen=True):
    """The gateway has obeyed `DiscardInput`: later numbers were typed after it. Numbered."""

    link: Number
    number: Number


class FactsLearned(_Message, tag=6, frozen=True):
    """The known facts about the client have changed; all of them."""

    link: Number
    client: KnownFacts


class Signalled(_Message, tag=7, frozen=True):
    """An event of the link that overtakes lines.

    Attributes:
        size: The columns and rows of "resized"; otherwise empty.
    """

    link: Number
    kind: Literal["resized", "hiding refused", "client known", "packages named"]
    size: Annotated[tuple[Number, ...], Meta(max_length=2)] = ()


class InputOver(_Message, tag=8, frozen=True):
    """The peer has sent its end of file, and all its input was sent up. It may still read."""

    link: Number


class Departed(_Message, tag=9, frozen=True):
    """The connection has ended at the gateway. It is sent until the world has dismissed the connection.

    Attributes:
        cause: The name of the `Cause`.
    """

    link: Number
    cause: Word
    text: PlainText = ""


class RollOver(_Message, tag=10, frozen=True):
    """All connections of this gateway, and their unacknowledged input, were sent."""


class WorldProbed(_Message, tag=11, frozen=True):
    """The gateway has sent messages, and no frame has come for a while: answer by `ProbeAnswered`."""


class TailGiven(_Message, tag=12, frozen=True):
    """The answer to `TailWanted`: the gateway keeps it no longer.

    Attributes:
        lines: The number of line ends that its client was sent; negative if the gateway has no such tail.
        data: The last text that its client was sent.
    """

    tail: Number
    lines: Annotated[int, Meta(ge=-1, le=_NUMBER)]
    data: TailText


Up = (
    Arrived
    | LineTyped
    | MessageReceived
    | KeyPressed
    | InputDiscarded
    | FactsLearned
    | Signalled
    | InputOver
    | Departed
    | RollOver
    | WorldProbed
    | TailGiven
)
Numbered = LineTyped | MessageReceived | KeyPressed | InputDiscarded

# Down: from the world to a gateway


class Styled(msgspec.Struct, array_like=True, frozen=True):
    """A `Markup`: pieces of text with their styles."""

    spans: Annotated[tuple[tuple[PlainText, Style], ...], Meta(max_length=64 * 1024)]
    sounds: Annotated[tuple[Phrase, ...], Meta(max_length=256)] = ()


class TextSent(_Message, tag=1, frozen=True):
    """Write a text and a line end. Last words may exceed the limit."""

    text: PlainText | Styled
    is_last: bool = False


class PromptSent(_Message, tag=2, frozen=True):
    """Write a text without a line end, as a prompt."""

    text: PlainText | Styled


class PromptAnswered(_Message, tag=3, frozen=True):
    """Forget the prompt: at this place in the output the world handled a line."""


class MessageSent(_Message, tag=4, frozen=True):
    """Send a GMCP or MSDP message if the client supports it.

    Attributes:
        body: The data as JSON; empty for a package without data.
    """

    protocol: Protocol
    name: Phrase
    body: Body


class InputHidden(_Message, tag=5, frozen=True):
    """Ask the client to hide or show typed input, as `Link.hide_input` does."""

    is_hidden: bool
    marks: bool = False
    ends_line: bool = True
    is_answered: bool = True


class ReturnOffered(_Message, tag=6, frozen=True):
    """Send the client a token for its return, and keep its text from here on in this tail.

    Attributes:
        tail: The world's number of the tail.
        waits: Seconds that the session waits; negative for ever.
        seen: The number of line ends that it has received, if `CaughtUp` follows; negative for all.
    """

    tail: Number
    token: Phrase
    waits: float
    seen: Seen = -1


class CaughtUp(_Message, tag=7, frozen=True):
    """Send a client that has returned the text of this tail that it is missing.

    Attributes:
        seen: The number of line ends that it has received; negative if it shows nothing.
    """

    tail: Number
    seen: Seen


class TailEnded(_Message, tag=8, frozen=True):
    """Keep no more text in the tail of this connection. The tail itself stays."""


class Preferred(_Message, tag=9, frozen=True):
    """The preferences of the user, which take precedence over the facts; all of them."""

    wishes: FactTable


class TailMoved(_Message, tag=10, frozen=True):
    """A tail that another gateway has kept. It precedes `CaughtUp`; the attributes are those of `TailGiven`."""

    tail: Number
    lines: Annotated[int, Meta(ge=-1, le=_NUMBER)]
    data: TailText


Item = (
    TextSent
    | PromptSent
    | PromptAnswered
    | MessageSent
    | InputHidden
    | ReturnOffered
    | CaughtUp
    | TailEnded
    | Preferred
    | TailMoved
)
Items = Annotated[tuple[Item, ...], Meta(max_length=64 * 1024)]
Numbers = Annotated[list[Number], Meta(max_length=2 * 1024 * 1024)]
Links = Annotated[list[Number], Meta(max_length=1024 * 1024)]


class VerdictAdmitted(_Message, tag=1, frozen=True):
    """The verdict of the connect hook: the connection is admitted. Without it, `Dismissed` refuses."""

    link: Number


class Output(_Message, tag=2, frozen=True):
    """Output for these connections, the same for each."""

    links: Links
    items: Items


class Dismissed(_Message, tag=3, frozen=True):
    """The connection has ended in the world, and its last output was sent before.

    Attributes:
        cause: The name of the `Cause`.
        text: The text of a refusal.
    """

    link: Number
    cause: Word
    text: PlainText = ""


class Acknowledged(_Message, tag=4, frozen=True):
    """The world has taken all input up to these numbers.

    Attributes:
        taken: A link and a number, in turn.
        secret: A recorded link and the number of a line that must not be recorded, in turn.
    """

    taken: Numbers
    secret: Numbers = []


class WorldStarted(_Message, tag=5, frozen=True):
    """A new world, one whose cluster link has lost its data, or one that had given the gateway up: send the roll."""

    epoch: Number
    roll: Number


class DiscardInput(_Message, tag=6, frozen=True):
    """Drop what the player has typed so far, and answer by `InputDiscarded`."""

    link: Number


class Listed(_Message, tag=7, frozen=True):
    """The variables for MUD listings."""

    variables: Annotated[
        dict[Phrase, Phrase | Annotated[tuple[Phrase, ...], Meta(max_length=1024)]], Meta(max_length=1024)
    ]


class ProbeAnswered(_Message, tag=8, frozen=True):
    """The answer to `WorldProbed`: the world is alive."""


class NetworkBanned(_Message, tag=9, frozen=True):
    """Refuse connections from a network with this text, without asking the world.

    Attributes:
        network: In CIDR notation.
        seconds: How long; negative for ever. A duration, since the clocks of two hosts are never compared.
    """

    network: Word
    text: Phrase
    seconds: float


class NetworkAllowed(_Message, tag=10, frozen=True):
    """The ban of a network is lifted."""

    network: Word


class TailWanted(_Message, tag=11, frozen=True):
    """Answer by `TailGiven`: the client of this tail has returned by another gateway."""

    tail: Number


Down = (
    VerdictAdmitted
    | Output
    | Dismissed
    | Acknowledged
    | WorldStarted
    | DiscardInput
    | Listed
    | ProbeAnswered
    | NetworkBanned
    | NetworkAllowed
    | TailWanted
)

# Frames


class UpFrame(msgspec.Struct, array_like=True, frozen=True):
    """One batch of a gateway.

    Attributes:
        gateway: Its name.
        incarnation: Another number each time the gateway starts.
        epoch: That of the world that the messages are for; 0 if the gateway knows none. Any other world ignores them.
        roll: The number of the last roll that was sent to that world. It ignores messages that do not follow its last
            request, since the roll brings again what they said.
        number: Greater for each frame of this incarnation, so that one that comes twice is dropped; 0 for none.
    """

    version: int
    gateway: Word
    incarnation: Number
    epoch: Number
    roll: Number
    messages: list[Up]
    number: Number = 0


class _Sender(msgspec.Struct, array_like=True):
    version: int
    gateway: Word


class DownFrame(msgspec.Struct, array_like=True, frozen=True):
    """One batch of the world, for one gateway.

    Attributes:
        incarnation: That of the gateway whose connections the messages name; 0 if they name none.
        number: Greater for each frame of this epoch, so that one that comes twice is dropped; 0 for none.
    """

    version: int
    epoch: Number
    messages: list[Down]
    incarnation: Number = 0
    number: Number = 0


class _RawUp(msgspec.Struct, array_like=True):
    version: int
    gateway: Word
    incarnation: Number
    epoch: Number
    roll: Number
    messages: list[msgspec.Raw]
    number: Number = 0


class _RawDown(msgspec.Struct, array_like=True):
    version: int
    epoch: Number
    messages: list[msgspec.Raw]
    incarnation: Number = 0
    number: Number = 0


_NO_NUMBERS: Final = itertools.repeat(0)
_encoder: Final = msgspec.msgpack.Encoder()
_up: Final = msgspec.msgpack.Decoder(UpFrame)
_down: Final = msgspec.msgpack.Decoder(DownFrame)
_sender: Final = msgspec.msgpack.Decoder(_Sender)
_raw_up: Final = msgspec.msgpack.Decoder(_RawUp)
_raw_down: Final = msgspec.msgpack.Decoder(_RawDown)
_one_up: Final[msgspec.msgpack.Decoder[Up]] = msgspec.msgpack.Decoder(Up)
_one_down: Final[msgspec.msgpack.Decoder[Down]] = msgspec.msgpack.Decoder(Down)

Message = TypeVar("Message")


def encode_up(
    gateway: str, incarnation: int, epoch: int, roll: int, messages: Sequence[Up], numbers: Iterator[int] = _NO_NUMBERS
) -> list[bytes]:
    """Encode a gateway's messages, in order, into as few frames as `MAX_FRAME` allows, but at least one."""
    return [
        _encoder.encode(
            [VERSION, gateway, incarnation, epoch, roll, [msgspec.Raw(message) for message in part], next(numbers)]
        )
        for part in _parts(messages) or [[]]
    ]


def encode_down(
    epoch: int, messages: Sequence[Down], incarnation: int = 0, numbers: Iterator[int] = _NO_NUMBERS
) -> list[bytes]:
    """Encode a world's messages for one gateway, in order, into as few frames as `MAX_FRAME` allows."""
    return [
        _encoder.encode([VERSION, epoch, [msgspec.Raw(message) for message in part], incarnation, next(numbers)])
        for part in _parts(messages)
    ]


def decode_up(frame: bytes, unknown: Callable[[int], object] = lambda count: None) -> UpFrame:
    """Decode a gateway's frame.

    Args:
        frame: The encoded frame.
        unknown: Called with the number of messages that cannot be decoded, if there are any.

    Raises:
        VersionMismatch: The versions differ by more than one.
        WireError: It is no frame.
    """
    _check_size(frame)
    try:
        decoded = _up.decode(frame)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raw = _read(_raw_up, frame)
        _check_version(raw.version)
        messages = _known(_one_up, raw.messages, unknown)
        return UpFrame(raw.version, raw.gateway, raw.incarnation, raw.epoch, raw.roll, messages, raw.number)
    _check_version(decoded.version)
    return decoded


def sender_of(frame: bytes) -> str | None:
    """Return the gateway that a gateway's frame names, or None if it is no frame."""
    try:
        return _sender.decode(frame).gateway
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def decode_down(frame: bytes, unknown: Callable[[int], object] = lambda count: None) -> DownFrame:
    """Decode a world's frame, as `decode_up` does."""
    _check_size(frame)
    try:
        decoded = _down.decode(frame)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raw = _read(_raw_down, frame)
        _check_version(raw.version)
        messages = _known(_one_down, raw.messages, unknown)
        return DownFrame(raw.version, raw.epoch, messages, raw.incarnation, raw.number)
    _check_version(decoded.version)
    return decoded


def on_wire(text: Text) -> str | Styled:
    """Return a text as messages carry it: cut to `MAX_TEXT` characters, with surrogates replaced."""
    if type(text) is str:
        return text if text.isascii() and len(text) <= MAX_TEXT else _encodable(text[:MAX_TEXT])
    assert isinstance(text, Markup), "the connection has checked it"
    return Styled(tuple([(_encodable(piece), style) for piece, style in text.spans]), text.sounds)


def off_wire(text: str | Styled) -> Text:
    """Return a text that a message carries as the game wrote it."""
    return text if isinstance(text, str) else Markup(text.spans, text.sounds)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _parts(messages: Iterable[object]) -> list[list[bytes]]:
    """Encode each message; begin a new part where the next one would make the frame too large."""
    parts: list[list[bytes]] = []
    room = 0
    for message in messages:
        data = _encoder.encode(message)
        if len(data) > room:
            parts.append([])
            room = MAX_FRAME - 1024  # the frame's own fields
        room -= len(data)
        parts[-1].append(data)
    return parts


def _check_size(frame: bytes) -> None:
    if len(frame) > MAX_FRAME:
        raise WireError(f"a frame of {len(frame)} bytes; the greatest has {MAX_FRAME}")


def _check_version(version: int) -> None:
    if abs(version - VERSION) > 1:
        raise VersionMismatch(f"the other side speaks version {version}, and this one {VERSION}: update the older one")


def _read(decoder: msgspec.msgpack.Decoder[Message], frame: bytes) -> Message:
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(f"no frame: {type(error).__name__}") from None


def _known(
    decoder: msgspec.msgpack.Decoder[Message], raw: Sequence[msgspec.Raw], unknown: Callable[[int], object]
) -> list[Message]:
    """Return the messages that can be decoded, each by itself: those of a newer peer that this version knows."""
    messages = []
    for item in raw:
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            messages.append(decoder.decode(item))
    if len(messages) < len(raw):
        unknown(len(raw) - len(messages))
    return messages
