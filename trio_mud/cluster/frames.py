"""The frames in which messages between a gateway and a world cross a cluster link.

A *frame* is one batch of messages in one direction, encoded as MessagePack arrays. A frame of a neighbouring version is
decoded message by message, and unknown messages are counted. Versions that differ by more than one do not talk.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from .wire import MAX_ITEMS, Down, Number, Output, Up, Word

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


def _parts(messages: Iterable[object], left_out: LeftOut) -> list[list[bytes]]:
    """Encode each message; begin a new part where the next one would make the frame too large."""
    parts: list[list[bytes]] = []
    room = 0
    for message in messages:
        for data in _encodings(message, left_out):
            if len(data) > room:
                parts.append([])
                room = ROOM
            room -= len(data)
            parts[-1].append(data)
    return parts


def _encodings(message: object, left_out: LeftOut) -> Iterator[bytes]:
    """Encode a message that fits into a frame; halve output until each part of it does, and can be encoded."""
    items = message.items if isinstance(message, Output) else ()
    error: Exception
    try:
        data = _encoder.encode(message)
    except Exception as caught:  # noqa: BLE001 - a value of the game that is not checked where it is given
        error = caught
    else:
        if len(data) <= ROOM and len(items) <= MAX_ITEMS:
            yield data
            return
        error = WireError(f"it has {len(data)} bytes; a frame has room for {ROOM}")
    if isinstance(message, Output) and len(items) > 1:
        middle = len(items) // 2
        yield from _encodings(Output(message.links, items[:middle]), left_out)
        yield from _encodings(Output(message.links, items[middle:]), left_out)
    else:
        left_out(f"an item {type(items[0]).__name__}" if items else f"a message {type(message).__name__}", error)


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
