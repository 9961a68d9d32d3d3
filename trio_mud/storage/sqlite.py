"""SQLite: one file, in WAL mode, every commit synced.

A lock file keeps a second server out. The file is checked as a whole when it is opened, and every row carries a
checksum, because SQLite does not notice a flipped bit in a value. `data` is JSON text, so `sqlite3 game.db` reads it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from trio_mud.errors import CannotOpenStorage

from .database_file import copy_to, new_file, open_beside, open_file, transaction, upgrade
from .lock import Lock
from .rows import FENCE, Changes, Entry, Fence, Lookup, Row, check_fence, checksum

if TYPE_CHECKING:
    from apsw import SQLiteValue

__all__ = ["Sqlite", "rows_of", "write_copy"]

CHUNK = 500  # rows


_UPSERT = (
    "insert into rows values(?, ?, ?, ?, ?, ?, ?) on conflict do update set kind = excluded.kind,"
    " version = excluded.version, owner = excluded.owner, data = excluded.data, sum = excluded.sum"
)
# As bytes: a damaged text that is not UTF-8 would fail the whole query. The first five as one, as they are summed.
_COLUMNS = "cast(concat_ws(char(0), family, key, kind, version, owner) as blob), cast(data as blob), sum"


class Sqlite:
    """A database in one file.

    Args:
        path: Made if there is none, and so is its folder.
        backups: The folder for scheduled backups; None for none. By default `backups` beside the file.
    """

    def __init__(self, path: str | Path, *, backups: str | Path | None = "") -> None:
        self.path = Path(path)
        self.name = str(path)
        if backups is None:
            self.backup_folder: Path | None = None
        else:
            self.backup_folder = Path(backups) if backups else self.path.resolve().parent / "backups"
        self._lock: Lock | None = None
        self._connection: apsw.Connection | None = None

    def open(self, *, shared: bool = False) -> None:
        """Lock, check and open the file.

        Args:
            shared: As for `Backend.open`.

        Raises:
            CannotOpenStorage: It is in use, damaged, of a newer layout, of another program, or out of reach.
        """
        self.path = self.path.resolve()  # one lock, whatever name it is called by
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotOpenStorage(
                f"cannot make the folder of {self.name}: {error.strerror}; name a file in a folder that can be written"
            ) from error
        self._lock = Lock(self.path, shared=shared)
        try:
            self._connection = open_file(self.path, self.backup_folder)
            if not shared:
                self._connection.execute("delete from stored_values where name = ?", (FENCE,))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file and release the lock."""
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        try:
            if connection is not None:
                connection.close()
        finally:
            if lock is not None:
                lock.release()

    def index(self, family: str, field: str) -> None:
        """Make an index of the field, over the rows of the family."""
        name = f"rows_{family}_{field}"
        self._db.execute(f"create index if not exists \"{name}\" on rows({_value_of(field)}) where family = '{family}'")

    def write(self, changes: Changes) -> None:
        """Store all of it in one transaction, synced."""
        with transaction(self._db) as db:
            if changes.fence is not None:
                _check(db, changes.fence)
            _write(db, changes)

    def scan(self, family: str) -> Iterator[list[Row]]:
        """Yield the rows that have no owner."""
        last = b""
        while True:
            found = self._rows("owner = '' and key > cast(? as text) order by key limit ?", family, last, CHUNK)
            if not found:
                return
            last = found[-1].key.encode("utf-8", "surrogateescape")
            yield found

    def read(self, family: str, key: str) -> list[Row]:
        """Return the row with this key and those that have it as their owner."""
        return self._rows("(key = ? or (owner = ? and owner <> ''))", family, key, key)

    def keys(self, family: str, *, owned: bool = False) -> list[str]:
        """Return all keys of the family, or only of rows that have an owner."""
        condition = " and owner <> ''" if owned else ""
        found = self._db.execute(f"select cast(key as blob) from rows where family = ?{condition}", (family,))
        return [_text(key) for (key,) in found]

    def column(self, family: str, field: str) -> list[tuple[str, str | int | float]]:
        """Return key and value of every row that stores this field."""
        value = _value_of(field)
        found = self._db.execute(
            f"select cast(key as blob), {value} from rows where family = '{family}' and {value} is not null"
        )
        return [(_text(key), value) for key, value in found if isinstance(value, str | int | float)]

    def find(self, lookup: Lookup) -> list[str]:
        """Return the keys of the rows that match."""
        value = _value_of(lookup.field)
        kinds = (*lookup.kinds, *lookup.default_kinds)
        bindings: list[SQLiteValue] = [*kinds]
        condition = f"kind in ({', '.join('?' * len(kinds))})"
        bindings.append(lookup.value)
        if lookup.default_kinds:
            absent = f"{value} is null and kind in ({', '.join('?' * len(lookup.default_kinds))})"
            condition += f" and ({value} is ? or ({absent}))"
            bindings += lookup.default_kinds
        else:
            condition += f" and {value} is ?"
        found = self._db.execute(
            f"select cast(key as blob) from rows where family = '{lookup.family}' and {condition}",
            bindings,
        )
        return [_text(key) for (key,) in found]

    def values(self) -> dict[str, bytes]:
        """Return all values by name."""
        found = self._db.execute("select cast(name as blob), cast(data as blob) from stored_values")
        return {_text(name): _bytes(data) for name, data in found}

    def entries(self, log: str, last: int) -> list[Entry]:
        """Return the newest entries of a log, oldest first."""
        found = self._db.execute(
            "select number, at, cast(data as blob) from entries where log = ? order by number desc limit ?", (log, last)
        )
        return [Entry(number, log, at, data) for number, at, data in found][::-1]

    def last_entry(self) -> int:
        """Return the highest number of an entry."""
        ((number,),) = self._db.execute("select coalesce(max(number), 0) from entries")
        assert isinstance(number, int)
        return number

    def backup(self, path: Path) -> None:
        """Copy the database into a new file as of one moment, by SQLite's online backup."""
        source = open_beside(self.path)  # a connection of its own: the writer goes on
        try:
            copy_to(path, source)
        finally:
            source.close()

    @property
    def _db(self) -> apsw.Connection:
        assert self._connection is not None, "the backend is not open"
        return self._connection

    def _rows(self, condition: str, family: str, *bindings: SQLiteValue) -> list[Row]:
        found = self._db.execute(f"select {_COLUMNS} from rows where family = ? and {condition}", (family, *bindings))
        return [_row(values) for values in found]


