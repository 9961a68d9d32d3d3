"""The delivery of a world's frames to one gateway over Redis: each arrives once, in order, whatever the server loses.

Theory of operation
-------------------
The world numbers the frames for each gateway, from 1, and keeps them until the gateway has confirmed their numbers.
The gateway takes a frame if its number is the next one. It confirms by its sign of life, which also counts its beats:

- An entry that follows a gap shows that entries were lost. The gateway takes none until the missing one comes, and
  gives a sign at once.
- A gateway that does not have at a beat what was written before the beat before has lost it, too: nothing came after
  it that could show the gap.

In both cases, and after a loss of all data, the world writes again what is not confirmed; the gateway drops those that
it has. If the world keeps no longer what is missing, the next entry is marked, so that the gateway takes it, and the
world asks for the rolls, which repair the rest.

The frames have another number, by which the services drop one that comes twice over any cluster link. The world counts
the frames of all gateways by it, so a gateway could not see a gap in it.

Without I/O. Used by `redis_link`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

MOST_KEPT: Final = 16 * 1024 * 1024  # bytes of frames for one gateway that are not confirmed; past it, old ones go


class Sign(NamedTuple):
    """The sign of life of a gateway.

    Attributes:
        process: Names the process of the gateway.
        beat: How many signs it has given before.
        writer: Names the world whose frames it has; empty before the first.
        number: The number of the last frame that it has of that world.
        misses: True if a later one has come.
    """

    process: bytes
    beat: int
    writer: bytes
    number: int
    misses: bool

    def encode(self) -> bytes:
        """Return the value of its key."""
        words = (self.process, b"%d" % self.beat, self.writer or b"-", b"%d" % self.number, b"%d" % self.misses)
        return b" ".join(words)

    @classmethod
    def decode(cls, value: bytes) -> Sign | None:
        """Return a sign; None if a gateway confirms nothing, as one of an earlier version."""
        try:
            process, beat, writer, number, misses = value.split()
            return cls(process, int(beat), b"" if writer == b"-" else writer, int(number), misses == b"1")
        except ValueError:
            return None


class Arrivals:
    """The frames that a gateway has: its half.

    Attributes:
        writer: Names the world that has written the last one; empty before the first.
        number: The number of the last one.
        misses: True if a later one has come.
    """

    __slots__ = ("misses", "number", "writer")

    def __init__(self) -> None:
        self.writer = b""
        self.number = 0
        self.misses = False

    def take(self, writer: bytes, number: int) -> bool:
        """Return True if a frame is to be delivered.

        Args:
            writer: Names the world.
            number: The number of the frame; negative if those before it are gone, 0 if the world numbers none.
        """
        if not number:
            return True
        if writer != self.writer:
            # A process that has just started cannot know what was sent before.
            self.number = 0 if self.writer else abs(number) - 1
            self.writer = writer
        if abs(number) <= self.number:
            return False
        self.misses = number > self.number + 1
        if self.misses:
            return False
        self.number = abs(number)
        return True


class Deliveries:
    """The frames for one gateway: the world's half.

    Args:
        writer: Names this world.

    Attributes:
        has_lost: True if a frame is missing that is not kept: the rolls have to repair what it did.
    """

    __slots__ = (
        "_confirmed",
        "_due",
        "_given_up",
        "_is_incomplete",
        "_is_repeating",
        "_kept",
        "_next",
        "_number",
        "_pause",
        "_repeats",
        "_sign",
        "_size",
        "_writer",
        "has_lost",
    )

    def __init__(self, writer: bytes) -> None:
        self._writer = writer
        self._kept: deque[tuple[int, bytes]] = deque()
        self._size = 0  # bytes of them
        self._number = 0  # of the last frame
        self._given_up = 0  # the number of the last frame that was for an earlier process, or a gateway given up
        self._is_incomplete = False  # frames are gone that are before those that are kept, and not confirmed
        self._repeats = False  # all that is kept is written with the next commit
        self._is_repeating = False  # by the commit that is under way
        self._sign: Sign | None = None
        self._confirmed = 0  # the number of the last frame that the sign has confirmed
        self._due = 0  # the number of the last frame when the sign came
        self._next = 0  # the beat before which frames are not repeated for want of progress
        self._pause = 1  # beats until then, if that makes none either
        self.has_lost = False

    def __len__(self) -> int:
        """Return the number of frames that are kept."""
        return len(self._kept)

    @property
    def repeats(self) -> bool:
        """True if the next commit is to write frames again."""
        return self._repeats and bool(self._kept)

    def entries(self, frames: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Return the entries to write, each with its number: those to be repeated, and then new frames."""
        self._is_repeating = self._repeats
        entries = [*(self._kept if self._repeats else ()), *enumerate(frames, self._number + 1)]
        if entries and self._is_incomplete and (self._repeats or not self._kept):
            number, frame = entries[0]
            entries[0] = -number, frame
        return entries

    def written(self, frames: Sequence[bytes], *, is_certain: bool = True) -> None:
        """Keep the new frames of `entries`, which are written, or may be if the reply was lost with the data."""
        if is_certain and self._is_repeating:
            self._repeats = False
        for frame in frames:
            self._number += 1
            self._kept.append((self._number, frame))
            self._size += len(frame)
        while self._size > MOST_KEPT and len(self._kept) > 1:
            self._drop_first()
            self._is_incomplete = True

    def repeat(self) -> None:
        """Write with the next commit all that is not confirmed: the server has lost its data."""
        self._repeats = True

    def give_up(self) -> None:
        """Keep nothing: the gateway is given up, and its streams are removed, or another process has its name."""
        self._kept.clear()
        self._size = 0
        self._given_up = self._number
        self._is_incomplete, self._repeats = True, False

    def confirm(self, value: bytes) -> None:
        """Take note of a sign of life."""
        sign, earlier = Sign.decode(value), self._sign
        if sign is not None and sign == earlier:
            return
        if sign is None or (earlier is not None and sign.process != earlier.process):
            self.give_up()
            self._confirmed, self._next, self._pause, earlier = 0, 0, 1, None
        self._sign = sign
        if sign is None:
            return
        number = sign.number if sign.writer == self._writer else 0
        while self._kept and self._kept[0][0] <= number:
            self._drop_first()
        if number >= (self._kept[0][0] - 1 if self._kept else self._number):
            self._is_incomplete = False
        confirmed, before = max(number, self._given_up), self._confirmed
        is_late = earlier is not None and confirmed == before and confirmed < self._due
        if confirmed > before:
            self._next, self._pause = 0, 1
        self._confirmed, self._due = confirmed, self._number
        if (sign.misses or is_late) and sign.beat >= self._next:
            self._next, self._pause = sign.beat + self._pause, 2 * self._pause  # it may only be slow
            self._repeats = True
            if self._is_incomplete:
                self.has_lost = True

    def _drop_first(self) -> None:
        _, frame = self._kept.popleft()
        self._size -= len(frame)
