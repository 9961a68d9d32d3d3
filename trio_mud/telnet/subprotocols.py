"""Codecs for clients that do not speak telnet: messages on their side, a telnet stream on ours.

The connection above speaks telnet with every client. A client of one of these WebSocket subprotocols cannot negotiate,
so its codec does that in its place. `greeting` is what a telnet client of the same abilities answers to our offers;
a request that crosses an offer counts as its answer (`negotiation`). From then on the codec converts text, prompts and
GMCP into messages, and messages into lines and GMCP. All other telnet commands are left out.

No ff byte of a message begins a telnet command: it is doubled. A message with invalid content becomes a blank GMCP
payload of its length, which the engine counts as a malformed one, and charges for.

Sans-IO. `transports.framing` uses one codec for each WebSocket, and knows nothing of telnet.

Source: mudstandards.org, "Using RFC 6455 WebSocket for MUDs"; `ascii` as FluffOS 2023 speaks it
"""

from __future__ import annotations

import binascii
from typing import Final, NamedTuple

from msgspec import DecodeError, Raw, Struct, json

from .codes import (
    CHARSET,
    DO,
    DONT,
    END_OF_RECORD,
    EOR,
    GA,
    GMCP,
    IAC,
    MCCP2,
    MCCP3,
    MSDP,
    MSP,
    MSSP,
    MXP,
    NAWS,
    NEW_ENVIRON,
    PAYLOAD_LENGTHS,
    SB,
    SE,
    TTYPE,
    WILL,
    WONT,
)
from .encoding import double_iac
from .events import AnomalyKind
from .json_bounds import fault_of
from .scanner import Scanner, in_text

MOST_PAYLOAD: Final = 1 << 20  # bytes; the payloads are our own, and `limits.max_output` bounds them

_LINE_ENDS: Final = (b"\r", b"\n")
_PROMPT_MARK: Final = bytes((IAC, EOR))


class Message(NamedTuple):
    """One message to the client."""

    is_text: bool
    payload: bytes


def _verbs(verb: int, *options: int) -> bytes:
    return b"".join(bytes((IAC, verb, option)) for option in options)


def _payload(option: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, option)) + double_iac(payload) + bytes((IAC, SE))


MOST_BLANKS: Final = 4096  # bytes of one blank payload, less than `limits.max_subnegotiation`
_REFUSALS: Final = _verbs(DONT, CHARSET, MSDP, MSSP, MXP, MSP, MCCP2, MCCP3) + _verbs(WONT, TTYPE, NEW_ENVIRON)
# A client that takes messages beside text is assumed to know the common packages, until it names its own.
_USUAL_PACKAGES: Final = _payload(GMCP, b'Core.Supports.Set ["Char 1", "Room 1", "Comm.Channel 1", "Client.Media 1"]')


class TerminalCodec:
    """`terminal.mudstandards.org`: text in UTF-8 with ANSI sequences; each message of the client is a line.

    An empty message is an empty line, and blanks are kept. A message that ends its line itself gets no second line end.

    Attributes:
        greeting: The telnet answers in the client's place, to be passed on before its first message.
        colours: The number of colours that a client of this subprotocol shows.
    """

    __slots__ = ("_messages", "_scanner", "_text")

    _sends_prompts_as_text = True
    greeting = _verbs(DO, END_OF_RECORD) + _verbs(DONT, GMCP) + _verbs(WONT, NAWS) + _REFUSALS
    colours: Final = 256

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._messages: list[Message] = []
        self._text = bytearray()  # since the last message

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the telnet bytes for one whole message of the client."""
        return double_iac(message if message.endswith(_LINE_ENDS) else message + b"\r\n")

    def say(self, data: bytes) -> list[Message]:
        """Return the messages for telnet bytes to the client; the end of a prompt ends a message."""
        text = data.removesuffix(_PROMPT_MARK) if self._sends_prompts_as_text else data
        if text.isascii() and not self._text and self._scanner.state is in_text:
            return [self._message(text)] if text else []  # the usual case, at a fifth of the cost
        self._scanner.receive(data, self)
        # The rest of a character waits for its other bytes: a client decodes each message by itself.
        kept = _unfinished(self._text)
        self._end_text(keep=kept)
        messages, self._messages = self._messages, []
        return messages

    # Called by the scanner

    def heard_text(self, data: bytes) -> None:
        self._text += data

    def heard_command(self, code: int) -> None:
        if code in (EOR, GA):
            self._end_prompt()

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Ignore it: the greeting has answered the offers, and the client cannot show more."""

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Ignore it: the client takes text only."""

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Ignore it: the bytes are our own."""

    def payload_limit(self, code: int) -> int:
        return MOST_PAYLOAD

    # Parts

    def _end_prompt(self) -> None:
        self._end_text()

    def _end_text(self, *, keep: int = 0) -> None:
        """Make a message of the text, except the last `keep` bytes."""
        end = len(self._text) - keep
        if end > 0:
            self._messages.append(self._message(bytes(self._text[:end])))
            del self._text[:end]

    def _message(self, text: bytes) -> Message:
        return Message(False, text)


