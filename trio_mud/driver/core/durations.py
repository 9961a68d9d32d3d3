"""Durations, counted in buckets: of the functions of one type of event, and of the delays of the event loop.

Used by the dispatcher while the server is watched, and by the watch.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""The upper bound of each bucket but the last, in seconds."""


class Durations:
    """The number of durations in each bucket.

    Attributes:
        counts: One number for each bucket; the last one is for durations over all bounds.
        total: The sum of all durations, in seconds.
        worst: The longest duration, in seconds.
    """

    __slots__ = ("counts", "total", "worst")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        if seconds > self.worst:
            self.worst = seconds