def rows_of(db: apsw.Connection) -> Iterator[Row]:
    """Yield every row of an open database."""
    for values in db.execute(f"select {_COLUMNS} from rows order by family, key"):
        yield _row(values)


def write_copy(path: Path, parts: Iterable[Changes]) -> None:
    """Write these into a new database file, which appears when it is whole.

    Raises:
        CannotOpenStorage: The file exists, or cannot be written.
    """
    with new_file(path) as db:
        upgrade(db)
        for changes in parts:
            with transaction(db):
                _write(db, changes)


def _check(db: apsw.Connection, fence: Fence) -> None:
    """Raise Superseded if the file has a greater fence; otherwise store this one."""
    found = db.execute("select cast(data as blob) from stored_values where name = ?", (FENCE,)).fetchone()
    value = check_fence(_bytes(found[0]) if found is not None else None, fence)
    _write(db, Changes(values=[(FENCE, value)]))


def _write(db: apsw.Connection, changes: Changes) -> None:
    db.executemany(_UPSERT, ((*row[:5], row.data.decode(), checksum(row)) for row in changes.rows))
    db.executemany("delete from rows where family = ? and key = ?", changes.removed)
    db.executemany(
        "insert into entries values(?, ?, ?, ?) on conflict do nothing",
        ((entry.number, entry.log, entry.at, entry.data.decode()) for entry in changes.entries),
    )
    db.executemany(
        "insert into stored_values values(?, ?) on conflict do update set data = excluded.data",
        ((name, data.decode()) for name, data in changes.values),
    )


def _row(values: tuple[SQLiteValue, ...]) -> Row:
    head, data, total = values
    assert isinstance(head, bytes)
    if isinstance(data, bytes) and zlib.crc32(data, zlib.crc32(head)) == total:
        family, key, kind, version, owner = head.decode().split("\0")
        return Row(family, key, kind, version, owner, data)
    family, key, kind, version, owner = (*head.decode("utf-8", "surrogateescape").split("\0"), "", "", "", "", "")[:5]
    return Row(family, key, kind, version, owner, b"", is_damaged=True)


def _value_of(field: str) -> str:
    """Return the SQL of a field's value; NULL also for a damaged row."""
    return f"iif(json_valid(data), data ->> '$.\"{field}\"', null)"


def _text(value: SQLiteValue) -> str:
    return _bytes(value).decode("utf-8", "surrogateescape")


def _bytes(value: SQLiteValue) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
