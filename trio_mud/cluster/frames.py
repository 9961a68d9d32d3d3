"""The frames in which messages between a gateway and a world cross a cluster link.

A *frame* is one batch of messages in one direction, encoded as MessagePack arrays. A frame of a neighbouring version is
decoded message by message, and unknown messages are counted. Versions that differ by more than one do not talk.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

import msgspec

from .wire import MAX_ITEMS, Down, Number, Output, Up, Word

Message = TypeVar("Message")

VERSION: Final = 1
MAX_FRAME: Final = 16 * 1024 * 1024  # bytes
ROOM: Final = MAX_FRAME - 1024  # bytes of its messages; the rest is for its own fields

logger = logging.getLogger("trio_mud")

LeftOut = Callable[[str, Exception], object]
"""Called with the kind of a message, or of an item of output, that cannot be encoded, and with the reason."""


class WireError(ValueError):
    """A frame cannot be decoded, and nothing of it was used."""


class VersionMismatch(WireError):
    """The other side's version differs by more than one. Update the older of the two."""


class _UpFrame(msgspec.Struct, Generic[Message], array_like=True, frozen=True):
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
    messages: list[Message]
    number: Number = 0


class _Sender(msgspec.Struct, array_like=True):
    version: int
    gateway: Word


class _DownFrame(msgspec.Struct, Generic[Message], array_like=True, frozen=True):
    """One batch of the world, for one gateway.

    Attributes:
        incarnation: That of the gateway whose connections the messages name; 0 if they name none.
        number: Greater for each frame of this epoch, so that one that comes twice is dropped; 0 for none.
    """

    version: int
    epoch: Number
    messages: list[Message]
    incarnation: Number = 0
    number: Number = 0


UpFrame = _UpFrame[Up]
DownFrame = _DownFrame[Down]
Frame = TypeVar("Frame", UpFrame, DownFrame)

_NO_NUMBERS: Final = itertools.repeat(0)
_NO_FRAME: Final = (msgspec.DecodeError, ValueError, RecursionError)
_encoder: Final = msgspec.msgpack.Encoder()
_sender: Final = msgspec.msgpack.Decoder(_Sender)


def _log_left_out(what: str, error: Exception) -> None:
    logger.error("%s cannot be encoded, and is left out: %s", what, type(error).__name__)


def encode_up(
    gateway: str,
    incarnation: int,
    epoch: int,
    roll: int,
    messages: Sequence[Up],
    numbers: Iterator[int] = _NO_NUMBERS,
    left_out: LeftOut = _log_left_out,
) -> list[bytes]:
    """Encode a gateway's messages, in order, into as few frames as `MAX_FRAME` allows, but at least one."""
    return [
        _encoder.encode(
            [VERSION, gateway, incarnation, epoch, roll, [msgspec.Raw(message) for message in part], next(numbers)]
        )
        for part in _parts(messages, left_out) or [[]]
    ]


def encode_down(
    epoch: int,
    messages: Sequence[Down],
    incarnation: int = 0,
    numbers: Iterator[int] = _NO_NUMBERS,
    left_out: LeftOut = _log_left_out,
) -> list[bytes]:
    """Encode a world's messages for one gateway, in order, into as few frames as `MAX_FRAME` allows."""
    return [
        _encoder.encode([VERSION, epoch, [msgspec.Raw(message) for message in part], incarnation, next(numbers)])
        for part in _parts(messages, left_out)
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
    return _up.decode(frame, unknown)


def decode_down(frame: bytes, unknown: Callable[[int], object] = lambda count: None) -> DownFrame:
    """Decode a world's frame, as `decode_up` does."""
    return _down.decode(frame, unknown)


def sender_of(frame: bytes) -> str | None:
    """Return the gateway that a gateway's frame names, or None if it is no frame."""
    try:
        return _sender.decode(frame).gateway
    except _NO_FRAME:
        return None


def _parts(messages: Iterable[object], left_out: LeftOut) -> list[list[bytes]]:
    """Encode each message; begin a new part where the next one would make the frame too large."""
    parts: list[list[bytes]] = []
    room = 0
    for message in messages:
        try:
            data = _encoder.encode(message)
        except Exception:  # noqa: BLE001 - a value of the game that is not checked where it is given
            data = b""
        # An item has a byte at least, so a message of no more bytes has no more items.
        for part in (data,) if 0 < len(data) <= MAX_ITEMS else _split(message, left_out):
            if len(part) > room:
                parts.append([])
                room = ROOM
            room -= len(part)
            parts[-1].append(part)
    return parts


def _split(message: object, left_out: LeftOut) -> Iterator[bytes]:
    """Encode a message that fits into a frame; halve output until each part of it does, and can be encoded."""
    items = message.items if isinstance(message, Output) else ()
    error: Exception
    try:
        data = _encoder.encode(message)
    except Exception as caught:  # noqa: BLE001 - as above
        error = caught
    else:
        if len(data) <= ROOM and len(items) <= MAX_ITEMS:
            yield data
            return
        error = WireError(f"it has {len(data)} bytes; a frame has room for {ROOM}")
    if isinstance(message, Output) and len(items) > 1:
        middle = len(items) // 2
        yield from _split(Output(message.links, items[:middle]), left_out)
        yield from _split(Output(message.links, items[middle:]), left_out)
    else:
        left_out(f"an item {type(items[0]).__name__}" if items else f"a message {type(message).__name__}", error)


class _FrameDecoder(Generic[Frame]):
    """Decodes the frames of one direction: as a whole, or message by message if one of them is not known here.

    Args:
        frame: The type of a frame.
        raw: The same with raw messages.
        message: The type of a message.
    """

    def __init__(self, frame: type[Frame], raw: object, message: object) -> None:
        self._frame: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(frame)
        self._raw: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(raw)
        self._message: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(message)

    def decode(self, data: bytes, unknown: Callable[[int], object]) -> Frame:
        if len(data) > MAX_FRAME:
            raise WireError(f"a frame of {len(data)} bytes; the greatest has {MAX_FRAME}")
        try:
            frame = self._frame.decode(data)
        except _NO_FRAME:
            return self._decode_known(data, unknown)
        _check_version(frame.version)
        return frame

    def _decode_known(self, data: bytes, unknown: Callable[[int], object]) -> Frame:
        """Decode the messages each by itself: those of a newer peer that this version knows."""
        try:
            raw = self._raw.decode(data)
        except _NO_FRAME as error:
            raise WireError(f"no frame: {type(error).__name__}") from None
        _check_version(raw.version)
        messages = []
        for item in raw.messages:
            with suppress(*_NO_FRAME):
                messages.append(self._message.decode(item))
        if len(messages) < len(raw.messages):
            unknown(len(raw.messages) - len(messages))
        return msgspec.structs.replace(raw, messages=messages)


def _check_version(version: int) -> None:
    if abs(version - VERSION) > 1:
        raise VersionMismatch(f"the other side speaks version {version}, and this one {VERSION}: update the older one")


_up: Final = _FrameDecoder(UpFrame, _UpFrame[msgspec.Raw], Up)
_down: Final = _FrameDecoder(DownFrame, _DownFrame[msgspec.Raw], Down)
