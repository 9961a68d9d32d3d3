"""The contents of a store in memory: which records there are, which have changed, and who holds them.

A record is *pinned* if it is in memory for good: it is resident, or held. Any other one is *loose*: the contents find
it only while other objects refer to it, or it has changes that are not on disk. So a record that can still be changed
is always the one that is saved.

Records that are stored with an owner form its *group*. They refer to their group, so that one of them in memory keeps
all of them there.

The store and the transactions use it; a record reports its changes to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from trio_mud.errors import DuplicateKey, StorageError
from trio_mud.text.cleaning import exact

from .record import Record
from .rows import Entry
from .schema import family_of, schema_of
from .unique import UniqueValues
from .watching import InPlaceWatch

if TYPE_CHECKING:
    from .catalog import Catalog

__all__ = ["MAX_KEY", "Contents", "OpenTransaction"]

MAX_KEY = 200  # bytes in UTF-8

_set = object.__setattr__
_Group = dict[Record, None]


class OpenTransaction(Protocol):
    """A transaction that is being encoded or written."""

    records: dict[Record, int]
    entries: list[Entry]

    def encode_before_change(self, record: Record) -> None:
        """Called before a record changes."""

    def removed_later(self, record: Record) -> None:
        """Called when a record is removed."""

    def key_added(self, family: str, key: str) -> None:
        """Called after a new record was added."""


class Contents:
    """The records in memory, and those of them that are not on disk yet.

    Attributes:
        dirty: Records that have changed since they were last taken for a transaction. Their values are for the
            transaction, which notes there what it has encoded.
        is_closed: True if nothing is written any more.
        removed: Family and key of rows to delete with the next transaction.
        transaction: The transaction that is being encoded or written.
        keys: Keys in use by family: in memory, on disk or quarantined.
        unique: Values of unique fields, and which record has each.
        quarantined: Reasons why rows could not be loaded, by family and key.
        last_number: The highest number given out as a key.
        unencodable: Reasons why records could not be saved, by record.
        watch: Of a strict store.
        world: The object that a game has for all its records together; a record finds it through its tracker.
        mistyped: Keys of the first records whose values were not of their declared types, by class and reason.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.dirty: dict[Record, int] = {}
        self.is_closed = False
        self.world: Any = None
        self.watch: InPlaceWatch | None = None
        self.removed: dict[tuple[str, str], None] = {}
        self.transaction: OpenTransaction | None = None
        self.keys: dict[str, set[str]] = {family: set() for family in catalog.roots}
        self.quarantined: dict[tuple[str, str], str] = {}
        self.unencodable: dict[Record, str] = {}
        self.mistyped: dict[tuple[type[Record], str], str] = {}
        self.unique = UniqueValues(catalog)
        self.holds: Counter[Record] = Counter()
        self.pinned: dict[str, dict[str, Record]] = {family: {} for family in catalog.roots}
        self._loose: dict[str, WeakValueDictionary[str, Record]] = {
            family: WeakValueDictionary() for family in catalog.roots
        }
        self.last_number = 0
        # Keys of resident families in an order that can be walked. A key that was removed keeps its place in the list
        # until the next walk, or until it is used again, so each is there once.
        self._order: dict[str, list[str]] = {family: [] for family in catalog.roots if catalog.is_resident(family)}
        self._freed: dict[str, set[str]] = {family: set() for family in self._order}

    # Reading

    def get(self, family: str, key: str) -> Record | None:
        """Return the record if it is in memory."""
        found = self.pinned[family].get(key)
        return found if found is not None else self._loose[family].get(key)

    def in_memory(self, family: str) -> Iterator[Record]:
        """Yield every record of a family that can change now: pinned ones, then loose ones."""
        yield from list(self.pinned[family].values())
        yield from list(self._loose[family].values())

    def walk(self, family: str) -> Iterator[Record | None]:
        """Yield every record of a family that is in memory, and None for others; records may come and go meanwhile.

        No step looks at more than one record, except of families that are not resident, of which few are in memory:
        a copy of 100,000 records would hold up the others for 2 ms.
        """
        order = self._order.get(family)
        if order is None:
            yield from self.in_memory(family)
            return
        freed, index = self._freed[family], 0
        while index < len(order):
            key = order[index]
            if key not in freed:
                index += 1
                yield self.get(family, key)
                continue
            freed.discard(key)
            last = order.pop()
            if index < len(order):
                order[index] = last
            yield None

    # Reports of records

    def mark_dirty(self, record: Record) -> None:
        """Note that the record is about to change; a transaction that is not encoded yet still gets it as it is."""
        if record in self.dirty:
            return
        self.check_open()
        if self.transaction is not None:
            self.transaction.encode_before_change(record)
        self.dirty[record] = 0

    def check_open(self) -> None:
        """Raise if the block of the store was left, so that no change is lost in silence."""
        if self.is_closed:
            raise StorageError("the store is closed, and changes would be lost: change records inside its block")

    def check_assignment(self, record: Record, name: str, value: object) -> None:
        """Raise if a guarded field may not have this value."""
        if name == "key":
            raise AttributeError(f"{record!r} is stored under its key, which cannot change: add a new record instead")
        if record._dangling and name in record._dangling:
            _set(record, "_dangling", {field: key for field, key in record._dangling.items() if field != name} or None)
        self.unique.claim(record, name, value)
        if self.watch is not None:
            if self.transaction is not None:
                self.transaction.encode_before_change(record)  # so that the assignment is noted for the next one
            self.watch.assigned(record, name)

    # Coming and going

    def add(self, record: Record, key: str) -> None:
        """Take in a new record."""
        self.check_open()
        family = self._family(record)
        if record._tracker is not None:
            raise DuplicateKey(f"{record!r} is stored already")
        key = key or record.key or self._new_key(family)
        key = _checked_key(key)
        if key in self.keys[family]:
            raise DuplicateKey(f"{family} {key!r} exists already; choose another key")
        self.unique.check_all(record)
        _set(record, "key", key)
        self.unique.claim_all(record)
        self.take_keys(family, (key,))
        self.removed.pop((family, key), None)
        if self.transaction is not None:
            self.transaction.key_added(family, key)
        _set(record, "_tracker", self)
        if self.watch is not None:
            self.watch.attach(record)
        self.dirty[record] = 0
        self.place(record, record.stored_with())
        record.on_attach()

    def remove(self, record: Record) -> None:
        """Let a record go, and its row with the next transaction; has no effect on one that is not stored."""
        if record._tracker is not self:
            return
        self.check_open()
        family, key = family_of(type(record)), record.key
        if self.transaction is not None:
            self.transaction.encode_before_change(record)  # it is of the moment before
            self.transaction.removed_later(record)
        self.dirty.pop(record, None)
        self.unencodable.pop(record, None)
        self.holds.pop(record, None)
        self._unplace(record)
        self.keys[family].discard(key)
        if family in self._freed:
            self._freed[family].add(key)
        self.unique.release_all(record)
        self.removed[family, key] = None
        _set(record, "_tracker", None)
        record.on_detach()

    def enter(self, record: Record, owner: str) -> None:
        """Take in a record that was loaded; the caller sets its references."""
        _set(record, "_tracker", self)
        if self.watch is not None:
            self.watch.attach(record)
        family = family_of(type(record))
        self.take_keys(family, (record.key,))
        self.unique.claim_loaded(record)
        if not owner and self.catalog.is_resident(family):
            self.pinned[family][record.key] = record  # most are; `place` would come to the same
        else:
            self.place(record, owner)

    # Pinned or loose

    def place(self, record: Record, owner: str) -> None:
        """Pin the record, or put it into the group of its owner."""
        family = family_of(type(record))
        self._unplace(record)
        if owner != record._owner:
            _set(record, "_owner", exact(owner))
        if owner:
            self._join_group(record, owner)
        is_pinned = self.catalog.is_resident(family) if not owner else False
        holder = self.get(family, owner) if owner and owner != record.key else record
        if is_pinned or (holder is not None and self.holds[holder] > 0):
            self.pinned[family][record.key] = record
        else:
            self._loose[family][record.key] = record

    def pin_group(self, record: Record) -> None:
        """Pin a record and its group."""
        for member in self._group(record):
            self.pinned[family_of(type(member))][member.key] = member

    def unpin_group(self, record: Record) -> None:
        """Let a record and its group be forgotten, once unreferenced and saved."""
        for member in self._group(record):
            family = family_of(type(member))
            if member._tracker is self and (member._owner or not self.catalog.is_resident(family)):
                self.pinned[family].pop(member.key, None)
                self._loose[family][member.key] = member

    def _group(self, record: Record) -> list[Record]:
        group: _Group = record.__dict__.get("_group") or {}
        return [record, *(member for member in group if member is not record)]

    def _join_group(self, record: Record, owner: str) -> None:
        leader = record if owner == record.key else self.get(family_of(type(record)), owner)
        group: _Group | None = leader.__dict__.get("_group") if leader is not None else None
        if group is None:
            group = {}
            if leader is not None:
                group[leader] = None
                _set(leader, "_group", group)
        group[record] = None
        _set(record, "_group", group)

    def _unplace(self, record: Record) -> None:
        family = family_of(type(record))
        self.pinned[family].pop(record.key, None)
        self._loose[family].pop(record.key, None)
        group: _Group | None = record.__dict__.get("_group")
        if group is not None and record._owner != record.key:  # a leader keeps its group
            group.pop(record, None)
            _set(record, "_group", None)

    # Keys

    def take_keys(self, family: str, keys: Iterable[str]) -> None:
        """Note that these keys are in use, on disk or in memory."""
        known, order = self.keys[family], self._order.get(family)
        for key in keys:
            if key in known:
                continue
            known.add(key)
            if order is None:
                continue
            if key in self._freed[family]:
                self._freed[family].discard(key)
            else:
                order.append(key)

    def _family(self, record: Record) -> str:
        if not isinstance(record, Record):
            raise TypeError(f"the store takes a record, such as add(Guest(), key), not {record!r}")
        family = family_of(type(record))
        if family not in self.keys or self.catalog.find(family, schema_of(type(record)).kind) is None:
            raise TypeError(f"{type(record).__name__} is not among the record classes that the store was opened with")
        return family

    def _new_key(self, family: str) -> str:
        while f"#{self.last_number + 1}" in self.keys[family]:
            self.last_number += 1
        self.last_number += 1
        return f"#{self.last_number}"


def _checked_key(key: str) -> str:
    """Return a key as an exact `str`; raise an error for what a database cannot store as one."""
    if not isinstance(key, str):
        raise TypeError(f"a key is a str, not a {type(key).__name__} ({key!r}): pass str(key)")
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"the key {key!r} is no text that can be stored") from error
    if size > MAX_KEY or "\0" in key:
        raise ValueError(f"the key {key[:MAX_KEY]!r} is longer than {MAX_KEY} bytes or holds a NUL; choose another one")
    return exact(key)


def checked_name(name: str) -> str:
    """Return the name of a log or a value as an exact `str`; raise an error for what a database cannot store as one."""
    if not isinstance(name, str):
        raise TypeError(f"a name is a str, not a {type(name).__name__} ({name!r}): pass str(name)")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name {name!r} is no text that can be stored") from error
    return exact(name)
