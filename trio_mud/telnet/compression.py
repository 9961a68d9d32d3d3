"""Compression: two small state machines around zlib, one for each direction.

They work on chunks and limits and know no telnet. The MCCP options decide when a stream begins (`options/mccp.py`);
the engine creates a machine at the first stream.

Compressed input is hostile until proved otherwise, because 50 kB of it may expand to 50 MB. It is inflated in slices,
the slices are read in pieces, and two limits hold for any content: inflated bytes per second, and the ratio of
inflated to compressed bytes. A fault is final: the bytes after it are not text, and there is no way to find where text
begins again.

Source: RFC 1950 (zlib), RFC 1951 (deflate)
"""

from __future__ import annotations

import bisect
import math
import zlib
from dataclasses import dataclass
from typing import Final

# Measured: level 4 takes 5 us for a text of 120 bytes and 34 us for one of 1.5 kB, and reduces them to 60 % and 45 %.
# Level 3 takes a tenth less time for 4 % more bytes, level 6 a third more time for 2 % less. Window and memory level
# determine the memory of a stream: 40 KiB when its window is full, 16 KiB after one text. zlib's defaults use 256 KiB
# for a fifth fewer bytes, and a window of 12 bits saves 10 KiB for a fifth more bytes. Memory level 5 takes 13 KiB more
# for 1 to 7 % fewer bytes, and a tenth less time for a text of 200 bytes, a quarter for 1.5 kB, a third for 4 kB.
LEVEL: Final = 4
WINDOW_BITS: Final = 13
MEMORY_LEVEL: Final = 2

UNUSED: Final = 3.0  # seconds without output after which a stream's memory is freed: longer than a round of combat
_HEADER: Final = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL).flush(zlib.Z_FINISH)[:2]

WIRE_SLICE: Final = 4096  # compressed bytes given to zlib in one call; it copies the unconsumed rest
SLICE: Final = 16 * 1024  # bytes inflated in one call: about 40 us
PIECE: Final = 512  # bytes read at once: a piece that is all commands takes 0.3 ms


class Deflater:
    """Output that is plain, then compressed, then plain again, in order.

    Each chunk returned by `take` needs a write of its own: Mudlet looks for the start of a stream in one segment only,
    and loses text that follows the end of a stream in the same segment.

    The memory of a stream is allocated at its first text, and freed while nothing is written, because it is several
    times that of an idle connection. Another compressor can continue the stream: each text ends at a whole byte, and a
    compressor refers only to text that it has seen. Therefore the compressor makes raw deflate, and header and checksum
    are added here. The next text is compressed as if it were the first.
    """

    __slots__ = ("_checksum", "_chunks", "_compressor", "_is_on", "_is_used")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []  # sent before everything still in the queue
        self._is_on = False
        self._compressor: zlib._Compress | None = None
        self._is_used = False  # since the last `free_unused`
        self._checksum: int | None = None  # of the stream's text; None before its header

    @property
    def holds_memory(self) -> bool:
        """True if `free_unused` has something to free."""
        return self._compressor is not None

    @property
    def has_chunks(self) -> bool:
        """True if `take` returns something although the queue is empty."""
        return bool(self._chunks)

    @property
    def is_over(self) -> bool:
        """True if everything from now on is plain."""
        return not self._is_on and not self._chunks

    def start(self, queue: list[bytes], marker: bytes) -> None:
        """Send the queue as plain bytes, then the marker, and compress everything after it."""
        self._settle(queue)
        self._chunks.append(marker)
        self._is_on = True

    def stop(self, queue: list[bytes]) -> None:
        """Compress the queue and end the stream; everything after it is plain."""
        if self._is_on:
            self._settle(queue)
            end = self._compress(b"", zlib.Z_FINISH)
            assert self._checksum is not None, "the header is sent"
            self._chunks.append(end + self._checksum.to_bytes(4, "big"))
            self._is_on = False
            self._compressor = self._checksum = None

    def take(self, queue: list[bytes]) -> bytes:
        """Return the next chunk to send, emptying the queue if it is part of it; b"" if there is nothing."""
        if not self._chunks:
            self._settle(queue)
        return self._chunks.pop(0) if self._chunks else b""

    def free_unused(self) -> None:
        """Free the memory of a stream to which nothing was written since the last call."""
        if not self._is_used:
            self._compressor = None
        self._is_used = False

    def _settle(self, queue: list[bytes]) -> None:
        """Move the queue into a chunk, compressed if a stream is on."""
        data = b"".join(queue)
        queue.clear()
        if data and self._is_on:
            data = self._compress(data, zlib.Z_SYNC_FLUSH)
        if data:
            self._chunks.append(data)

    def _compress(self, data: bytes, flush: int) -> bytes:
        """Return the next bytes of the stream."""
        if self._compressor is None:
            self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL)
        self._is_used = True
        compressed = self._compressor.compress(data) + self._compressor.flush(flush)
        if self._checksum is None:
            self._checksum = zlib.adler32(data)
            return _HEADER + compressed
        self._checksum = zlib.adler32(data, self._checksum)
        return compressed


