"""A histogram of durations: millions of them in a few kilobytes.

Each power of two is divided into 128 classes, so a percentile read from it is at most 0.8 % too large. Source: based
on HdrHistogram by Gil Tene.
"""

from __future__ import annotations

from array import array
from typing import Final

FINE: Final = 7  # bits: 2 ** 7 classes in each power of two
LONGEST: Final = (1 << 40) - 1  # microseconds, twelve days; longer durations count as this


class Histogram:
    """Counts durations in constant memory.

    Attributes:
        count: Number of recorded durations.
        longest: The longest duration in seconds, exactly.
    """

    __slots__ = ("_counts", "count", "longest")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * (_class_of(LONGEST) + 1)))
        self.count = 0
        self.longest = 0.0

    def record(self, seconds: float) -> None:
        """Count a duration; a negative one counts as 0."""
        microseconds = int(seconds * 1e6)
        self._counts[_class_of(min(max(microseconds, 0), LONGEST))] += 1
        self.count += 1
        if seconds > self.longest:
            self.longest = seconds

    def percentile(self, percent: float) -> float | None:
        """Return the seconds that this percentage of the durations did not exceed; None if there are none."""
        if not self.count:
            return None
        wanted = max(1, -(-self.count * percent // 100))  # rounded up: the 99th percent of 10 is the tenth
        seen = 0
        for number, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return min(_most_in(number) / 1e6, self.longest)
        raise AssertionError("the classes hold fewer than were counted")


def _class_of(microseconds: int) -> int:
    shift = max(0, microseconds.bit_length() - FINE - 1)
    return (shift << FINE) + (microseconds >> shift)


def _most_in(number: int) -> int:
    """Return the upper end of a class in microseconds."""
    shift = max(0, (number >> FINE) - 1)
    return (number - (shift << FINE) + 1 << shift) - (1 if shift else 0)
