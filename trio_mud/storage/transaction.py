"""A transaction: everything that has changed up to one moment, taken at that moment and encoded afterwards.

Theory of operation
-------------------
The world is in memory. The database is what the world was at some moment between two events, and never anything else.

`take` is that moment. It moves the dirty records, removed keys, log entries and values into a transaction and leaves
empty ones behind, which costs the same however much has changed. The records are encoded later, a slice at a time, and
the game goes on between two slices. Three rules keep the transaction at its moment:

1. A record that is about to change, or to be removed, and is not encoded yet is encoded first (`encode_before_change`).
   So its row is that of the moment, and the change belongs to the next transaction. References to a record that was
   removed after the moment are stored with its key, because its row is still there.
2. There is at most one transaction at a time. The next one gathers meanwhile.
3. A transaction that fails, or whose outcome is unknown, is merged back into what has changed since. Nothing queues:
   what is waiting is bounded by the records there are. Rows are upserts and entries are numbered, so that a repeated
   write stores nothing twice.

A list that is changed in place escapes rule 1, and so may be written with a part of a later moment; the sweep reports
it as the author's mistake.

A record with a value that cannot be encoded keeps its last row, is
reported, and makes `saved` fail until it is corrected.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .contents import Contents
from .record import Record
from .rows import Changes, Entry, Row
from .schema import schema_of

__all__ = ["SLICE_BYTES", "SLICE_RECORDS", "Overlay", "Transaction"]

SLICE_RECORDS = 64  # records encoded between two checkpoints: about 0.5 ms
FORGOTTEN_RECORDS = 2000  # let go of between two checkpoints
SLICE_BYTES = 64 * 1024  # of JSON, for large records

Overlay = Callable[[type[Record], Mapping[str, Any]], Mapping[str, Any] | None]
"""Returns defaults that replace those of the class, for a record of this class with these fields."""

logger = logging.getLogger("trio_mud")
_set = object.__setattr__


class Transaction:
    """All changes up to one moment.

    The caller of `take_changes` encodes it, writes its `changes`, and then calls `committed` or `failed`, exactly once.
    A journal calls `accepted` before `committed`.

    Attributes:
        number: Counts transactions from 1.
        records: The records that had changed; the value is `number` once a record is encoded.
    """

    def __init__(
        self,
        number: int,
        contents: Contents,
        entries: list[Entry],
        values: dict[str, bytes],
        overlay: Overlay | None,
        settle: Callable[[Transaction, BaseException | None], None],
    ) -> None:
        self._is_accepted = False
        self.number = number
        self.records, contents.dirty = contents.dirty, {}
        self.removed, contents.removed = contents.removed, {}
        self.entries, self.values = entries, values
        self._contents, self._overlay, self._settle = contents, overlay, settle
        self._rows: list[Row] = []
        self._removed_later: list[Record] = []
        self._added_again: list[tuple[str, str]] = []
        self._waiting: Iterator[Record] | None = iter(self.records)  # nothing is added to it or taken out
        contents.transaction = self

    def encode_slice(self) -> bool:
        """Encode some records, for about half a millisecond; return True if more are left."""
        size = 0
        for _ in range(SLICE_RECORDS):
            record = next(self._waiting, None) if self._waiting is not None else None
            if record is None:
                self._waiting = None
                return False
            if self.records[record] != self.number:
                size += self._encode(record)
                if size >= SLICE_BYTES:
                    break
        return True

    def encode(self) -> None:
        """Encode all records at once; for transactions that are known to be small."""
        while self.encode_slice():
            pass

    def changes(self) -> Changes:
        """Return what a backend has to write.

        Raises:
            RuntimeError: Not all records are encoded yet.
        """
        if self._waiting is not None:
            raise RuntimeError("the transaction is not encoded: call encode_slice until it returns False")
        return Changes(self._rows, list(self.removed), self.entries, list(self.values.items()))

    def accepted(self) -> None:
        """Note that the changes outlive this process, and are on disk later: the next transaction may be taken.

        The caller then calls `committed`, and keeps the records of this transaction in memory until then.
        """
        self._close()
        self._is_accepted = True

    def committed(self) -> None:
        """Note that the changes are on disk."""
        if not self._is_accepted:
            self._close()
        self._settle(self, None)

    def forget_slice(self) -> bool:
        """Let go of some records and keys of a committed transaction; return True if more are left.

        Dropping 100,000 at once would take more than 2 ms.
        """
        for _ in range(min(FORGOTTEN_RECORDS, len(self.records))):
            self.records.popitem()
        for _ in range(min(FORGOTTEN_RECORDS, len(self.removed))):
            self.removed.popitem()
        return bool(self.records or self.removed)

    def failed(self, error: BaseException) -> None:
        """Give the changes back, to be part of the next transaction."""
        self.give_back()
        self._settle(self, error)

    def give_back(self) -> None:
        """Give the records and keys back. `failed` does so, and `Store._take_back` without a failure."""
        contents = self._contents
        self._close()
        self._waiting = None
        for record in self._removed_later:
            self.records.pop(record, None)
        self.records |= contents.dirty
        contents.dirty = self.records
        for place in self._added_again:
            self.removed.pop(place, None)
        self.removed |= contents.removed
        contents.removed = self.removed

    def encode_before_change(self, record: Record) -> None:
        """Encode a record as it is now if it belongs to this transaction and is not encoded yet."""
        if self.records.get(record, self.number) != self.number:
            self._encode(record)

    def removed_later(self, record: Record) -> None:
        """Note that a record was removed after the moment.

        Records of this transaction still refer to it. If the write fails, it is not to be written any more.
        """
        self._removed_later.append(record)
        _set(record, "_is_leaving", True)

    def key_added(self, family: str, key: str) -> None:
        """Note that a new record has this key: if the write fails, its row is no longer to be deleted."""
        self._added_again.append((family, key))

    def _close(self) -> None:
        self._contents.transaction = None
        for record in self._removed_later:
            _set(record, "_is_leaving", False)

    def _encode(self, record: Record) -> int:
        contents, cls = self._contents, type(record)
        self.records[record] = self.number
        schema = schema_of(cls)
        try:
            overlay = self._overlay(cls, record.__dict__) if self._overlay is not None else None
            data = schema.encode(record, overlay)
        except Exception as error:  # noqa: BLE001  a value of any type, with any `__eq__`
            self._report(record, f"{type(error).__name__}: {error}")
            return 0
        if contents.unencodable:
            contents.unencodable.pop(record, None)
        if wrong := schema.check(data):
            self._warn(record, wrong)
        if schema.mutable:
            _set(record, "_digest", hash(data))
            if contents.watch is not None:
                contents.watch.look(record)
        owner = record.stored_with()
        if owner != record._owner:
            contents.place(record, owner)
        self._rows.append(Row(schema.family, record.key, schema.kind, schema.versions, owner, data))
        return len(data)

    def _report(self, record: Record, reason: str) -> None:
        """Log a record that cannot be saved, once for each reason."""
        if self._contents.unencodable.get(record) != reason:
            logger.error(
                "%r cannot be saved and keeps its last stored state: %s; assign values of the declared types",
                *(record, reason),
            )
        self._contents.unencodable[record] = reason

    def _warn(self, record: Record, reason: str) -> None:
        """Log a value of another type than declared, once for each class and reason."""
        if (type(record), reason) not in self._contents.mistyped:
            self._contents.mistyped[type(record), reason] = record.key
            logger.error(
                "%r is saved, and could not be loaded again: %s; assign values of the declared types", record, reason
            )
