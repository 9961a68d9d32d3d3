"""A journal: changes that outlive the process before they are in the database, and their way into it.

The world of a split server uses it: its cluster link holds the journal. A server in one process has none.

Theory of operation
-------------------
The changes of one moment go through these places:

    taken ──held──► flying ──accepted──► waiting ──the mover──► in the database ──held──► forgotten

`take` takes what has changed up to this moment, and `held` returns it as the commit of this moment has to hold it. The
changes fly until that commit has succeeded: no part of them may be in the database before, since the acknowledgement of
the line that caused them is in the same commit. Then they wait for the mover, which writes all of them at once. The
next commit removes what is in the database from the cluster link, unless it has changed again.

A later change of a row replaces the one that waits. So however long the database fails, what waits is bounded by the
records there are. The store keeps its rule that a record whose changes are not on disk is in memory: the journal refers
to it until then.

A new server first writes what its predecessors have left. That raises the fence of the database, so from then on a
predecessor that still runs can write nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec
import trio

from trio_mud.errors import Superseded

from .executor import Executor
from .record import Record
from .rows import FENCE, Backend, Changes, Entry, Fence, Row
from .store import Store
from .transaction import Transaction
from .writer import Writer, write_freeing

__all__ = ["ChangeJournal", "Held", "Mover"]

Held = dict[bytes, bytes | None]
"""Changes of what a cluster link holds, by key; None removes a key."""

SLICE = 500  # changes between two checkpoints
LONGEST_LOOK = 0.5  # seconds for which a claim waits for the database, less than another world leaves for it
ALONE = 2**53 - 1  # the number in a fence from which everything that was committed is in the database; exact in JSON


class _Value(NamedTuple):
    name: str
    data: bytes


_Item = Row | Entry | _Value | tuple[str, str]  # the last is the place of a deleted row

logger = logging.getLogger("trio_mud")


class _Part:
    """Changes that are at one place of their way, the latest of each row, entry and value.

    Attributes:
        items: The changes, by the key under which a cluster link holds them.
        records: The records of the rows, so that they stay in memory.
        last: The last transaction that is a part of it.
    """

    def __init__(self) -> None:
        self.items: dict[bytes, _Item] = {}
        self.records: dict[Record, int] = {}
        self.last: Transaction | None = None

    def add_part(self, later: _Part) -> None:
        """Add the changes of a later part."""
        self.items |= later.items
        self.records |= later.records
        self.last = later.last or self.last

    def changes(self, fence: Fence) -> Changes:
        """Return what a backend has to write."""
        rows, removed, entries, values = list[Row](), list[tuple[str, str]](), list[Entry](), list[tuple[str, bytes]]()
        for item in self.items.values():
            match item:
                case Row():
                    rows.append(item)
                case Entry():
                    entries.append(item)
                case _Value():
                    values.append((item.name, item.data))
                case _:
                    removed.append(item)
        return Changes(rows, removed, entries, values, fence)


class ChangeJournal:
    """The changes of one store that are not in the database.

    Attributes:
        store: The store, once it is open; None before.
        wanted: Called when there is something to commit that no event may cause. Set by the one who commits.
        ending: Called before the last commit; it may change records. Set by the game.
        is_bound: True while changes are committed. If that ends without a last commit it stays True, and nothing more
            is written to the database; otherwise later changes are written to the database alone. `release` ends it.
    """

    def __init__(self) -> None:
        self.store: Store | None = None
        self.wanted: Callable[[], object] = lambda: None
        self.ending: Callable[[], object] = lambda: None
        self.is_bound = False
        self._fence = Fence(0, 0)
        self._transaction: Transaction | None = None  # taken, and perhaps not encoded
        self._flying: _Part | None = None
        self._waiting = _Part()
        self._moving: _Part | None = None
        self._alone: set[bytes] = set()  # what waits, or is moving, and no commit holds
        self._obsolete: Held = {}  # held, and in the database
        self._values: Callable[[], Awaitable[dict[str, bytes]]] | None = None  # those of the database, once it is open

    # Called by the one who commits

    def begin(self, epoch: int, left: Mapping[bytes, bytes]) -> None:
        """Begin an epoch. In a later one of the same server, everything that is not in the database is held again.

        Args:
            epoch: Greater than that of every earlier server.
            left: The present content of the cluster link. Keys of others are ignored.
        """
        self._fence = Fence(epoch, 0)
        left = {key: value for key, value in left.items() if key[:1] in (b"r", b"e", b"v")}
        self._obsolete = dict.fromkeys(left)
        if self.store is None:  # what an earlier claim has found is not in the database yet, and may be lost there
            self._waiting.items |= {key: _item_of(key, value) for key, value in left.items()}
            return
        for part in (self._moving, self._waiting):  # what flies is in the next commit anyway
            if part is not None:
                self._obsolete |= _encoded(part)

    @property
    def has_news(self) -> bool:
        """True if there is something to commit."""
        return bool(self._obsolete or self._flying or (self.store is not None and self.store.is_dirty))

    def take(self) -> None:
        """Take all changes up to this moment, also those that were taken before and not accepted."""
        if self.store is not None:
            self.refused()
            self._transaction = self.store.take_changes()

    async def held(self) -> Held:
        """Return what the commit of that moment changes of what is held, encoded in slices."""
        await self._encode_taken()
        obsolete, self._obsolete = self._obsolete, {}
        parts = [part for part in (self._moving, self._waiting) if part is not None]
        held = {
            key: value
            for key, value in obsolete.items()
            if value is not None or not any(key in part.items for part in parts)
        }
        if self._flying is not None:
            for count, (key, item) in enumerate(self._flying.items.items(), 1):
                held[key] = _encode(item)
                if count % SLICE == 0:
                    await trio.lowlevel.checkpoint()
        return held

    def accepted(self, number: int) -> None:
        """Note that the commit has succeeded: its changes may be written to the database."""
        if self._flying is not None:
            self._alone -= self._flying.items.keys()
        self._let_wait(number)

    def _let_wait(self, number: int) -> None:
        # What was written without a commit has counted, too.
        self._fence = Fence(self._fence.epoch, max(number, self._fence.number + 1))
        flying, self._flying = self._flying, None
        if flying is None:
            return
        assert self.store is not None, "it flies"
        assert self._transaction is not None, "it flies"
        self._transaction.accepted()
        self._transaction = None
        self._waiting.add_part(flying)
        self.store._unmoved |= {item.number: item for item in flying.items.values() if isinstance(item, Entry)}
        if self.store._savers:
            self.store._wanted.set()

    def refused(self) -> None:
        """Note that the commit has failed: its changes are a part of what is taken next.

        The next commit has the acknowledgements of later lines too, and so it must have what these have changed.
        """
        transaction, self._transaction, self._flying = self._transaction, None, None
        if transaction is not None:
            assert self.store is not None, "it was taken"
            self.store._take_back(transaction)

    def release(self) -> None:
        """Note that no commit follows the last one: later changes are in the database alone, with all before them."""
        self.is_bound = False
        self._fence = Fence(self._fence.epoch, ALONE)

    async def is_superseded(self) -> bool:
        """Return True if a later server has opened the database: this one must not begin another epoch.

        Also if the cluster link has lost its data and knows of neither. False if the database cannot be read in time.
        """
        if self._values is None or self.store is None or self.store._contents.is_closed:
            return False
        values: dict[str, bytes] = {}
        try:
            with trio.move_on_after(LONGEST_LOOK):
                values = await self._values()
        except Exception as error:  # noqa: BLE001  a disk or a database may raise anything
            logger.warning("cannot see in the database whether another world has served: %s", error)
        fence = values.get(FENCE)
        return fence is not None and msgspec.json.decode(fence, type=Fence).epoch > self._fence.epoch

    # Called by `open_store`

    async def recover(self, backend: Backend, execute: Executor) -> None:
        """Write what earlier servers have left, and keep them from writing. The database was just opened.

        Raises:
            Superseded: A later server has done so.
        """
        left, self._waiting = self._waiting, _Part()
        if left.items:
            fence = (await execute(backend.values)).get(FENCE)
            if fence is None:
                logger.error(
                    "%d changes of an earlier world are dropped: %s was written by another server since, or was "
                    "replaced",
                    *(len(left.items), backend.name),
                )
                left.items.clear()
            elif msgspec.json.decode(fence, type=Fence).number >= ALONE:
                left.items.clear()  # the database has them, and perhaps later ones
        await execute(write_freeing, backend, left.changes(self._fence))
        self._values = partial(execute, backend.values)

    # Called by the mover

    def _begin_move(self) -> Changes | None:
        """Return what waits; None if nothing does."""
        if not self._waiting.items and self._waiting.last is None:
            return None
        self._moving, self._waiting = self._waiting, _Part()
        return self._moving.changes(self._fence)

    def _end_move(self, *, is_moved: bool) -> None:
        moving, self._moving = self._moving, None
        assert moving is not None, "it was begun"
        assert self.store is not None, "it was begun"
        if not is_moved:
            moving.add_part(self._waiting)
            self._waiting = moving
            return
        self._obsolete |= dict.fromkeys(key for key in moving.items if key not in self._waiting.items)
        self._alone -= moving.items.keys() - self._waiting.items.keys()
        for item in moving.items.values():
            if isinstance(item, Entry):
                self.store._unmoved.pop(item.number, None)
        if moving.last is not None:
            moving.last.committed()
        self.wanted()

    async def _take_rest(self) -> None:
        """Take changes that no commit will hold, unless commits begin meanwhile: the first one takes them, too."""
        self.take()
        transaction = self._transaction
        await self._encode_taken()
        if self._transaction is transaction:
            if self._flying is not None:
                self._alone |= self._flying.items.keys()
            self._let_wait(self._fence.number + 1)

    async def _encode_taken(self) -> None:
        """Encode what was taken, in slices."""
        transaction = self._transaction
        if transaction is None or self._flying is not None:
            return
        part = await _part_of(transaction)
        if self._transaction is transaction:  # otherwise it was given back
            self._flying = part


class Mover(Writer):
    """Writes the changes of a journal to a backend, until it is closed: in place of a writer."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        execute: Executor,
        journal: ChangeJournal,
        *,
        interval: float,
        cleanup: float,
    ) -> None:
        super().__init__(store, backend, execute, interval=interval, cleanup=cleanup)
        self._journal = journal
        self._is_superseded = False

    def _has_finished(self) -> bool:
        journal = self._journal
        if self._is_superseded or journal.is_bound:
            return True  # another server has the changes that were committed, and others must not be written
        return not (self._store.is_dirty or journal._waiting.items)

    def lost(self) -> int:
        """Return the number of changes that are neither in the database nor held by the cluster link."""
        return 0 if self._is_superseded else len(self._journal._alone)

    async def write(self) -> bool:
        """Write everything that waits in one transaction; return False if that failed."""
        journal, store = self._journal, self._store
        if store.is_dirty:
            if journal.is_bound:
                journal.wanted()
            else:
                await journal._take_rest()
        changes = None if self._is_superseded else journal._begin_move()
        if changes is None:
            return True
        rows, entries, is_moved = len(changes.rows), len(changes.entries), False
        try:
            await self._execute(write_freeing, self._backend, changes)
            is_moved = True
        except Superseded as error:
            self._is_superseded = True
            logger.error("cannot save to %s: %s", self._backend.name, error)  # noqa: TRY400 - not a bug
            return False
        except Exception as error:  # noqa: BLE001  a disk or a database may raise anything
            store.counters["failed_transactions"] += 1
            store.error = error
            self._failed(error)
            return False
        finally:
            journal._end_move(is_moved=is_moved)
        store.counters.update(rows=rows, entries=entries)
        store.error = None
        self._succeeded()
        return True


