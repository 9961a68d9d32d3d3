"""Metering: limits the rate at which the bytes of a peer are parsed, apart from short lines.

The telnet engine counts the cost of parsing a peer's bytes (`TelnetEngine.take_cost`) and has no clock.
This module takes the cost from a token bucket. When the bucket is empty, nothing of this peer is parsed or read until
a deadline in the timers' heap refills it, and TCP slows the sender (backpressure). Nothing is dropped.
Short lines are metered separately, by `limits.command_rate`.

Used by the telnet link: one meter for each connection that has sent anything other than short lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from ...limits import Rate
from .timers import Deadline, Timers
from .turns import NEVER

SHORTEST_PAUSE: Final = 0.25  # seconds; a pause costs about 0.2 ms, and a long payload would cause hundreds of them
TOKEN: Final = 256  # the engine's unit for one command; a token of `limits.protocol_rate`


class Meter:
    """One connection's bucket.

    The deadline is set only while the bucket is empty, so an honest client costs no timer.
    """

    __slots__ = ("_full_at", "_pause", "_rate", "_timers")

    def __init__(self, rate: Rate, timers: Timers) -> None:
        self._rate = rate
        self._timers = timers
        self._full_at = NEVER  # when the bucket will be full again, on trio's clock
        self._pause: Deadline | None = None  # while the bucket is empty

    @property
    def is_full(self) -> bool:
        """True if the bucket is full again: a new meter would do the same."""
        return self._pause is None and self._full_at <= trio.current_time()

    def spend(self, cost: int, resume: Callable[[], None]) -> bool:
        """Take the cost of parsed bytes from the bucket, which may go below zero by one slice.

        Args:
            cost: The result of `TelnetEngine.take_cost`.
            resume: Called when there are tokens again.

        Returns:
            True if parsing may continue. If False, `resume` will be called.
        """
        now = trio.current_time()
        self._full_at, wait = self._rate.spend(self._full_at, now, cost / TOKEN)
        if not wait:
            return True
        self.end()
        pause = max(wait, SHORTEST_PAUSE)
        # What is earned beyond the first token is lost. Otherwise a pause would be followed by many reads of one byte.
        self._full_at += pause - wait
        self._pause = self._timers.at(now + pause, resume)
        return False

    def end(self) -> None:
        """Cancel the deadline, if one is set."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
