"""The client side of one WebSocket, without I/O: the telnet bytes of a program on one side, frames on the other.

All programs of the kit speak telnet. A client of a subprotocol that is not telnet is one whose telnet bytes are turned
into messages here, and whose received messages are turned into telnet bytes: the mirror image of
`telnet.subprotocols`, of which nothing is used, so that an error there is not repeated here.

Used by `web_player`, and by the simulator's players.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct, json
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from ..telnet.codes import DO, EOR, GMCP, IAC, NAWS, SB, SE, WILL
from ..telnet.encoding import double_iac
from ..telnet.events import AnomalyKind
from ..telnet.scanner import Scanner

PAGE: Final = "telnet.mudstandards.org"  # the subprotocol of the page of the package
FRAGMENTED: Final = 20  # messages; a server ends a client that sends small fragments all the time
LONGEST: Final = 1 << 20  # bytes of a payload that a program sends
EMPTY_TEXT: Final = b"\x81\x80\0\0\0\0"  # a frame: a text message without text, masked with zeros


class _Said(NamedTuple):
    """One message to the server.

    Attributes:
        telnet: The telnet bytes that it stands for.
    """

    is_text: bool
    payload: bytes
    telnet: bytes


def _subnegotiation(option: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, option)) + double_iac(payload) + bytes((IAC, SE))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Telnet:
    """Telnet bytes in binary messages.

    Attributes:
        greeting: Telnet bytes that a server would send to a program of these abilities, for the program to answer.
    """

    greeting = b""
    cuts_anywhere = True  # a fragment of a message is read by itself
    empty_text = b""  # the telnet bytes that an empty text message stands for

    def say(self, data: bytes) -> Sequence[_Said]:
        """Return the messages for bytes of the program."""
        return [_Said(False, data, data)] if data else []

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the bytes for the program in a message of the server."""
        return message


class _Lines(_Telnet):
    """`terminal.mudstandards.org`: a message is a line; output is text in binary messages."""

    cuts_anywhere = False
    empty_text = b"\r\n"

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._typed = b""
        self._said: list[_Said] = []

    def say(self, data: bytes) -> Sequence[_Said]:
        self._scanner.receive(data, self)
        said, self._said = self._said, []
        return said

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        return double_iac(message)

    # Called by the scanner

    def heard_text(self, data: bytes) -> None:
        *lines, self._typed = (self._typed + data).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            telnet = double_iac(line if line.endswith(b"\r") else line + b"\r\n")
            self._said.append(_Said(*self._frame_line(line), telnet))

    def heard_command(self, code: int) -> None:
        """Leave it out: the subprotocol has no commands."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Leave it out: nothing is negotiated."""

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Leave it out: a client takes and sends lines only."""

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Leave it out."""

    def payload_limit(self, code: int) -> int:
        return LONGEST

    def _frame_line(self, line: bytes) -> tuple[bool, bytes]:
        return False, line


class _Stream(_Lines):
    """`ascii`: a stream in text messages both ways."""

    empty_text = b""

    def heard_text(self, data: bytes) -> None:
        self._said.append(_Said(_is_utf8(data), data, double_iac(data)))


class _Beside(_Lines):
    """`gmcp.mudstandards.org`: lines and text in binary messages, GMCP in text messages."""

    greeting = bytes((IAC, WILL, GMCP))
    empty_text = b""

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        return _subnegotiation(GMCP, message) if is_text else double_iac(message)

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        if code == GMCP and _is_utf8(payload):
            self._said.append(_Said(True, self._frame_gmcp(payload), _subnegotiation(GMCP, payload)))

    def _frame_gmcp(self, payload: bytes) -> bytes:
        return payload


class _Envelope(Struct):
    proto: str
    id: str = ""
    data: str = ""


class _Envelopes(_Beside):
    """`json.mudstandards.org`: as `_Beside`, with each text message in an envelope; it has a window, and prompts."""

    greeting = bytes((IAC, WILL, GMCP, IAC, DO, NAWS))

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        if not is_text:
            return double_iac(message)
        heard = json.decode(message, type=_Envelope)
        if heard.proto == "prompt":
            return double_iac(heard.data.encode()) + bytes((IAC, EOR))
        assert heard.proto == "gmcp", f"the server sent an envelope of the unknown kind {heard.proto!r}"
        return _subnegotiation(GMCP, f"{heard.id} {heard.data}".encode() if heard.data else heard.id.encode())

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        if code == NAWS and len(payload) == 4:
            size = binascii.b2a_base64(payload, newline=False).decode()
            envelope = json.encode(_Envelope("telnet_31", "", size))
            self._said.append(_Said(True, envelope, _subnegotiation(NAWS, payload)))
        else:
            super().heard_subnegotiation(code, payload)

    def _frame_gmcp(self, payload: bytes) -> bytes:
        package, _, data = payload.partition(b" ")
        return json.encode(_Envelope("gmcp", package.decode(), data.decode()))

    def _frame_line(self, line: bytes) -> tuple[bool, bytes]:
        return (True, json.encode(_Envelope("text", "", line.decode()))) if _is_utf8(line) else (False, line)


NO_SUBPROTOCOL: Final = ""  # the client names none, and gets telnet bytes
_SPEECHES: Final[Mapping[str, Callable[[], _Telnet]]] = MappingProxyType(
    {
        PAGE: _Telnet,
        "terminal.mudstandards.org": _Lines,
        "gmcp.mudstandards.org": _Beside,
        "json.mudstandards.org": _Envelopes,
        "telnet": _Telnet,
        "binary": _Telnet,
        "ascii": _Stream,
        NO_SUBPROTOCOL: _Telnet,
    }
)
SUBPROTOCOLS: Final = tuple(_SPEECHES)
WITH_GMCP: Final = (PAGE, "gmcp.mudstandards.org", "json.mudstandards.org", "telnet", "binary", NO_SUBPROTOCOL)