class AsciiCodec(TerminalCodec):
    """`ascii`: a stream both ways, cut into text messages anywhere, such as at each key."""

    __slots__ = ()

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the telnet bytes for one message; only the client's own line ends end a line."""
        return double_iac(message)

    def _message(self, text: bytes) -> Message:
        return Message(True, _as_utf8(text))


class GmcpCodec(TerminalCodec):
    """`gmcp.mudstandards.org`: text and lines in binary messages, GMCP in text messages."""

    __slots__ = ()

    greeting = _verbs(DO, END_OF_RECORD, GMCP) + _verbs(WONT, NAWS) + _REFUSALS + _USUAL_PACKAGES

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the telnet bytes for one message: a line, or GMCP."""
        return _payload(GMCP, message) if is_text else super().hear(message, is_text=False)

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        if code == GMCP:
            self._end_text()
            self._messages.append(Message(True, self._frame_gmcp(payload)))

    def _frame_gmcp(self, payload: bytes) -> bytes:
        return _as_utf8(payload)


class _Envelope(Struct):
    proto: str
    id: str = ""
    data: Raw = Raw(b'""')


class _Sent(Struct):
    proto: str
    id: str
    data: str


class JsonCodec(GmcpCodec):
    """`json.mudstandards.org`: as `GmcpCodec`, with each text message in a JSON envelope `{"proto", "id", "data"}`.

    From the client, `proto` is "text" (a line), "gmcp" (`data` is JSON in a string, or the JSON itself) or "telnet_31"
    (the window's size, 2 x 2 bytes, big-endian, in base64). To the client, it is "gmcp" or "prompt".
    """

    __slots__ = ()

    _sends_prompts_as_text = False
    greeting = _verbs(DO, END_OF_RECORD, GMCP) + _verbs(WILL, NAWS) + _REFUSALS + _USUAL_PACKAGES

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the telnet bytes for one message; a malformed one counts as malformed GMCP."""
        if not is_text:
            return super().hear(message, is_text=False)
        try:
            heard = self._open(message)
        except (DecodeError, ValueError):  # ValueError: invalid UTF-8, base64, or a lone surrogate
            heard = None
        return _blank(len(message)) if heard is None else heard

    def _open(self, message: bytes) -> bytes | None:
        """Return the telnet bytes for the content of an envelope; None if it has an unknown protocol."""
        if (fault := fault_of(message)) is not None:
            raise ValueError(fault)
        envelope = json.decode(message, type=_Envelope)
        if envelope.proto == "websocket_close":  # sent by Evennia's page before it closes
            return b""
        if envelope.proto == "gmcp":
            data = _as_json(envelope.data)
            return _payload(GMCP, f"{envelope.id} {data}".encode() if data else envelope.id.encode())
        if envelope.proto not in ("text", f"telnet_{NAWS}"):
            return None
        text = json.decode(envelope.data, type=str)
        if envelope.proto == "text":
            return super().hear(text.encode(), is_text=False)
        size = binascii.a2b_base64(text, strict_mode=True)
        return _payload(NAWS, size) if len(size) == PAYLOAD_LENGTHS[NAWS] else None

    def _end_prompt(self) -> None:
        *_, prompt = bytes(self._text).rpartition(b"\n")
        self._end_text(keep=len(prompt))
        self._text.clear()
        if prompt:  # it is empty if the mark follows a prompt that was sent before the client's answers were read
            self._messages.append(Message(True, _enclose("prompt", "", prompt)))

    def _frame_gmcp(self, payload: bytes) -> bytes:
        name, _, data = payload.partition(b" ")
        return _enclose("gmcp", name.decode("ascii", "replace"), data)


def _blank(size: int) -> bytes:
    """Return malformed GMCP that costs its sender as much as a payload of this size."""
    return b"".join([_payload(GMCP, b" " * min(MOST_BLANKS, size - at)) for at in range(0, size or 1, MOST_BLANKS)])


def _enclose(proto: str, identifier: str, data: bytes) -> bytes:
    return json.encode(_Sent(proto, identifier, data.decode(errors="replace")))


def _as_json(data: Raw) -> str:
    """Return the GMCP data of an envelope: JSON inside a string, or JSON as it is; "" for none."""
    is_string = bytes(data).lstrip().startswith(b'"')
    return json.decode(data, type=str) if is_string else json.format(data, indent=-1).decode()


def _as_utf8(text: bytes) -> bytes:
    """Return valid UTF-8, which a text message requires; the game may have chosen another charset."""
    return text.decode(errors="replace").encode()


def _unfinished(text: bytearray) -> int:
    """Return the number of bytes at the end of the text that begin a UTF-8 character without completing it."""
    for size, byte in enumerate(reversed(text[-3:]), 1):
        if byte & 0xC0 == 0x80:
            continue  # a later byte of a character
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC2 else 1
        return size if length > size else 0
    return 0
