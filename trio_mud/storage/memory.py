"""A database in memory, for tests and simulations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from .rows import FENCE, Changes, Entry, Lookup, Row, check_fence
from .sqlite import write_copy

__all__ = ["Memory", "Stored"]

CHUNK = 500  # rows


@dataclass(slots=True)
class Stored:
    """The contents of a `Memory`. They outlive the backend, as a file outlives a process."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)


class Memory:
    """A backend without a disk.

    Args:
        stored: The contents of an earlier one: `Memory(before.stored)` is the same database after a restart.
    """

    name = "memory"
    backup_folder: Path | None = None

    def __init__(self, stored: Stored | None = None) -> None:
        self.stored = Stored() if stored is None else stored

    def open(self, *, shared: bool = False) -> None:
        """Remove the fence, unless it is shared."""
        if not shared:
            self.stored.values.pop(FENCE, None)

    def close(self) -> None:
        """Do nothing."""

    def index(self, family: str, field: str) -> None:
        """Do nothing: every search looks at all rows."""

    def write(self, changes: Changes) -> None:
        """Store all of it."""
        if changes.fence is not None:
            self.stored.values[FENCE] = check_fence(self.stored.values.get(FENCE), changes.fence)
        self.stored.rows |= {(row.family, row.key): row for row in changes.rows}
        for place in changes.removed:
            self.stored.rows.pop(place, None)
        for entry in changes.entries:
            self.stored.entries.setdefault(entry.number, entry)
        self.stored.values |= dict(changes.values)

    def scan(self, family: str) -> Iterator[list[Row]]:
        """Yield the rows that have no owner."""
        rows = [row for row in self.stored.rows.values() if row.family == family and not row.owner]
        for start in range(0, len(rows), CHUNK):
            yield rows[start : start + CHUNK]

    def read(self, family: str, key: str) -> list[Row]:
        """Return the row with this key and those that have it as their owner."""
        return [row for row in self._of(family) if key in (row.key, row.owner)]

    def keys(self, family: str, *, owned: bool = False) -> list[str]:
        """Return all keys of the family, or only of rows that have an owner."""
        return [row.key for row in self._of(family) if row.owner or not owned]

    def column(self, family: str, field: str) -> list[tuple[str, str | int | float]]:
        """Return key and value of every row that stores this field."""
        found = [(row.key, _fields(row).get(field)) for row in self._of(family)]
        return [(key, value) for key, value in found if value is not None]

    def find(self, lookup: Lookup) -> list[str]:
        """Return the keys of the rows that match."""
        missing = object()
        found = []
        for row in self._of(lookup.family):
            value = _fields(row).get(lookup.field, missing)
            is_default = value is missing and row.kind in lookup.default_kinds
            if is_default or (value == lookup.value and row.kind in (*lookup.kinds, *lookup.default_kinds)):
                found.append(row.key)
        return found

    def values(self) -> dict[str, bytes]:
        """Return all values by name."""
        return dict(self.stored.values)

    def entries(self, log: str, last: int) -> list[Entry]:
        """Return the newest entries of a log, oldest first."""
        found = [entry for entry in self.stored.entries.values() if entry.log == log]
        return sorted(found)[max(0, len(found) - last) :]

    def last_entry(self) -> int:
        """Return the highest number of an entry."""
        return max(self.stored.entries, default=0)

    def backup(self, path: Path) -> None:
        """Write a copy into a new SQLite file."""
        stored = self.stored
        write_copy(path, [Changes(stored.rows.values(), (), stored.entries.values(), stored.values.items())])

    def _of(self, family: str) -> list[Row]:
        return [row for row in self.stored.rows.values() if row.family == family]


def _fields(row: Row) -> dict[str, str | int | float]:
    fields: dict[str, str | int | float] = msgspec.json.decode(row.data)
    return fields
