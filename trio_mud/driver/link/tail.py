"""The tail of a link: the last text that its client was sent, numbered, for a client that returns.

A network can lose text long after the transport accepted it. A client that returns reports how much it has received.
The number of a text is the count of line ends before it, which both sides can count.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from typing import Final, NamedTuple

OVERHEAD: Final = 128  # bytes that a kept chunk takes besides its text
_numbers: Final = itertools.count(1 + secrets.randbelow(2**52))  # those of two processes differ


class Missing(NamedTuple):
    """The text that a client has not received, as it was sent.

    Attributes:
        first: The number of line ends before it.
        lines: The number of line ends in it.
        lost: The number of line ends before it that the client has not received either and that are not kept; None if
            that is unknown.
    """

    text: bytes
    first: int
    lines: int
    lost: int | None


class Tail:
    """The last text of a link, up to a number of bytes; past it, the oldest is dropped.

    Attributes:
        number: Its number, by which a gateway knows it.
        holder: In a world, the gateway that has its text, as the world names it; None before it has one.
        is_whole: False if the text before its beginning is lost, since the gateway that had it is gone.
        lines: The number of line ends sent so far.
        skipped: The number of chunks in the link's queue that need no number, or have one already.
    """

    __slots__ = ("__weakref__", "_chunks", "_limit", "_size", "holder", "is_whole", "lines", "number", "skipped")

    def __init__(self, limit: int, number: int | None = None) -> None:
        self.number = next(_numbers) if number is None else number
        self.holder: object = None
        self.is_whole = True
        self._limit = limit
        self._size = 0
        self._chunks: deque[tuple[int, bytes]] = deque()  # the line ends in a chunk, and the chunk
        self.lines = 0
        self.skipped = 0

    def add(self, text: bytes) -> None:
        """Number a text that is being sent, and keep it. Text without a line end, such as a prompt, is not kept."""
        count = text.count(b"\n")
        if not count:
            return
        self.lines += count
        if len(text) > self._limit:
            text = text[-self._limit :].partition(b"\n")[2]
            count = text.count(b"\n")
            self._chunks.clear()
            self._size = 0
        self._chunks.append((count, text))
        self._size += len(text) + OVERHEAD
        while self._size > self._limit and len(self._chunks) > 1:
            self._size -= len(self._chunks.popleft()[1]) + OVERHEAD

    def received(self, seen: int | None) -> int:
        """Return the number of line ends that a client has received: 0 for None, or a number that was never sent."""
        return seen if seen is not None and 0 <= seen <= self.lines else 0

    def missing(self, seen: int | None) -> Missing:
        """Return the text after the first `seen` line ends.

        Args:
            seen: The number that the client has received; None, or a number that was never sent, if it shows nothing.
        """
        seen = self.received(seen)
        left = self.lines - seen
        found: list[bytes] = []
        for count, text in reversed(self._chunks):
            if not left:
                break
            if count > left:
                text = text.split(b"\n", count - left)[-1]
                count = left
            found.append(text)
            left -= count
        return Missing(
            b"".join(reversed(found)), seen + left, self.lines - seen - left, left if self.is_whole else None
        )

    @property
    def text(self) -> bytes:
        """The text that is kept."""
        return b"".join([text for _, text in self._chunks])

    def restore(self, lines: int, text: bytes) -> None:
        """Begin with the text of another tail, after so many line ends."""
        self.add(text)
        self.lines = lines
