"""The frames of one WebSocket, without I/O: a stream of telnet bytes on one side, frames on the other.

`websockets` parses the frames and answers pings and close frames. This module adds what it leaves to its caller:
the check of text, the bound on frames that carry nothing, and the codec of the subprotocol. One short message, which
most reads are, takes a shorter way: the library parses by generators, which takes ten microseconds a frame, a third of
the cost of an echoed line.

Compression (permessage-deflate) is never offered. It takes 43 to 85 KiB for each connection, and the length of a
compressed text reveals its content.

Used by `websocket`, which moves the bytes.

Source: RFC 6455
"""

from __future__ import annotations

import codecs
import logging
import math
import struct
from collections.abc import Sequence
from typing import Final, Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.utils import apply_mask

from ..limits import Rate

SMALL: Final = 125  # bytes; a fragment of fewer bytes, unless it is the last one, counts as empty

# The library reports each opened and closed WebSocket at the level INFO; its errors are reported.
LIBRARY_LOGGER: Final = logging.getLogger("trio_mud.websockets")
LIBRARY_LOGGER.setLevel(logging.WARNING)

_decoder_of_text: Final = codecs.getincrementaldecoder("utf-8")

# The close frame (1001) that Caddy 2.6 sends in the place of its clients when it ends or reloads. It lacks the mask,
# which is a violation, but not one of the player, whose session has to outlive the proxy.
_UNMASKED_CLOSE: Final = b"\x88\x02\x03\xe9"

# The first byte of the only frame of a message: FIN and the opcode. RFC 6455, section 5.2
_TEXT: Final = 0x80 | Opcode.TEXT
_BINARY: Final = 0x80 | Opcode.BINARY
_MASKED: Final = 0x80  # in the second byte, beside the length
_HEAD: Final = 6  # bytes before a masked payload of at most 125: those two, and the mask
_LENGTH_16: Final = struct.Struct("!BBH")
_LENGTH_64: Final = struct.Struct("!BBQ")


class Codec(Protocol):
    """The conversion between one client's messages and the telnet stream that stands for them.

    Attributes:
        greeting: Telnet bytes to be received before the first message.
        colours: The number of colours that a client of this subprotocol shows.
    """

    @property
    def greeting(self) -> bytes: ...

    @property
    def colours(self) -> int: ...

    def hear(self, message: bytes, *, is_text: bool) -> bytes:
        """Return the telnet bytes for one whole message of the client."""
        ...

    def say(self, data: bytes) -> Sequence[tuple[bool, bytes]]:
        """Return the messages for telnet bytes to the client: True for text, and the payload."""
        ...


