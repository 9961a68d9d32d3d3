"""Frames of a WebSocket client, good and bad."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri
from websockets.utils import apply_mask

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG


MASK = b"\x37\xfa\x21\x3d"  # the same in each run, as in the example of RFC 6455, section 5.7


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return one masked frame."""
    return raw(opcode | (0x80 if fin else 0), len(data), data)


def raw(first: int, length: int, data: bytes = b"", *, masked: bool = True) -> bytes:
    """Return a frame with any first byte, and a length that need not be that of the data."""
    flag = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, flag | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, flag | 126, length)
    else:
        head = struct.pack("!BBQ", first, flag | 127, length)
    return head + (MASK + apply_mask(data, MASK) if masked else data)


def fragments(opcode: Opcode, parts: Iterable[bytes]) -> bytes:
    """Return one message in fragments; the last part ends it."""
    *first, last = parts
    opcodes = [opcode, *[CONTINUATION] * len(first)]
    return b"".join(
        frame(code, part, fin=at == len(first))
        for at, (code, part) in enumerate(zip(opcodes, (*first, last), strict=True))
    )


def client_frames(data: bytes) -> list[Frame]:
    """Return the frames that a client finds in these bytes."""
    client = ClientProtocol(parse_uri("ws://mud.example/"), state=OPEN)
    client.receive_data(data)
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


# Violations, and the close code that answers each
FAULTS: list[tuple[str, bytes, int]] = [
    ("unmasked", raw(0x82, 4, b"look", masked=False), 1002),
    ("two bytes of junk", b"\xff\xff", 1002),
    ("first reserved bit, as of a compressed frame", raw(0xC2, 4, b"look"), 1002),
    ("second reserved bit", raw(0xA2, 4, b"look"), 1002),
    ("reserved opcode of data", raw(0x83, 4, b"look"), 1002),
    ("reserved opcode of control", raw(0x8B, 0), 1002),
    ("stray continuation", frame(CONTINUATION, b"x"), 1002),
    ("a message within a message", frame(TEXT, b"x" * 125, fin=False) + frame(TEXT, b"y"), 1002),
    ("long ping", raw(0x89, 126, b"x" * 126), 1002),
    ("fragmented ping", raw(0x09, 0), 1002),
    ("close of one byte", frame(CLOSE, b"\x03"), 1002),
    ("close with a code that is not sent", frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
    ("close amid a message", frame(TEXT, b"x" * 125, fin=False) + frame(CLOSE, b"\x03\xe8"), 1002),
    ("length of 2**63", raw(0x82, 1 << 63), 1009),
    ("length of 2**62", raw(0x82, 1 << 62), 1009),
    ("length over the limit, without content", raw(0x82, 65_537), 1009),
    ("fragments over the limit", fragments(BINARY, [b"x" * 2048] * 40), 1009),
    ("invalid UTF-8", frame(TEXT, b"gr\xfcn"), 1007),
    ("invalid UTF-8 over two fragments", fragments(TEXT, [b"x" * 200 + b"\xc3", b"x"]), 1007),
    ("cut UTF-8 at the end", frame(TEXT, b"gr\xc3"), 1007),
    ("a lone surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
    ("invalid UTF-8 in a reason", frame(CLOSE, b"\x03\xe8\xff"), 1007),
    ("pings without end", frame(PING, b"x") * 1000, 1008),
    ("pongs without end", frame(PONG) * 1000, 1008),
    ("empty messages without end", frame(BINARY) * 1000, 1008),
    ("empty fragments without end", frame(BINARY, b"x" * 125, fin=False) + frame(CONTINUATION, fin=False) * 100, 1008),
    ("small fragments without end", fragments(BINARY, [b"x"] * 1000), 1008),
]
