"""The sweep: finds lists, dicts and sets that were changed in place, which no assignment reports.

It encodes every record that has such a field and compares a hash with that of the last row. Classes whose values
cannot change in place cost nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import trio

from .contents import Contents
from .record import Record
from .schema import family_of, schema_of
from .transaction import SLICE_RECORDS, Overlay

__all__ = ["InPlaceChange", "Sweep"]


@dataclass(frozen=True, slots=True)
class InPlaceChange:
    """A field of a record that was changed in place; as text it says what to write instead."""

    record: Record
    field: str

    def __str__(self) -> str:
        name = type(self.record).__name__
        return (
            f"{name}.{self.field} of {self.record.key!r} was changed in place: assign it, "
            f"{name.lower()}.{self.field} = …, or call store.changed({name.lower()})"
        )


class Sweep:
    """Looks at all records in memory, a slice at a time."""

    def __init__(
        self, contents: Contents, overlay: Overlay | None, read: Callable[[str, str], Awaitable[bytes | None]]
    ) -> None:
        self._contents, self._overlay, self._read = contents, overlay, read

    async def run(self) -> list[InPlaceChange]:
        """Mark the records that were changed in place as changed, and return their fields."""
        found: list[InPlaceChange] = []
        seen = 0
        await trio.lowlevel.checkpoint()
        for family in self._contents.catalog.roots:
            for record in self._contents.walk(family):
                seen += 1
                if seen % SLICE_RECORDS == 0:
                    await trio.lowlevel.checkpoint()
                if record is None or not schema_of(type(record)).mutable or not self._has_changed(record):
                    continue
                stored = await self._read(family_of(type(record)), record.key)
                if self._has_changed(record):  # still: it may have been assigned while the row was read
                    found += [InPlaceChange(record, name) for name in self._fields(record, stored)]
                    self._contents.mark_dirty(record)
        return found

    def _has_changed(self, record: Record) -> bool:
        contents = self._contents
        transaction = contents.transaction
        if record._tracker is not contents or record in contents.dirty:
            return False
        if transaction is not None and record in transaction.records:
            return False
        try:
            return hash(self._encode(record)) != record.__dict__.get("_digest")
        except Exception:  # noqa: BLE001  it cannot be encoded; saving it will say so
            return True

    def _encode(self, record: Record) -> bytes:
        overlay = self._overlay(type(record), record.__dict__) if self._overlay is not None else None
        return schema_of(type(record)).encode(record, overlay)

    def _fields(self, record: Record, stored: bytes | None) -> list[str]:
        """Return the fields that differ from the row; all that could, if there is none to compare with."""
        mutable = schema_of(type(record)).mutable
        try:
            before = msgspec.json.decode(stored) if stored is not None else {}
            now = msgspec.json.decode(self._encode(record))
        except (TypeError, ValueError):
            return list(mutable)
        return [name for name in mutable if before.get(name) != now.get(name)] or list(mutable)