class Framing:
    """One open WebSocket.

    Args:
        codec: The codec of the subprotocol; None for telnet bytes as they are.
        max_message: Bytes of a received message; a longer one is a fault as soon as its length is known.
        empty_frames: The rate of received frames that carry nothing; a faster one is a fault. None for no limit.

    Attributes:
        fault: The violation by the peer that has ended it; None if there is none.
        frames: The number of frames received through the library; the caller counts them, and sets it to 0.
        is_open: True until either side has closed it.
        pinged_at: The time of the first ping since bytes were last received; None if there is none.
    """

    __slots__ = (
        "_codec",
        "_decoder",
        "_empty_frames",
        "_full_at",
        "_is_amid_message",
        "_partial",
        "_protocol",
        "_unparsed",
        "fault",
        "frames",
        "is_open",
        "pinged_at",
    )

    def __init__(self, codec: Codec | None, *, max_message: int, empty_frames: Rate | None) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=max_message, logger=LIBRARY_LOGGER)
        self._codec = codec
        self._empty_frames = empty_frames
        self._full_at = -math.inf
        self._unparsed = 0  # bytes received of an unfinished frame
        self._is_amid_message = False  # the last fragment is still to come
        self._partial: bytearray | None = None  # of a message in fragments, for the codec
        self._decoder: codecs.IncrementalDecoder | None = None  # amid a text message
        self.fault: str | None = None
        self.frames = 0
        self.is_open = True
        self.pinged_at: float | None = None

    @property
    def colours(self) -> int | None:
        """The number of colours that the subprotocol implies; None if it implies none."""
        return None if self._codec is None else self._codec.colours

    def receive(self, data: bytes, now: float) -> bytes:
        """Return the telnet bytes in received frames.

        After a fault or the peer's close frame, `is_open` is False and nothing more is received. Frames before it in
        the data are returned.

        Args:
            data: Bytes from the peer.
            now: The time in seconds, for the rate of empty frames.
        """
        self.pinged_at = None  # a pong is no better sign of life than a line
        if not (self._unparsed or self._is_amid_message) and (message := _short_message(data)):
            return self._take(message, data[0] == _TEXT, now)
        protocol = self._protocol
        protocol.receive_data(data)
        self._unparsed += len(data)
        heard = []
        for frame in protocol.events_received():
            assert type(frame) is Frame
            self._unparsed -= _size_of(frame)
            self.frames += 1
            try:
                heard.append(self._hear(frame, now))
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "invalid UTF-8 in a text message")
            if self.fault is not None:
                break
        if self.fault is None and protocol.parser_exc is not None and not data.endswith(_UNMASKED_CLOSE):
            self.fault = str(protocol.parser_exc)
        self.is_open = protocol.state is OPEN
        return heard[0] if len(heard) == 1 else b"".join(heard)

    def send(self, data: bytes) -> bytes:
        """Return the frames for telnet bytes to the peer; b"" once it is closed."""
        if not self.is_open:
            return b""
        if self._codec is None:
            return _message(_BINARY, data)
        return b"".join(
            [_message(_TEXT if is_text else _BINARY, payload) for is_text, payload in self._codec.say(data)]
        )

    def ping(self, now: float) -> None:
        """Queue a ping, unless it is closed."""
        if self.is_open:
            self._protocol.send_ping(b"")
            if self.pinged_at is None:
                self.pinged_at = now

    def close(self, code: int) -> None:
        """Queue a close frame, unless it is closed."""
        if self.is_open:
            self._protocol.send_close(code)
            self.is_open = False

    def take_answers(self) -> bytes:
        """Return the queued pings, pongs and close frames, and remove them."""
        return b"".join(self._protocol.data_to_send())

    def _hear(self, frame: Frame, now: float) -> bytes:
        opcode = frame.opcode
        if opcode is Opcode.CLOSE:
            return b""
        if opcode is Opcode.PING or opcode is Opcode.PONG:
            self._count_empty(now)
            return b""
        self._is_amid_message = not frame.fin
        data = bytes(frame.data)
        is_text = opcode is Opcode.TEXT or self._decoder is not None
        if is_text:
            if self._decoder is None:
                self._decoder = _decoder_of_text()
            self._decoder.decode(data, frame.fin)
            if frame.fin:
                self._decoder = None
        if frame.fin:
            if self._partial is not None:
                data, self._partial = bytes(self._partial + data), None
            return self._take(data, is_text, now)
        if len(data) < SMALL:
            self._count_empty(now)
        if self._codec is None:
            return data
        if self._partial is None:
            self._partial = bytearray()
        self._partial += data
        return b""

    def _take(self, message: bytes, is_text: bool, now: float) -> bytes:
        """Return the telnet bytes in a message, or in its last fragment if there is no codec."""
        heard = message if self._codec is None else self._codec.hear(message, is_text=is_text)
        if not heard:
            self._count_empty(now)
        return heard

    def _count_empty(self, now: float) -> None:
        if self._empty_frames is None:
            return
        self._full_at, wait = self._empty_frames.spend(self._full_at, now)
        if wait > 0:
            self._fail(CloseCode.POLICY_VIOLATION, "too many frames that carry nothing")

    def _fail(self, code: CloseCode, why: str) -> None:
        self.fault = why
        if self.is_open:
            self._protocol.fail(code, why)
            self.is_open = False


def _short_message(data: bytes) -> bytes:
    """Return the payload if these bytes are exactly one message of 1 to 125 bytes in one frame, otherwise b""."""
    size = len(data) - _HEAD
    if not 0 < size <= 125 or data[1] != _MASKED | size:
        return b""
    if data[0] == _BINARY:
        return apply_mask(data[_HEAD:], data[2:_HEAD])
    if data[0] == _TEXT and (text := apply_mask(data[_HEAD:], data[2:_HEAD])).isascii():
        return text
    return b""


def _size_of(frame: Frame) -> int:
    """Return the bytes of a received frame, at least: its length may have been sent in more bytes than needed."""
    size = len(frame.data)
    return _HEAD + size + (0 if size < 126 else 2 if size < 1 << 16 else 8)


def _message(first: int, payload: bytes) -> bytes:
    """Return a message to the peer, in one frame."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return _LENGTH_16.pack(first, 126, size) + payload
    return _LENGTH_64.pack(first, 127, size) + payload
