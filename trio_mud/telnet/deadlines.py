"""Deadlines without a clock: what is begun now is counted from the next time that is told.

One engine owns one; the negotiation table and the options keep theirs in it too, each under a number of its own.
"""

import math
from collections.abc import Iterator
from typing import Final, Self

# Their keys.  Below 0x200 the sides of options whose answer is awaited, as negotiation numbers them.
BUDGET: Final = 0x200  # of answers
SETTLING: Final = 0x201  # of what was asked as the connection began
PAYLOAD: Final = 0x202  # an unfinished one
ARE_YOU_THERE: Final = 0x203  # since the last answer
ABORT_OUTPUT: Final = 0x204  # since AO was obeyed
OPTION: Final = 0x300  # and its code: whatever the option counts


class Deadlines:
    """Numbered deadlines, each of them fresh (begun since the last `expire`) or due at a moment.

    It costs nothing while none is running, as in most connections most of the time.

    Attributes:
        fresh: Seconds, to be counted from the next `expire`, by key; None if there are none.
        due: Moments, by key; None if there are none.
    """

    __slots__ = ("due", "fresh")

    def __init__(self) -> None:
        self.fresh: dict[int, float] | None = None
        self.due: dict[int, float] | None = None

    def __contains__(self, key: int) -> bool:
        return bool((self.fresh and key in self.fresh) or (self.due and key in self.due))

    def copy(self) -> Self:
        """Make another with the same deadlines, which then go their own ways."""
        other = type(self)()
        other.fresh = self.fresh and self.fresh.copy()
        other.due = self.due and self.due.copy()
        return other

    def start(self, key: int, seconds: float) -> None:
        """Begin this one, from its beginning if it is running."""
        self.stop(key)
        if self.fresh is None:
            self.fresh = {}
        self.fresh[key] = seconds

    def stop(self, key: int) -> None:
        """Forget this one, if it is running."""
        # An emptied dict would keep its room.
        if self.fresh and self.fresh.pop(key, None) is not None and not self.fresh:
            self.fresh = None
        if self.due and self.due.pop(key, None) is not None and not self.due:
            self.due = None

    @property
    def next(self) -> float | None:
        """When `expire` has something to do: -inf for at once, None for never."""
        if self.fresh is not None:
            return -math.inf
        return None if self.due is None else min(self.due.values())

    def expire(self, now: float) -> Iterator[int]:
        """Count the fresh ones from now; yield each that has passed, having forgotten it."""
        fresh, self.fresh = self.fresh, None
        if fresh:
            until = {seconds: now + seconds for seconds in set(fresh.values())}  # equal ones share one object
            self.due = {**(self.due or {}), **{key: until[seconds] for key, seconds in fresh.items()}}
        if self.due is None or min(self.due.values()) > now:
            return
        for key, due in list(self.due.items()):
            # What was done about one before may have stopped this one, or begun it anew.
            if due <= now and self.due is not None and self.due.get(key) == due:
                self.stop(key)
                yield key