@dataclass(frozen=True, slots=True)
class InflationLimits:
    """Limits on what a peer's compressed bytes may expand to, in inflated bytes.

    Source: zlib never expands more than 1032 to 1, and typed text rarely more than 20 to 1
    """

    per_second: int = 256 * 1024  # bytes, long-term average; beyond it the remaining input waits
    burst: int = 1024 * 1024  # bytes allowed at once after a pause
    ratio: int = 100  # inflated bytes per compressed byte, averaged over a window; above it the stream is broken off
    window: int = 64 * 1024  # inflated bytes


class BrokenStream(Exception):
    """A stream that is invalid or exceeds its limits; the message names the fault without quoting the peer."""


class Inflater:
    """Input that is plain, then compressed, then plain again, in order.

    `feed` takes received bytes, `take` returns the next piece of plain bytes. Outside a stream bytes pass through
    unchanged. The limits apply to all streams of a connection together.

    It has no clock: the caller calls `tick`, at the latest at `next_deadline`.

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
        self._stream: zlib._Decompress | None = None  # None outside a stream
        self._waiting = bytearray()  # received, not yet processed
        self._has_more = False  # zlib may hold more output: the last slice was full
        self._text = b""  # inflated; consumed up to `_at`
        self._at = 0
        self._fault = ""  # raised after `_text` was consumed
        self._is_closed = False
        self._allowance: float = limits.burst  # bytes that may be inflated now; at most a slice below 0
        self._ticked_at: float | None = None
        self.cost = 0
        self._window_in = 0  # compressed bytes in the current window
        self._window_out = 0  # bytes inflated

    @property
    def is_full(self) -> bool:
        """True if received bytes wait here for `take` or `tick`."""
        return bool(self._text) or self._has_more or bool(self._waiting) or bool(self._fault)

    @property
    def is_paused(self) -> bool:
        """True if `take` returns nothing until `tick` has allowed more."""
        if self._stream is None or self._stream.eof or self._allowance > 0 or self._text or self._fault:
            return False
        return self._has_more or bool(self._waiting)

    @property
    def next_deadline(self) -> float | None:
        """The time at which `tick` ends a pause: -inf for as soon as possible, None if there is no pause."""
        if not self.is_paused:
            return None
        if self._ticked_at is None:
            return -math.inf
        worthwhile = min(SLICE, self._limits.burst)
        return self._ticked_at + (worthwhile - self._allowance) / self._limits.per_second

    def tick(self, now: float) -> None:
        """Add the allowance earned since the last tick; the first tick only starts the clock."""
        if self._ticked_at is not None:
            earned = (now - self._ticked_at) * self._limits.per_second
            self._allowance = min(self._limits.burst, self._allowance + earned)
        self._ticked_at = now

    def begin(self) -> None:
        """Begin a stream with the bytes after the piece taken last, including those passed to `put_back`."""
        if self._stream is not None:
            self.break_off("a second stream began inside the first")
        else:
            self._stream = zlib.decompressobj()  # zlib's own format only: neither gzip nor raw deflate

    def put_back(self, rest: bytes) -> None:
        """Return the end of the piece taken last to the input: it came after the beginning of a stream."""
        if not self._fault:
            self._waiting[:0] = rest

    def break_off(self, fault: str) -> None:
        """Discard everything; the next `take` raises this fault."""
        self._stream = None
        self._waiting = bytearray()
        self._has_more = False
        self._text, self._at = b"", 0
        self._fault = fault

    def close(self) -> None:
        """Discard everything, now and from now on."""
        self.break_off("")
        self._is_closed = True

    def feed(self, data: bytes) -> None:
        """Add received bytes to the input."""
        if not self._is_closed:
            self._waiting += data

    def take(self) -> bytes:
        """Return the next piece, inflating at most one slice; b"" if there is none yet or during a pause.

        Raises:
            BrokenStream: The stream has a fault, and everything before it was returned.
        """
        if not self._text and not self._fault and not self.is_paused:
            if self._stream is not None and self._stream.eof:
                self._stream = None  # not earlier: an MCCP3 start in its last piece was inside the stream
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
        """Inflate at most one slice.

        No decision may depend on how the network cut the bytes. Therefore slices and windows end at fixed places of
        the text, and at a fault or the end of a window the input is counted to the byte that caused it.
        """
        limits = self._limits
        data = bytes(self._waiting[:WIRE_SLICE])
        most = min(SLICE - self._window_out % SLICE, limits.window - self._window_out)
        before = stream.copy()
        text: bytes | None
        try:
            text = stream.decompress(data, most)
        except zlib.error:
            text = None
        if text is None or self._window_out + len(text) == limits.window:
            # zlib's exception discards the output before the fault. A call that fills the output reads on until it
            # needs more space: block headers, the end of the stream, and any fault in them.
            data = data[: _bytes_needed(before, data, most)]
            stream, text, self._fault = _inflate_exactly(before, data, most)
            self._stream = stream
        left = 0
        if not self._fault:
            left = len(stream.unused_data if stream.eof else stream.unconsumed_tail)
        used = len(data) - left
        del self._waiting[:used]
        self.cost += used
        self._text, self._at = text, 0
        self._has_more = len(text) == most and not stream.eof
        self._allowance -= len(text)
        self._window_in += used
        self._window_out += len(text)
        if self._window_out == limits.window:
            if self._window_out > self._window_in * limits.ratio:
                self._fault = self._fault or f"over {limits.ratio} bytes made of one"
            self._window_in = self._window_out = 0


def _bytes_needed(stream: zlib._Decompress, data: bytes, most: int) -> int:
    """Return the smallest number of bytes of `data` that fills the output or has a fault."""

    def is_enough(size: int) -> bool:
        try:
            return len(stream.copy().decompress(data[:size], most)) == most
        except zlib.error:
            return True

    return bisect.bisect_left(range(len(data)), True, key=is_enough)


def _inflate_exactly(stream: zlib._Decompress, data: bytes, most: int) -> tuple[zlib._Decompress, bytes, str]:
    """Inflate the bytes returned by `_bytes_needed`; return the stream after them, the text and the fault, or ""."""
    last = stream.copy()
    try:
        return last, last.decompress(data, most), ""
    except zlib.error as error:
        # The text is like "Error -3 while decompressing data: incorrect header check"; code 2 is Z_NEED_DICT and has
        # none.
        fault = str(error).partition(": ")[2] or "it wants a dictionary"
        return last, stream.decompress(data[:-1], most) if data else b"", fault