class WebWire:
    """The client side of one WebSocket.

    Its request is queued at once; what the program sends before the answer waits for it.

    Args:
        subprotocol: One of `SUBPROTOCOLS`.
        headers: Further headers of its request, such as ("Origin", "https://mud.example").
        chance: Chooses messages to be sent in two fragments; without it every message is one frame.

    Attributes:
        greeting: Telnet bytes for the program to answer, in place of those that a subprotocol without telnet lacks.
        status: The HTTP status of the answer to its request, 101 if it was accepted; 0 as long as there is none.
        subprotocol: The one that the server has confirmed; "" if none.
    """

    def __init__(
        self, subprotocol: str = PAGE, *, headers: Sequence[tuple[str, str]] = (), chance: Random | None = None
    ) -> None:
        if subprotocol not in _SPEECHES:
            raise ValueError(
                f"unknown subprotocol {subprotocol!r}: choose one of {', '.join(filter(None, SUBPROTOCOLS))}"
            )
        self._protocol = ClientProtocol(
            parse_uri("ws://mud.example/"),
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=None,
        )
        self._speech = _SPEECHES[subprotocol]()
        self._chance = chance
        self._fragmented = 0
        self._early: list[_Said] = []  # before the answer to the request
        self._outgoing = b""
        self._frames: list[tuple[int, bytes]] = []  # the size of each sent frame, and the telnet bytes read with it
        self._text: list[bytes] = []  # of a message in fragments from the server
        self._is_text = False
        self.greeting = self._speech.greeting
        self.status = 0
        self.subprotocol = ""
        request = self._protocol.connect()
        for name, value in headers:
            request.headers[name] = value
        self._protocol.send_request(request)
        self._take()

    @property
    def is_open(self) -> bool:
        """True from the accepted request until either side has closed."""
        return self._protocol.state is OPEN

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame; None if it has sent none."""
        return None if self._protocol.close_rcvd is None else self._protocol.close_rcvd.code

    @property
    def has_data_to_send(self) -> bool:
        """True if anything is queued."""
        return bool(self._outgoing)

    def send(self, data: bytes) -> None:
        """Queue telnet bytes of the program; of a subprotocol without telnet, whole lines and GMCP messages."""
        self._queue(self._speech.say(data))

    def send_message(self, payload: bytes, *, is_text: bool = False) -> None:
        """Queue one message unchanged."""
        self._queue([_Said(is_text, payload, b"")])

    def send_raw(self, data: bytes) -> None:
        """Queue bytes that need not be a frame; none before the answer to the request."""
        if self.is_open:
            self._outgoing += data
            self._frames.append((len(data), self._speech.empty_text if data == EMPTY_TEXT else b""))

    def close(self, code: int) -> None:
        """Queue a close frame, unless it is closed."""
        if self.is_open:
            self._protocol.send_close(code)
            self._take()

    def data_to_send(self) -> bytes:
        """Return and remove the queued bytes."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes) -> bytes:
        """Return the telnet bytes for the program in received bytes; pings and close frames are answered."""
        heard = []
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                heard.append(self._hear(event))
            elif isinstance(event, Response):
                self.status = event.status_code
                self.subprotocol = self._protocol.subprotocol or ""
        assert self._protocol.parser_exc is None, f"the server violates the protocol: {self._protocol.parser_exc}"
        self._take()
        if self.is_open and self._early:
            early, self._early = self._early, []
            self._queue(early)
        return b"".join(heard)

    def telnet(self, size: int | None = None) -> bytes:
        """Return the telnet bytes that a server reads in the first `size` sent bytes, from whole frames; None: in all.

        Left out are those of messages that were sent unchanged, except for an `EMPTY_TEXT` that is a line.
        """
        read = []
        for frame, telnet in self._frames:
            if size is not None:
                size -= frame
                if size < 0:
                    break
            read.append(telnet)
        return b"".join(read)

    # Steps

    def _queue(self, said: Sequence[_Said]) -> None:
        if not self.status:
            self._early += said
            return
        for message in said:
            if self.is_open:
                self._send(message)

    def _send(self, said: _Said) -> None:
        chance, send = self._chance, self._protocol.send_text if said.is_text else self._protocol.send_binary
        is_whole = chance is None or len(said.payload) < 2 or self._fragmented >= FRAGMENTED or chance.random() > 0.2
        if is_whole or chance is None:
            send(said.payload)
            self._take(said.telnet)
            return
        self._fragmented += 1
        at = chance.randrange(1, len(said.payload))
        cuts_anywhere = self._speech.cuts_anywhere
        send(said.payload[:at], fin=False)
        self._take(said.telnet[:at] if cuts_anywhere else b"")
        self._protocol.send_continuation(said.payload[at:], fin=True)
        self._take(said.telnet[at:] if cuts_anywhere else said.telnet)

    def _take(self, telnet: bytes = b"") -> None:
        """Take what the protocol has queued: one frame that is read as these telnet bytes, or answers."""
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._outgoing += data
            self._frames.append((len(data), telnet))

    def _hear(self, frame: Frame) -> bytes:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return b""
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._text.append(bytes(frame.data))
        if not frame.fin:
            return b""
        message, self._text = b"".join(self._text), []
        return self._speech.hear(message, is_text=self._is_text)
