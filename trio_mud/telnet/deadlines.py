"""Deadlines without a clock: a deadline counts from the first time passed in after its start.

Each engine owns one `Deadlines`; the negotiation table and the options use it too, each under its own keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Self

# The keys. Below 0x200: the side of an option whose answer is awaited, numbered as in negotiation.
BUDGET: Final = 0x200  # period of the answer budget
SETTLING: Final = 0x201  # answers to the initial offers
PAYLOAD: Final = 0x202  # end of an unfinished payload
ARE_YOU_THERE: Final = 0x203  # since the last answer to AYT
ABORT_OUTPUT: Final = 0x204  # since the last AO that was obeyed
COMPRESSION: Final = 0x205  # until the memory of an unused stream is freed
SHORTEST_DEADLINE: Final = 0.01  # seconds; an option that restarts a shorter one keeps the server busy
OPTION: Final = 0x300  # plus the option's code: the deadline of that option


class Deadlines:
    """Deadlines by number, each either fresh (started since the last `expire`) or due at a point in time.

    It holds no dict while no deadline runs, which is the usual state of a connection. Copies share their dicts, which
    are copied before they are changed: thousands of engines begin with the same deadlines, and lose them by the same
    answers.

    Attributes:
        fresh: Seconds from the next `expire`, by key; None if there are none.
        due: Seconds from one moment, which is 0 unless all were started together, by key; None if there are none.
    """

    __slots__ = ("_is_shared", "_since", "due", "fresh")

    def __init__(self) -> None:
        self.fresh: dict[int, float] | None = None
        self.due: dict[int, float] | None = None
        self._since = 0.0  # the moment that `due` counts from, so that fresh deadlines become due without a new dict
        self._is_shared = False

    def __contains__(self, key: int) -> bool:
        return bool((self.fresh and key in self.fresh) or (self.due and key in self.due))

    def copy(self) -> Self:
        """Return an independent copy with the same deadlines."""
        other = type(self)()
        other.fresh, other.due, other._since = self.fresh, self.due, self._since
        other._is_shared = self._is_shared = True
        return other

    def start(self, key: int, seconds: float) -> None:
        """Start a deadline, or restart it if it is running."""
        self.stop(key)
        self._own()
        if self.fresh is None:
            self.fresh = {}
        self.fresh[key] = seconds

    def stop(self, key: int) -> None:
        """Cancel a deadline if it is running."""
        if key not in self:
            return
        self._own()
        # Drop an empty dict and the moment, which would keep their memory.
        if self.fresh and self.fresh.pop(key, None) is not None and not self.fresh:
            self.fresh = None
        if self.due and self.due.pop(key, None) is not None and not self.due:
            self.due, self._since = None, 0.0

    def follow(self, before: Deadlines, after: Deadlines) -> None:
        """Cancel those that run in `before` and not in `after`, a copy of it. All of them are fresh.

        Neither of the two may change any more.
        """
        if self.due is before.fresh and self.fresh is None:  # the usual case: nothing has changed but the time
            self.due = after.fresh
            return
        for key in before.fresh or ():
            if key not in after:
                self.stop(key)

    def _own(self) -> None:
        """Make the dicts this one's own, because they are about to change."""
        if self._is_shared:
            self.fresh = self.fresh and self.fresh.copy()
            self.due = self.due and self.due.copy()
            self._is_shared = False

    @property
    def next(self) -> float | None:
        """The time at which `expire` has something to do: -inf for at once, None for never."""
        if self.fresh is not None:
            return -math.inf
        return None if self.due is None else self._since + min(self.due.values())

    def expire(self, now: float) -> Iterator[int]:
        """Count the fresh deadlines from now; remove and yield the key of each expired one."""
        fresh, self.fresh = self.fresh, None
        if fresh and self.due is None:
            self.due, self._since = fresh, now
        elif fresh and self.due is not None:
            until = {key: self._since + seconds for key, seconds in self.due.items()}
            self.due, self._since = {**until, **{key: now + seconds for key, seconds in fresh.items()}}, 0.0
            self._is_shared = False
        if self.due is None or self._since + min(self.due.values()) > now:
            return
        for key, due in list(self.due.items()):
            # The caller's handling of an earlier key may have stopped or restarted this one.
            if self._since + due <= now and self._due_at(key) == due:
                self.stop(key)
                yield key

    def _due_at(self, key: int) -> float | None:
        return None if self.due is None else self.due.get(key)