async def _part_of(transaction: Transaction) -> _Part:
    """Return a transaction as a part, encoded and gathered in slices."""
    while transaction.encode_slice():
        await trio.lowlevel.checkpoint()
    part, changes = _Part(), transaction.changes()
    part.items |= {_row_key(place): place for place in changes.removed}
    for count, row in enumerate(changes.rows, 1):
        part.items[_row_key(row[:2])] = row
        if count % SLICE == 0:
            await trio.lowlevel.checkpoint()
    part.items |= {b"e%d" % entry.number: entry for entry in changes.entries}
    part.items |= {b"v" + name.encode(): _Value(name, data) for name, data in changes.values}
    part.records = transaction.records
    part.last = transaction
    return part


def _encoded(part: _Part) -> Held:
    """Return changes as a cluster link holds them."""
    return {key: _encode(item) for key, item in part.items.items()}


def _encode(item: _Item) -> bytes:
    if isinstance(item, Row | Entry):
        return msgspec.msgpack.encode(item)
    return item.data if isinstance(item, _Value) else b""


def _item_of(key: bytes, value: bytes) -> _Item:
    """Return the change that is held as this value."""
    if key[:1] == b"e":
        return msgspec.msgpack.decode(value, type=Entry)
    if key[:1] == b"v":
        return _Value(key[1:].decode(), value)
    if value:
        return msgspec.msgpack.decode(value, type=Row)
    family, _, name = key[1:].decode().partition("\0")
    return (family, name)


def _row_key(place: tuple[str, ...]) -> bytes:
    return f"r{place[0]}\0{place[1]}".encode()
