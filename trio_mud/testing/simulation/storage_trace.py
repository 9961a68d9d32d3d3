"""The record of a store in one life of a game: every state of the world, every commit, and every acknowledged save.

The state of the world is read after every step of every task, from the records and not from what the store noted about
them. So a change that the store overlooks makes a difference, too. The database is read after every write, because the
game could be killed there.

`trace` has it, `harness` opens the store, and `durability` judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ...storage import Record, Store, Stored
from . import inside
from .disk import SimulatedDisk

_INTERNAL: Final = "trio_mud."  # prefix of the values that a store writes for itself
WORLD_TIME: Final = "trio_mud.world_time"  # of these, two belong to the same moment as the things
RESETS: Final = "trio_mud.resets"

Place = tuple[str, str]  # family and key


class WorldState(NamedTuple):
    """Everything that a database keeps, at one moment.

    Attributes:
        rows: Kind, fields as JSON, and owner, by family and key.
        values: The values of the game, and those of its world, as JSON.
        entries: The number of log entries; the numbers of those kept are 1 to this.
    """

    rows: Mapping[Place, tuple[str, bytes, str]]
    values: Mapping[str, bytes]
    entries: int


class Acknowledgment(NamedTuple):
    """A call of `saved` that returned.

    Attributes:
        moment: The index of the first moment that has every change made before the call.
        commit: The index of the newest commit when it returned.
    """

    moment: int
    commit: int


def state_of(stored: Stored) -> WorldState:
    """Return the state that a database contains; the number of entries is -1 if one of them is missing."""
    numbers = sorted(stored.entries)
    return WorldState(
        {place: (row.kind, row.data, row.owner) for place, row in stored.rows.items()},
        _of_the_game(stored.values),
        len(numbers) if numbers == list(range(1, len(numbers) + 1)) else -1,
    )


def _of_the_game(values: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name: data for name, data in values.items() if name in (WORLD_TIME, RESETS) or not name.startswith(_INTERNAL)
    }


def _fields(records: Mapping[Place, Record]) -> dict[Place, tuple[Any, ...]]:
    """Return the values of all attributes of these records."""
    return {place: tuple(record.__dict__.values()) for place, record in records.items()}


class StorageTrace:
    """The record of one life.

    Attributes:
        disk: The database; killed with the game.
        moments: Every state of the world, in order, from the opening of the store.
        commits: The content of the database at the opening, and after every write. The last one is kept at the end.
        acknowledgments: The calls of `saved` that returned.
        is_closed: True if the store was closed, and the game was not killed.
        is_lossy: True if the closed store reported that changes are lost.
        hashes: Hashes of passwords that the game stores, and that no player or log may see.
        unreadable: Why rows of the life before could not be loaded.
    """

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.moments: list[WorldState] = []
        self.commits: list[WorldState] = []
        self.acknowledgments: list[Acknowledgment] = []
        self.is_closed = False
        self.is_lossy = False
        self.hashes: set[str] = set()
        self.unreadable: dict[Place, str] = {}
        self._store: Store | None = None
        self._fields: dict[Place, tuple[Any, ...]] = {}

    @property
    def store(self) -> Store:
        """The open store."""
        assert self._store is not None
        return self._store

    @property
    def is_failing(self) -> bool:
        """True if the store's last write failed."""
        return self._store is not None and self._store.error is not None

    @property
    def is_open(self) -> bool:
        """True until the store is closed or killed."""
        return self._store is not None and not self.disk.is_dead and not self.is_closed

    def watch(self, store: Store) -> None:
        """Record this store, which was opened at this moment; the game may have changed records already."""
        self._store, self.disk.written = store, self._after_write
        self.unreadable = store.quarantined
        self.moments.append(state_of(self.disk.stored))
        self.commits.append(self.moments[0])
        self.after_step()
        saved = store.saved

        async def report_and_save(within: float = 5.0) -> None:
            moment = len(self.moments) if self._has_changed(store) else len(self.moments) - 1
            await saved(within)
            if not self.disk.is_dead:
                self.acknowledgments.append(Acknowledgment(moment, len(self.commits) - 1))

        store.saved = report_and_save  # type: ignore[method-assign]

    def after_step(self) -> None:
        """Record the state of the world if it has changed."""
        store = self._store
        if store is None or self.disk.is_dead or self.is_closed or not self._has_changed(store):
            return
        # They are kept in memory meanwhile: the garbage collector may run at any time.
        records, known = inside.records_in_memory(store), self._fields
        fields = _fields(records)
        before = self.moments[-1].rows
        rows = {place: row for place, row in before.items() if place not in fields and inside.is_on_disk(store, place)}
        for place, values in fields.items():
            # A record that was loaded, and not changed, is what its row says.
            record = records[place]
            is_same = known[place] == values if place in known else not inside.is_dirty(store, record)
            kind, data, _ = before[place] if is_same and place in before else inside.row(store, record)
            rows[place] = kind, data, record.stored_with()  # it depends on other records, too
        self._fields = fields
        self.moments.append(WorldState(rows, _of_the_game(inside.stored_values(store)), inside.last_entry(store)))

    def _after_write(self) -> None:
        self.commits.append(state_of(self.disk.stored))

    def close(self, *, is_lossy: bool) -> None:
        """Record that the store was closed, and whether it reported that changes are lost."""
        if not self.disk.is_dead:
            self.is_closed, self.is_lossy = True, is_lossy

    def _has_changed(self, store: Store) -> bool:
        last = self.moments[-1]
        return (
            last.entries != inside.last_entry(store)
            or last.values != _of_the_game(inside.stored_values(store))
            or self._fields != _fields(inside.records_in_memory(store))
        )
