"""The disk of a simulated game: slow, failing and hanging by seed.

Used by `harness`, for games with records.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Final, TypeVar, TypeVarTuple

import trio

from ...storage import Changes, Stored
from ...storage import transaction as transactions
from ..storage import MortalMemory

T = TypeVar("T")
Args = TypeVarTuple("Args")

HANG: Final = 8.0  # seconds; less than the calm at the end of a run
SLICES: Final = (1, 1, 3)  # records between two checkpoints


class SimulatedDisk(MortalMemory):
    """A database in memory whose calls take time, fail and hang.

    Args:
        stored: The rows of the run before; None for a new database.
        chance: The seed's own source of randomness.

    Attributes:
        is_faulty: True while calls may fail or hang.
        written: Called after every write.
    """

    def __init__(self, stored: Stored | None, chance: Random) -> None:
        super().__init__(stored)
        self.is_faulty = False
        self.written: Callable[[], object] = lambda: None
        self._chance = chance
        self._failing = chance.choice((0.0, 0.3, 0.6))
        self._hanging = chance.choice((0.0, 0.0, 0.05))
        self._slowest = chance.choice((0.0, 0.1, 0.6))  # seconds; a last save has two of them
        self._turn = trio.Lock()

    def write(self, changes: Changes) -> None:
        """Store all of it, and report it."""
        super().write(changes)
        if not self.is_dead:
            self.written()

    def execute(self, function: Callable[[*Args], T], *args: *Args) -> Awaitable[T]:
        """Run a call of the backend as a thread does: one after the other, and to its end also if it is cancelled."""
        return self._execute(partial(function, *args))

    async def _execute(self, function: Callable[[], T]) -> T:
        async with self._turn:
            is_faulty = self.is_faulty and not self.is_dead
            fails = is_faulty and self._chance.random() < self._failing
            is_late = self._chance.random() < 0.5  # the call fails after its work was done, or is cancelled before it
            hangs = is_faulty and self._chance.random() < self._hanging
            try:
                await trio.sleep(HANG if hangs else self._chance.random() * self._slowest)
            except trio.Cancelled:
                if not is_late:
                    function()
                raise
            if fails and not is_late:
                raise OSError(errno.ENOSPC, "the simulated disk is full")
            result = function()
            if fails:
                raise OSError(errno.EIO, "the simulated disk failed after a call")
            return result


@contextmanager
def small_slices(chance: Random) -> Iterator[None]:
    """Encode so few records at a time in this block that players act while a transaction is encoded."""
    there, transactions.SLICE_RECORDS = transactions.SLICE_RECORDS, chance.choice(SLICES)
    try:
        yield
    finally:
        transactions.SLICE_RECORDS = there
