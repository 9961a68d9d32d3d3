"""Compression: two small machines around zlib, one for each direction.

They know chunks and bounds, not telnet: when a stream begins is the options' business (`options/mccp.py`), and the
engine holds a machine only once there was a stream.

A stream that comes in is hostile until proved otherwise, because 50 kB of it may mean 50 MB.  So it is inflated in
slices, the slices are read in pieces, and two limits hold whatever it contains: so many bytes a second, and so many
bytes for one.  A fault is final.  What follows it is no text, and nobody can say where text would begin again.

Source: RFC 1950 (zlib), RFC 1951 (deflate)
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Final

# Measured: level 4 takes 5 us for a text of 120 bytes and 34 us for one of 1.5 kB, and leaves 60 % and 45 % of them;
# level 3 a tenth less time for 4 % more bytes, level 6 a third more time for 2 % less.  Window and memory level decide
# what a connection costs, 54 KiB in all; zlib's own choice costs 256 KiB for a tenth less bytes, and memory level 6
# gains nothing in so small a window.
LEVEL: Final = 4
WINDOW_BITS: Final = 13
MEMORY_LEVEL: Final = 5

WIRE_SLICE: Final = 4096  # bytes given to zlib at once; it copies what it leaves
SLICE: Final = 16 * 1024  # bytes inflated at once: about 40 us
PIECE: Final = 512  # bytes read at once: commands without a break in between take 0.3 ms


class Deflater:
    """Bytes on their way out, of which from some point on to some other point all are compressed.

    Each `take` returns a chunk that wants a write of its own: Mudlet looks no further than one segment for the
    start of a stream, and loses text that follows the end of one in the same segment.

    A stream costs its memory from its first text on.
    """

    __slots__ = ("_chunks", "_is_on", "_stream")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []  # what comes before everything that is still queued
        self._is_on = False
        self._stream: zlib._Compress | None = None

    @property
    def has_chunks(self) -> bool:
        """Whether `take` returns something though nothing is queued."""
        return bool(self._chunks)

    @property
    def is_over(self) -> bool:
        """Whether everything from now on is plain."""
        return not self._is_on and not self._chunks

    def start(self, queue: list[bytes], marker: bytes) -> None:
        """Let what is queued be plain, then the marker, and compress what comes after."""
        self._settle(queue)
        self._chunks.append(marker)
        self._is_on = True

    def stop(self, queue: list[bytes]) -> None:
        """Compress what is queued, and end the stream; what comes after is plain."""
        if self._is_on:
            self._settle(queue)
            self._chunks.append(self._open().flush(zlib.Z_FINISH))
            self._is_on = False
            self._stream = None

    def take(self, queue: list[bytes]) -> bytes:
        """The next chunk to send, emptying the queue when its turn has come; empty if there is nothing."""
        if not self._chunks:
            self._settle(queue)
        return self._chunks.pop(0) if self._chunks else b""

    def _settle(self, queue: list[bytes]) -> None:
        """Turn the queue into a chunk, as things stand."""
        data = b"".join(queue)
        queue.clear()
        if data and self._is_on:
            stream = self._open()
            data = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
        if data:
            self._chunks.append(data)

    def _open(self) -> zlib._Compress:
        if self._stream is None:
            self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
        return self._stream


@dataclass(frozen=True, slots=True)
class InflationLimits:
    """What a peer may make of its compressed bytes; inflated bytes count, not those on the wire.

    Source: zlib never does better than 1032 for one; typed text rarely than 20 for one
    """

    per_second: int = 256 * 1024  # bytes in the long run; when they are used up, the rest waits
    burst: int = 1024 * 1024  # bytes that may come at once after a pause
    ratio: int = 100  # bytes inflated from one, on the average of a window; past it the stream is broken off
    window: int = 64 * 1024  # bytes inflated


class BrokenStream(Exception):
    """A stream cannot be read on, or must not; the message names the fault without quoting the peer."""


class Inflater:
    """Bytes on their way in, of which from some point on to some other point all are compressed.

    `feed` takes what was received, `take` returns the next piece of what it means.  Between two streams bytes pass
    through as they are; the limits hold for all streams of a connection together.

    There is no clock: whoever has one calls `tick`, at the latest at `next_deadline`.

    Attributes:
        cost: Compressed bytes read so far.
    """

    __slots__ = (
        "_allowance",
        "_at",
        "_fault",
        "_has_more",
        "_is_closed",
        "_limits",
        "_stream",
        "_text",
        "_ticked_at",
        "_waiting",
        "_window_in",
        "_window_out",
        "cost",
    )

    def __init__(self, limits: InflationLimits) -> None:
        self._limits = limits
        self._stream: zlib._Decompress | None = None  # None between two streams
        self._waiting = bytearray()  # received and not looked at
        self._has_more = False  # zlib may hold more than it gave: the last slice was full
        self._text = b""  # inflated, and taken up to `_at`
        self._at = 0
        self._fault = ""  # what comes behind `_text`
        self._is_closed = False
        self._allowance: float = limits.burst  # bytes that may be inflated now; less than 0 by at most a slice
        self._ticked_at: float | None = None
        self.cost = 0
        self._window_in = 0  # bytes on the wire, in the current window
        self._window_out = 0  # bytes inflated

    @property
    def is_full(self) -> bool:
        """Whether anything received waits in here, for `take` or for `tick`."""
        return bool(self._text) or self._has_more or bool(self._waiting) or bool(self._fault)

    @property
    def is_paused(self) -> bool:
        """Whether `take` would return nothing until `tick` has allowed more."""
        if self._stream is None or self._stream.eof or self._allowance > 0 or self._text or self._fault:
            return False
        return self._has_more or bool(self._waiting)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` ends a pause: -inf for as soon as possible, None if there is none."""
        if not self.is_paused:
            return None
        if self._ticked_at is None:
            return -math.inf
        worthwhile = min(SLICE, self._limits.burst)
        return self._ticked_at + (worthwhile - self._allowance) / self._limits.per_second

    def tick(self, now: float) -> None:
        """Allow what the time since the last tick is worth; the first tick only starts the clock."""
        if self._ticked_at is not None:
            earned = (now - self._ticked_at) * self._limits.per_second
            self._allowance = min(self._limits.burst, self._allowance + earned)
        self._ticked_at = now

    def begin(self) -> None:
        """Take what follows the piece taken last, and what is put back of it, for a stream."""
        if self._stream is not None:
            self.break_off("a second stream began inside the first")
        else:
            self._stream = zlib.decompressobj()  # zlib's own format only: neither gzip nor raw deflate

    def put_back(self, rest: bytes) -> None:
        """Look again at the end of the piece taken last: it was received behind the beginning of a stream."""
        if not self._fault:
            self._waiting[:0] = rest

    def break_off(self, fault: str) -> None:
        """Forget everything; `take` raises this next."""
        self._stream = None
        self._waiting = bytearray()
        self._has_more = False
        self._text, self._at = b"", 0
        self._fault = fault

    def close(self) -> None:
        """Forget everything, and ignore all that comes."""
        self.break_off("")
        self._is_closed = True

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if not self._is_closed:
            self._waiting += data

    def take(self) -> bytes:
        """The next piece, in at most one slice's work; empty if there is none yet, or in a pause.

        Raises:
            BrokenStream: Everything before a fault was taken.
        """
        if not self._text and not self._fault and not self.is_paused:
            if self._stream is not None and self._stream.eof:
                self._stream = None  # only now: a beginning read in its last piece was inside it
            if self._stream is None:
                piece = bytes(self._waiting[:PIECE])
                del self._waiting[:PIECE]
                return piece
            self._inflate(self._stream)
        if not self._text and self._fault:
            raise BrokenStream(self._fault)
        piece = self._text[self._at : self._at + PIECE]
        self._at += PIECE
        if self._at >= len(self._text):
            self._text, self._at = b"", 0
        return piece

    def _inflate(self, stream: zlib._Decompress) -> None:
        """Make one slice of text, or less if what was received means less."""
        limits = self._limits
        data = bytes(self._waiting[:WIRE_SLICE])
        most = min(SLICE, limits.window - self._window_out)  # so the windows lie the same however the bytes were cut
        text = self._decompress(stream, data, most)
        left = 0
        if not self._fault:
            left = len(stream.unused_data if stream.eof else stream.unconsumed_tail)
        del self._waiting[: len(data) - left]
        self.cost += len(data) - left
        self._text, self._at = text, 0
        self._has_more = len(text) == most and not stream.eof
        self._allowance -= len(text)
        self._window_in += len(data) - left
        self._window_out += len(text)
        if self._window_out == limits.window:
            if self._window_out > self._window_in * limits.ratio:
                self._fault = self._fault or f"over {limits.ratio} bytes made of one"
            self._window_in = self._window_out = 0

    def _decompress(self, stream: zlib._Decompress, data: bytes, most: int) -> bytes:
        before = stream.copy()
        try:
            return stream.decompress(data, most)
        except zlib.error:
            # The exception takes with it what came before the fault.  Where the network cut the bytes must not decide
            # whether that is read, so it is inflated again, byte by byte.
            return self._salvage(before, data, most)

    def _salvage(self, stream: zlib._Decompress, data: bytes, most: int) -> bytes:
        text = b""
        try:
            for at in range(len(data)):  # pragma: no branch - it meets the same fault, never the end
                text += stream.decompress(data[at : at + 1], most)
        except zlib.error as error:
            # "Error -3 while decompressing data: incorrect header check"; 2 is Z_NEED_DICT, and has no text.
            self._fault = str(error).partition(": ")[2] or "it wants a dictionary"
        return text
