"""The messages between a gateway and a world.

They are the calls of the driver's own interface: up, from a gateway to the world, those of `LinkReceiver`; down, those
of `Link`. So a message down is applied by calling the telnet link of the player, which renders the text for its client
and knows the state of its screen.

A field is only added at the end of a message, with a default, and a tag is never used again: `frames` then reads
neighbouring versions. Every field is bounded, so that neither side can make the other keep more than a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ..text import Markup, Text
from ..text.cleaning import clean_text
from ..text.markup import Span
from ..text.styles import PLAIN, Style

MAX_LINE: Final = 64 * 1024  # characters of a typed line
MAX_PHRASE: Final = 1024  # characters
MAX_LISTED: Final = 1024  # variables for MUD listings, and values of one
MAX_TEXT: Final = 1024 * 1024  # characters of a text for players; a longer one has several pieces
MAX_ITEM: Final = 12 * 1024 * 1024  # bytes of a text of several pieces, so that it fits into a frame
MAX_ITEMS: Final = 64 * 1024  # of one output
MAX_SOUNDS: Final = 256
MAX_BODY: Final = 512 * 1024  # bytes of JSON; a client's payload has at most 64 KiB, and escapes can multiply it
MAX_TAIL: Final = 4 * 1024 * 1024  # bytes of a tail that moves to another gateway; of a longer one the end

_SPAN_SIZE: Final = 32  # bytes that a piece has at most besides its text and its link
_FEW_SPANS: Final = 256  # with links of 4 KiB each, and `MAX_TEXT` characters, they are within `MAX_ITEM`
_NUMBER: Final = 2**53  # the greatest integer that every implementation of MessagePack carries exactly

Number = Annotated[int, Meta(ge=0, le=_NUMBER)]
Seen = Annotated[int, Meta(ge=-1, le=_NUMBER)]
Word = Annotated[str, Meta(max_length=64)]
Phrase = Annotated[str, Meta(max_length=MAX_PHRASE)]
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
        in_dialog: As the last `DialogChanged` has said.
    """

    link: Number
    address: Address
    is_secure: bool
    client: KnownFacts
    taken: Number = 0
    was_admitted: bool = False
    is_recorded: bool = False
    in_dialog: bool = False


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
    """The gateway has obeyed `DiscardInput`: later numbers were typed after it. Numbered.

    It also stands in place of each item that was dropped, when the roll brings that again.

    Attributes:
        request: The request that it answers; 0 in place of an item. Negative from a gateway of an earlier version,
            which does not tell.
    """

    link: Number
    number: Number
    request: Seen = -1


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

    spans: Annotated[tuple[tuple[PlainText, Style], ...], Meta(max_length=MAX_ITEM // _SPAN_SIZE)]
    sounds: Annotated[tuple[Phrase, ...], Meta(max_length=MAX_SOUNDS)] = ()


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
Items = Annotated[tuple[Item, ...], Meta(max_length=MAX_ITEMS)]
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
    """Drop what the player has typed so far, and answer by `InputDiscarded`.

    Attributes:
        request: Another number for each request of all worlds. One that was obeyed is answered again, and drops
            nothing. 0 from a world of an earlier version.
    """

    link: Number
    request: Number = 0


class Listed(_Message, tag=7, frozen=True):
    """The variables for MUD listings."""

    variables: Annotated[
        dict[Phrase, Phrase | Annotated[tuple[Phrase, ...], Meta(max_length=MAX_LISTED)]], Meta(max_length=MAX_LISTED)
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


class DialogChanged(_Message, tag=12, frozen=True):
    """A dialog of a connection has begun or ended. The acknowledgement of the line that caused it is in its commit.

    Attributes:
        in_dialog: True if unacknowledged lines belong to a dialog, or to another line taker, or to hidden input.
    """

    link: Number
    in_dialog: bool


class EndingDecided(_Message, tag=13, frozen=True):
    """The connection quits in the world, and its last output was sent before. `Dismissed` follows.

    It is in the commit of the line that caused it. If the world dies before `Dismissed`, the gateway ends the
    connection with the roll for the next one.

    Attributes:
        cause: The name of the `Cause` of the quit.
    """

    link: Number
    cause: Word


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
    | DialogChanged
    | EndingDecided
)


def on_wire(text: Text) -> str | Styled:
    """Return a text as messages carry it: with surrogates replaced, and cut to `MAX_ITEM` bytes."""
    if type(text) is str:
        if len(text) <= MAX_TEXT:
            return text if text.isascii() else encodable(text)
        return Styled(tuple(_bounded([(clean_text(text), PLAIN)])))  # cleaned, since nothing cleans markup
    assert isinstance(text, Markup), "the connection has checked it"
    spans, sounds = text.spans, text.sounds
    if len(spans) > _FEW_SPANS or sum([len(piece) for piece, _ in spans]) > MAX_TEXT:
        pieces = tuple(_bounded(spans))
    else:
        pieces = tuple([(encodable(piece), style) for piece, style in spans])
    return Styled(pieces, tuple(map(phrase, sounds[:MAX_SOUNDS])) if sounds else ())


def _bounded(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the spans of a text in pieces of `MAX_TEXT` characters, up to `MAX_ITEM` bytes."""
    room = MAX_ITEM
    for text, style in spans:
        for begin in range(0, len(text), MAX_TEXT):
            piece = encodable(text[begin : begin + MAX_TEXT])
            room -= _SPAN_SIZE + len(piece.encode())
            if style.link is not None:
                room -= len(style.link.uri) + len(style.link.command.encode(errors="replace"))
            if room < 0:
                return
            yield piece, style


def off_wire(text: str | Styled) -> Text:
    """Return a text that a message carries as the game wrote it."""
    return text if isinstance(text, str) else Markup(text.spans, text.sounds)


def plain(text: str) -> str:
    """Return a text of the game as a `PlainText`: cut, and with surrogates replaced."""
    return encodable(text[:MAX_TEXT])


def phrase(text: str) -> str:
    """Return a text of the game as a `Phrase`: cut, and with surrogates replaced."""
    return encodable(text[:MAX_PHRASE])


def encodable(text: str) -> str:
    """Return a text with its lone surrogates replaced: UTF-8 has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
