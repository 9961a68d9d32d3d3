"""The disk of a simulated game: slow, failing and hanging by seed; and the witness that judges what is stored.

The witness knows what each transaction has to hold, because it encodes the changed records itself at the moment at
which they are taken. The store encodes them later, in slices, while players act.

Used by `harness`, for games with records.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Final, TypeVar, TypeVarTuple

import trio

from ...storage import Changes, Store, Stored
from ...storage import transaction as transactions
from ...storage.schema import family_of, schema_of
from ...storage.store import SAVE_TIMEOUT
from ...storage.transaction import Transaction
from ..storage import MortalMemory

T = TypeVar("T")
Args = TypeVarTuple("Args")

Rows = dict[tuple[str, str], bytes]

HANG: Final = 8.0  # seconds; less than the calm at the end of a run
SLICE: Final = 2  # records between two checkpoints, so that players act while a transaction is encoded


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
        self._failing = chance.choice((0.0, 0.1, 0.4))
        self._hanging = chance.choice((0.0, 0.0, 0.05))
        self._slowest = chance.choice((0.0, 0.05, 0.7))
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
            seconds = HANG if is_faulty and self._chance.random() < self._hanging else self._chance.random()
            try:
                await trio.sleep(min(seconds, self._slowest) if seconds < 1 else seconds)
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


class StorageWitness:
    """Judges one store, from the open store to its end.

    Args:
        disk: Its backend.
        store: The store, whose `take_changes` and `saved` it observes.
        fault: Called with an invariant and a description.
        between_slices: Called between two slices of a transaction, as players may act there.
        judge: Yields what is wrong with the stored rows.
    """

    def __init__(
        self,
        disk: SimulatedDisk,
        store: Store,
        fault: Callable[[str, str], object],
        between_slices: Callable[[], object],
        judge: Callable[[Stored], Iterable[str]],
    ) -> None:
        self._disk, self._store, self._fault = disk, store, fault
        self._between_slices, self._judge = between_slices, judge
        self._take, self._save = store.take_changes, store.saved
        self._expected: Rows = rows_of(disk.stored)
        self._moment = 0  # counts transactions and acknowledged saves
        self._taken = self._applied = 0  # moments of the last transaction that was taken, and of the last one written
        store.take_changes = self._take_changes  # type: ignore[method-assign]
        store.saved = self._saved  # type: ignore[method-assign]
        disk.written = self._written

    def check_loaded(self) -> None:
        """Check that the records in memory are those on disk, after a start."""
        for (family, key), reason in self._store.quarantined.items():
            self._fault("I-21a", f"{family} {key!r} was stored and cannot be loaded: {reason}")
        contents = self._store._contents
        for family, records in contents.pinned.items():
            for key, record in records.items():
                if record not in contents.dirty and schema_of(type(record)).encode(record) != self._expected.get(
                    (family, key)
                ):
                    self._fault("I-21a", f"{record!r} was loaded as {record.__dict__}")

    def check_end(self) -> None:
        """Check that a store which reported no loss has stored everything."""
        if not self._disk.is_dead and (self._store.is_dirty or self._applied != self._taken):
            self._fault("I-21a", "the store was closed without an error, and not everything is stored")

    def _take_changes(self) -> Transaction | None:
        removed = list(self._store._contents.removed)
        transaction = self._take()
        if transaction is None:
            return None
        self._moment += 1
        self._taken = self._moment
        for place in removed:
            self._expected.pop(place, None)
        for record in transaction.records:
            cls = type(record)
            self._expected[family_of(cls), record.key] = schema_of(cls).encode(record)
        encode_slice = transaction.encode_slice

        def encode_and_act() -> bool:
            is_unfinished = encode_slice()
            self._between_slices()
            return is_unfinished

        transaction.encode_slice = encode_and_act  # type: ignore[method-assign]
        return transaction

    def _written(self) -> None:
        self._applied = self._taken
        found = rows_of(self._disk.stored)
        if found != self._expected:
            places = sorted(found.keys() | self._expected)
            wrong = [place for place in places if found.get(place) != self._expected.get(place)]
            self._fault(
                "I-21b",
                f"{wrong[0]} is {found.get(wrong[0])!r} on disk, and was {self._expected.get(wrong[0])!r} "
                "at the moment of the transaction",
            )
            self._expected = found  # so that it is reported once
        for text in self._judge(self._disk.stored):
            self._fault("I-21c", text)

    async def _saved(self, within: float = SAVE_TIMEOUT) -> None:
        self._moment += 1
        asked, is_dirty, taken = self._moment, self._store.is_dirty, self._taken
        await self._save(within)
        if not self._disk.is_dead and self._applied < (asked if is_dirty else taken):
            self._fault("I-21a", "saved() returned, and a change made before the call is not on disk")


def rows_of(stored: Stored) -> Rows:
    """Return the fields of all rows by family and key."""
    return {place: row.data for place, row in stored.rows.items()}


@contextmanager
def small_slices() -> Iterator[None]:
    """Encode few records at a time in this block."""
    there, transactions.SLICE_RECORDS = transactions.SLICE_RECORDS, SLICE
    try:
        yield
    finally:
        transactions.SLICE_RECORDS = there
