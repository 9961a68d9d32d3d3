"""Penalties: how long an address, or an account, must wait after wrong passwords.

Theory of operation
-------------------
Failures are counted by key: an address, an account, or an account seen from an address that its owner uses. The first
two failures are free; the third costs `first` seconds, and each further one doubles that, up to `most`. A count is
forgotten `most` seconds after its pause has ended. The fastest guesser who makes no more failures than that, whether
patient or not, gets fewer than 40 guesses an hour.

A try is counted before the password is checked, and taken back if the password was right. So a hundred tries at once
do not all pass the gate, and a right password never erases earlier failures: otherwise a guesser could reset the
count of an address by logging in to an account of his own.

Time is trio's, so no jump of the wall clock shortens or extends a pause. Pauses survive a restart as seconds left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

__all__ = ["FREE_FAILURES", "MOST_STORED", "Penalties"]

FREE_FAILURES = 2
MOST_STORED = 1000  # entries that survive a restart, the newest ones; 65,536 would take a second to write

Key = tuple[str, ...]


class Penalties:
    """Counts of failures by key, in a table of bounded size; past it the oldest are forgotten.

    Args:
        first: Seconds to wait after the first failure that is not free.
        most: The most seconds to wait.
        max_entries: The size of the table.
    """

    def __init__(
        self,
        first: float = 15.0,
        most: float = 600.0,
        *,
        max_entries: int = 65_536,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._first, self._most, self._max_entries, self._clock = first, most, max_entries, clock
        self._table: dict[Key, tuple[int, float]] = {}  # failures, and when the pause ends; least recent first
        self.has_changed = False

    def __len__(self) -> int:
        return len(self._table)

    def wait(self, *keys: Key) -> float:
        """Return the seconds until all of these keys may try again; 0 if now."""
        now = self._clock()
        return max((0.0, *(self._current(key, now)[1] - now for key in keys)))

    def fail(self, *keys: Key) -> None:
        """Count a failure of each key."""
        now = self._clock()
        for key in keys:
            count = self._current(key, now)[0] + 1
            self._table.pop(key, None)
            self._table[key] = count, now + self._pause(count)
        while len(self._table) > self._max_entries:
            del self._table[next(iter(self._table))]
        self.has_changed = True

    def forgive(self, *keys: Key) -> None:
        """Take back the last failure of each key, and the pause that it cost."""
        for key in keys:
            count, until = self._table.get(key, (0, 0.0))
            if count <= 1:
                self._table.pop(key, None)
            else:
                self._table[key] = count - 1, min(until, self._clock())
        self.has_changed = True

    def dump(self) -> list[tuple[Key, int, float]]:
        """Return the newest entries as keys, failures and seconds left, to be stored."""
        now = self._clock()
        entries = list(self._table.items())[-MOST_STORED:]
        return [(key, count, until - now) for key, (count, until) in entries if until + self._most > now]

    def load(self, stored: Iterable[tuple[Iterable[str], int, float]]) -> None:
        """Take over entries that an earlier process dumped; their pauses go on from where they were."""
        now = self._clock()
        self._table = {tuple(key): (count, now + left) for key, count, left in stored}

    def _current(self, key: Key, now: float) -> tuple[int, float]:
        count, until = self._table.get(key, (0, 0.0))
        return (count, until) if count and now < until + self._most else (0, now)

    def _pause(self, count: int) -> float:
        over = count - FREE_FAILURES
        return 0.0 if over <= 0 else float(min(self._most, self._first * 2 ** min(over - 1, 20)))
