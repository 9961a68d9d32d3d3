"""Deadlines without a clock: a deadline counts from the first time passed in after its start.

Each engine owns one `Deadlines`; the negotiation table and the options use it too, each under its own keys.
"""

import math
from collections.abc import Collection, Iterator
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

    It holds no dict while no deadline runs, which is the usual state of a connection.

    Attributes:
        fresh: Seconds from the next `expire`, by key; None if there are none.
        due: Points in time, by key; None if there are none.
    """

    __slots__ = ("due", "fresh")

    def __init__(self) -> None:
        self.fresh: dict[int, float] | None = None
        self.due: dict[int, float] | None = None

    def __contains__(self, key: int) -> bool:
        return bool((self.fresh and key in self.fresh) or (self.due and key in self.due))

    def copy(self) -> Self:
        """Return an independent copy with the same deadlines."""
        other = type(self)()
        other.fresh = self.fresh and self.fresh.copy()
        other.due = self.due and self.due.copy()
        return other

    def start(self, key: int, seconds: float) -> None:
        """Start a deadline, or restart it if it is running."""
        self.stop(key)
        if self.fresh is None:
            self.fresh = {}
        self.fresh[key] = seconds

    def stop(self, key: int) -> None:
        """Cancel a deadline if it is running."""
        # Drop an empty dict, which would keep its memory.
        if self.fresh and self.fresh.pop(key, None) is not None and not self.fresh:
            self.fresh = None
        if self.due and self.due.pop(key, None) is not None and not self.due:
            self.due = None

    def stop_all(self, keys: Collection[int]) -> None:
        """Cancel several deadlines."""
        if self.fresh:
            self.fresh = {key: seconds for key, seconds in self.fresh.items() if key not in keys} or None
        if self.due:
            self.due = {key: when for key, when in self.due.items() if key not in keys} or None

    def _due_at(self, key: int) -> float | None:
        return None if self.due is None else self.due.get(key)

    @property
    def next(self) -> float | None:
        """The time at which `expire` has something to do: -inf for at once, None for never."""
        if self.fresh is not None:
            return -math.inf
        return None if self.due is None else min(self.due.values())

    def expire(self, now: float) -> Iterator[int]:
        """Count the fresh deadlines from now; remove and yield the key of each expired one."""
        fresh, self.fresh = self.fresh, None
        if fresh:
            until = {seconds: now + seconds for seconds in set(fresh.values())}  # equal ones share one object
            started = {key: until[seconds] for key, seconds in fresh.items()}
            self.due = {**self.due, **started} if self.due else started
        if self.due is None or min(self.due.values()) > now:
            return
        for key, due in list(self.due.items()):
            # The caller's handling of an earlier key may have stopped or restarted this one.
            if due <= now and self._due_at(key) == due:
                self.stop(key)
                yield key
