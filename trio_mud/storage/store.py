"""The store: what a game calls to add, load, find, remove and save its records.

The world is in memory, and the database is what it was at some moment between two events; `transaction.py` says how.
Calls that are not async never wait, and take effect in memory at once.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

import msgspec
import trio

from trio_mud.errors import NotSaved, StorageError, UnreadableRecord

from .contents import Contents, checked_name
from .executor import Executor
from .finding import find
from .loading import Loader
from .record import Record
from .rows import Backend, Entry
from .schema import family_of
from .sweep import InPlaceChange, Sweep
from .transaction import Overlay, Transaction

__all__ = ["MAX_ENTRIES", "Store"]

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Args = TypeVarTuple("Args")

MAX_ENTRIES = 10_000  # log entries that wait to be written; more are dropped and counted
SAVE_TIMEOUT = 5.0  # seconds
LAST_NUMBER = "trio_mud.last_number"  # a value
VERSIONS = "trio_mud.versions"  # another: those of the record classes, as of the last start

logger = logging.getLogger("trio_mud")


class Store:
    """Records in memory and their rows in a database. Made by `open_store`.

    Attributes:
        error: Why saving fails at present; None if the last transaction was committed.
        counters: Figures since the start: transactions, failed_transactions, rows, entries, dropped_entries, not_saved,
            in_place_changes.
    """

    def __init__(
        self,
        backend: Backend,
        contents: Contents,
        execute: Executor,
        *,
        overlay: Overlay | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.error: BaseException | None = None
        self.counters: Counter[str] = Counter()
        self._backend, self._contents, self._execute = backend, contents, execute
        self._overlay, self._wall_clock = overlay, wall_clock
        self._loader = Loader(contents, overlay)
        self._sweep = Sweep(contents, overlay, self._read)
        self._values: dict[str, bytes] = {}
        self._changed_values: dict[str, bytes] = {}
        self._entries: list[Entry] = []
        self._last_entry = 0
        self._taken = self._committed = 0  # numbers of transactions
        self._savers = 0  # calls of `saved` that wait
        self._unmoved: dict[int, Entry] = {}  # log entries that wait in a journal
        self._leaving: dict[Record, int] = {}  # released, and the transaction after which they may be forgotten
        self._settled = trio.Event()
        self._wanted = trio.Event()
        self._in_place: dict[tuple[type[Record], str], InPlaceChange] = {}  # the first of each field

    # Records

    def add(self, record: R, key: str = "") -> R:
        """Store this record from now on, and return it.

        Args:
            record: Its references may be to records that are not stored; these are stored as None.
            key: At most 200 bytes; without one it gets a number, such as "#17".

        Raises:
            DuplicateKey: The key, or the value of a unique field, is in use, in memory or on disk.
            TypeError: The store was not opened with its class.
        """
        self._contents.add(record, key)
        return record

    def remove(self, record: Record) -> None:
        """Delete this record; has no effect on one that is not stored.

        References to it are stored as None. Records that are stored with it stay, and are loaded by their own keys.
        """
        self._contents.remove(record)
        self._leaving.pop(record, None)

    def get(self, cls: type[R], key: str) -> R | None:
        """Return the record with this key if it is in memory and of this class."""
        found = self._contents.get(self._family(cls), key)
        return found if isinstance(found, cls) else None

    def all(self, cls: type[R]) -> Iterator[R]:
        """Yield the records of this class that are resident or held."""
        return (record for record in list(self._contents.pinned[self._family(cls)].values()) if isinstance(record, cls))

    def changed(self, record: Record) -> None:
        """Mark a record as changed; to be called after a list, dict or set of it was changed in place."""
        if record._tracker is self._contents:
            if self._contents.watch is not None:
                self._contents.watch.assigned(record)
            self._contents.mark_dirty(record)

    async def load(self, cls: type[R], key: str) -> R | None:
        """Return the record with this key, from memory or from disk; None if there is none of this class.

        All callers get the same object. It stays in memory while any object refers to it, and longer if it is held.

        Raises:
            UnreadableRecord: Its row is quarantined.
            StorageError: The database cannot be read at present.
        """
        family = self._family(cls)
        self._check_readable(family, key)
        known = self._contents.get(family, key)  # keeps it in memory while others run
        if key in self._contents.keys[family] and known is None:
            rows = await self._ask(self._backend.read, family, key)
            # Others ran meanwhile: they may have loaded it, or removed some of it.
            contents = self._contents
            records = [
                self._loader.revive(row)
                for row in sorted(rows, key=lambda row: row.key != key)  # the owner first, for its group
                if contents.get(family, row.key) is None and row.key in contents.keys[family]
                if (family, row.key) not in contents.quarantined
            ]
            for record in records:
                if record is not None:
                    self._loader.join(record)
            self._check_readable(family, key)
        else:
            await trio.lowlevel.checkpoint()
        return self.get(cls, key)

    async def hold(self, cls: type[R], key: str) -> R | None:
        """Return the record as `load` does, and keep it in memory, with those stored with it, until it is released.

        Raises:
            UnreadableRecord: Its row is quarantined.
        """
        record = await self.load(cls, key)
        if record is None:
            return None
        self._leaving.pop(record, None)
        self._contents.holds[record] += 1
        self._contents.pin_group(record)
        if self._contents.holds[record] == 1:
            record.on_hold()
        return record

    def release(self, record: Record) -> None:
        """Undo one `hold`. After the last one the record may be forgotten, once its changes are on disk.

        It has no effect on a record that was removed meanwhile.

        Raises:
            StorageError: It is not held.
        """
        holds = self._contents.holds
        if record._tracker is None:
            return
        if holds[record] <= 0:
            raise StorageError(f"{record!r} is not held: release it once for each hold")
        holds[record] -= 1
        if holds[record] == 0:
            del holds[record]
            record.on_release()
            # Who belongs to its group is certain when all that has changed is encoded.
            self._leaving[record] = self._taken + 1 if self._contents.dirty else self._taken
            self._forget()

    async def find(self, cls: type[Record], /, **field: str | float | bool | None) -> list[str]:
        """Return the keys of the records of this class whose indexed field has this value, sorted.

        The current values count, also of records that are not saved yet. What changes while it waits may count or not.

        Raises:
            TypeError: The field has no index, or there is not exactly one field.
        """
        if len(field) != 1:
            raise TypeError("find takes exactly one field, such as find(Account, email=…)")
        ((name, value),) = field.items()
        self._family(cls)
        if name not in cls._declaration.index:
            raise TypeError(f"{cls.__name__}.{name} has no index: declare it with index=({name!r},) or unique=")
        return await find(self._contents, lambda lookup: self._ask(self._backend.find, lookup), cls, name, value)

    # Values and logs

    def value(self, name: str, default: Any = None) -> Any:
        """Return a copy of a small value that belongs to no record, such as the time of the world."""
        data = self._values.get(name)
        return default if data is None else msgspec.json.decode(data)

    def set_value(self, name: str, value: Any) -> None:
        """Store a small value of JSON's types.

        Raises:
            TypeError: It cannot be stored, or the name is no `str`.
            ValueError: The name contains a lone surrogate.
        """
        self._contents.check_open()
        name = checked_name(name)
        self._values[name] = self._changed_values[name] = msgspec.json.encode(value)

    def log(self, name: str, /, **entry: Any) -> None:
        """Append an entry to a log, such as an audit. Logs are on disk only.

        While saving fails at most `MAX_ENTRIES` wait; further ones are dropped and counted.

        Raises:
            TypeError: It cannot be stored, or the name is no `str`.
            ValueError: The name contains a lone surrogate.
        """
        self._contents.check_open()
        name = checked_name(name)
        data = msgspec.json.encode(entry)
        if len(self._entries) + len(self._unmoved) >= MAX_ENTRIES:
            self.counters["dropped_entries"] += 1
            return
        self._last_entry += 1
        self._entries.append(Entry(self._last_entry, name, self._wall_clock(), data))

    async def entries(self, name: str, last: int = 20) -> list[tuple[float, dict[str, Any]]]:
        """Return the newest entries of a log, oldest first: seconds since 1970, and the entry."""
        found = {entry.number: entry for entry in await self._ask(self._backend.entries, name, last)}
        transaction = self._contents.transaction
        waiting = [*self._unmoved.values(), *(transaction.entries if transaction is not None else ()), *self._entries]
        found |= {entry.number: entry for entry in waiting if entry.log == name}
        newest = sorted(found.values())[max(0, len(found) - last) :]
        return [(entry.at, msgspec.json.decode(entry.data)) for entry in newest]

    # Saving

    async def saved(self, within: float = SAVE_TIMEOUT) -> None:
        """Return when everything that was changed before this call is on disk.

        Then a commit that holds all of it has succeeded and was synced: no crash of the process takes it back.

        Args:
            within: Seconds to wait.

        Raises:
            NotSaved: It is not on disk yet; it stays in memory, and the store keeps retrying.
        """
        goal = self._taken + 1 if self.is_dirty else self._taken
        self._savers += 1
        try:
            with trio.move_on_after(within):
                while self._committed < goal:
                    self._wanted.set()
                    await self._settled.wait()
                await trio.lowlevel.checkpoint_if_cancelled()
                if not self._contents.unencodable:
                    return
        finally:
            self._savers -= 1
        self.counters["not_saved"] += 1
        if self._contents.unencodable:
            record, reason = next(iter(self._contents.unencodable.items()))
            raise NotSaved(f"{record!r} cannot be saved: {reason}")
        raise NotSaved(f"not on disk after {within:g} s: {self.error or 'storage is slow'}; the store keeps retrying")

    @property
    def is_dirty(self) -> bool:
        """True if something has changed that no transaction has taken yet."""
        return bool(self._contents.dirty or self._contents.removed or self._entries or self._changed_values)

    def take_changes(self) -> Transaction | None:
        """Take everything that has changed up to now, to be written by the caller; None if nothing has.

        Every writer calls this. The caller encodes the transaction, writes its changes to a backend, and then calls
        its `committed` or `failed`.

        Raises:
            StorageError: The last transaction is neither committed nor failed.
        """
        if self._contents.transaction is not None:
            raise StorageError("a transaction is open: one writer at a time, and it ends with committed or failed")
        if not self.is_dirty:
            return None
        self._taken += 1
        if self._contents.last_number != self.value(LAST_NUMBER, 0):
            self.set_value(LAST_NUMBER, self._contents.last_number)
        entries, self._entries = self._entries, []
        values, self._changed_values = self._changed_values, {}
        return Transaction(self._taken, self._contents, entries, values, self._overlay, self._settle)

    def _settle(self, transaction: Transaction, error: BaseException | None) -> None:
        if error is None:
            self._committed = transaction.number
            self.counters["transactions"] += 1
        else:
            self.counters["failed_transactions"] += 1
            self._take_back_rest(transaction)
        self.error = error
        settled, self._settled = self._settled, trio.Event()
        settled.set()
        self._forget()

    def _take_back(self, transaction: Transaction) -> None:
        """Let the changes of a transaction that was not tried to be written be part of the next one."""
        transaction.give_back()
        self._take_back_rest(transaction)

    def _take_back_rest(self, transaction: Transaction) -> None:
        self._entries = transaction.entries + self._entries
        self._changed_values = transaction.values | self._changed_values

    def _forget(self) -> None:
        """Unpin released records whose groups are certain by now."""
        for record, number in list(self._leaving.items()):
            if self._committed >= number:
                del self._leaving[record]
                self._contents.unpin_group(record)

    # Operation

    @property
    def quarantined(self) -> dict[tuple[str, str], str]:
        """Why rows could not be loaded, by family and key. They stay in the database as they are."""
        return dict(self._contents.quarantined)

    async def sweep(self) -> list[InPlaceChange]:
        """Find records with a list, dict or set that was changed in place, and mark them as changed.

        The writer calls it once a minute and logs what it finds, once for each field.
        """
        found = await self._sweep.run()
        for change in found:
            self._note_in_place(change.record, change.field)
        self.counters["in_place_changes"] += len(found)
        return found

    def _note_in_place(self, record: Record, field: str) -> None:
        self._in_place.setdefault((type(record), field), InPlaceChange(record, field))

    def _family(self, cls: type[Record]) -> str:
        try:
            family = family_of(cls)
        except AttributeError:
            raise TypeError(
                f"the store finds records by their class, such as get(Guest, key); {cls!r} is not a class of records"
            ) from None
        if family not in self._contents.keys:
            raise TypeError(f"{cls.__name__} is not among the record classes that the store was opened with")
        return family

    async def _ask(self, question: Callable[[*Args], T], *args: *Args) -> T:
        """Read from the database of a store that is open; every failure is a StorageError."""
        try:
            return await self._execute(question, *args)
        except Exception as error:
            raise StorageError(f"{self._backend.name} cannot be read at present: {error}; try again later") from error

    def _check_readable(self, family: str, key: str) -> None:
        reason = self._contents.quarantined.get((family, key))
        if reason is not None:
            raise UnreadableRecord(f"{family} {key!r} cannot be loaded: {reason}")

    async def _load_all(self, prepare: Callable[[Store], None] | None = None) -> None:
        """Load what is in memory from the start; called once, before the store is handed out."""
        self._values = await self._execute(self._backend.values)
        self._contents.last_number = self.value(LAST_NUMBER, 0)
        self._last_entry = await self._execute(self._backend.last_entry)
        await self._loader.load_residents(
            self._backend, self._execute, *(() if prepare is None else (partial(prepare, self),))
        )

    async def _read(self, family: str, key: str) -> bytes | None:
        rows = await self._ask(self._backend.read, family, key)
        return next((row.data for row in rows if row.key == key and not row.is_damaged), None)
