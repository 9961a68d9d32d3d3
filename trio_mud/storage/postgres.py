"""PostgreSQL, for games whose data lies on a server of its own; needs the extra `postgres`.

An advisory lock keeps a second server out. A connection that is lost is opened again at the next call, and the lock
is taken again; a write whose outcome is unknown is repeated, which changes nothing more. `data` is `json` and not
`jsonb`, which would change the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .postgres_session import connect, upgrade
from .rows import FENCE, Changes, Entry, Fence, Lookup, Row, check_fence, checksum
from .sqlite import write_copy

if TYPE_CHECKING:
    import psycopg

__all__ = ["Postgres"]

CHUNK = 500  # rows
_USER = re.compile(r"(?<=://)[^?]*@")  # with the password, in which a character may be wrongly unescaped
_UPSERT = (
    "insert into rows values(%s, %s, %s, %s, %s, %s::json, %s) on conflict(family, key) do update set"
    " kind = excluded.kind, version = excluded.version, owner = excluded.owner, data = excluded.data,"
    " sum = excluded.sum"
)
_COLUMNS = "family, key, kind, version, owner, data::text, sum"


class Postgres:
    """A database on a PostgreSQL server.

    Args:
        url: Such as `postgresql://user:password@host/database`. The password may come from PGPASSWORD or PGPASSFILE.
        backups: A folder of this machine for scheduled backups; None for none.
    """

    def __init__(self, url: str, *, backups: str | Path | None = None) -> None:
        parts = urlsplit(_USER.sub("", url))
        self.name = f"postgresql://{parts.hostname or ''}{parts.path}"  # without user and password
        self.backup_folder = Path(backups) if backups is not None else None
        self._url = url
        self._is_shared = False
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self, *, shared: bool = False) -> None:
        """Connect, lock the database, and make or upgrade its tables.

        Args:
            shared: As for `Backend.open`.

        Raises:
            CannotOpenStorage: It is in use, out of reach, or of a newer layout.
        """
        try:
            self._is_shared = shared
            self._connection = connect(self._url, self.name, shared=shared)
            upgrade(self._connection, self.name)
            if not shared:
                self._connection.execute("delete from stored_values where name = %s", (FENCE,))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock and disconnect."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if not connection.broken:
                connection.execute("select pg_advisory_unlock_all()")  # the server frees it some time after the close
        finally:
            connection.close()

    def index(self, family: str, field: str) -> None:
        """Make an index of the field, over the rows of the family."""
        self._db.execute(
            f'create index if not exists "rows_{family}_{field}" on rows(({_value_of(field)}))'
            f" where family = '{family}'"
        )

    def write(self, changes: Changes) -> None:
        """Store all of it in one transaction."""
        db = self._db
        with db.transaction(), db.cursor() as cursor:
            if changes.fence is not None:
                _check(db, changes.fence)
            if changes.rows:
                cursor.executemany(_UPSERT, [(*row[:5], row.data.decode(), checksum(row)) for row in changes.rows])
            if changes.removed:
                cursor.executemany("delete from rows where family = %s and key = %s", changes.removed)
            if changes.entries:
                cursor.executemany(
                    "insert into entries values(%s, %s, %s, %s) on conflict do nothing",
                    [(entry.number, entry.log, entry.at, entry.data.decode()) for entry in changes.entries],
                )
            if changes.values:
                cursor.executemany(
                    "insert into stored_values values(%s, %s) on conflict(name) do update set data = excluded.data",
                    [(name, data.decode()) for name, data in changes.values],
                )

    def scan(self, family: str) -> Iterator[list[Row]]:
        """Yield the rows that have no owner."""
        last = ""
        while found := self._rows("owner = '' and key > %s order by key limit %s", family, last, CHUNK):
            last = found[-1].key
            yield found

    def read(self, family: str, key: str) -> list[Row]:
        """Return the row with this key and those that have it as their owner."""
        return self._rows("(key = %s or (owner = %s and owner <> ''))", family, key, key)

    def keys(self, family: str, *, owned: bool = False) -> list[str]:
        """Return all keys of the family, or only of rows that have an owner."""
        condition = " and owner <> ''" if owned else ""
        return [key for (key,) in self._db.execute(f"select key from rows where family = %s{condition}", (family,))]

    def column(self, family: str, field: str) -> list[tuple[str, str | int | float]]:
        """Return key and value of every row that stores this field."""
        found = self._db.execute(
            f"select key, {_value_of(field)}, json_typeof(data -> '{field}') from rows"
            f" where family = '{family}' and {_value_of(field)} is not null"
        )
        return [(key, _typed(text, kind)) for key, text, kind in found]

    def find(self, lookup: Lookup) -> list[str]:
        """Return the keys of the rows that match."""
        value = _value_of(lookup.field)
        matches = f"{value} = %s" if lookup.value is not None else f"{value} is null"
        bindings: list[object] = [] if lookup.value is None else [_as_text(lookup.value)]
        bindings += [[*lookup.kinds, *lookup.default_kinds], [*lookup.default_kinds]]
        found = self._db.execute(
            f"select key from rows where family = '{lookup.family}' and"
            f" (({matches} and kind = any(%s)) or ({value} is null and kind = any(%s)))",
            bindings,
        )
        return [key for (key,) in found]

    def values(self) -> dict[str, bytes]:
        """Return all values by name."""
        return {name: data.encode() for name, data in self._db.execute("select name, data from stored_values")}

    def entries(self, log: str, last: int) -> list[Entry]:
        """Return the newest entries of a log, oldest first."""
        found = self._db.execute(
            "select number, at, data from entries where log = %s order by number desc limit %s", (log, last)
        )
        return [Entry(number, log, at, data.encode()) for number, at, data in found][::-1]

    def last_entry(self) -> int:
        """Return the highest number of an entry."""
        ((number,),) = self._db.execute("select coalesce(max(number), 0) from entries")
        return int(number)

    def backup(self, path: Path) -> None:
        """Copy the database into a new SQLite file, as of one moment, over a connection of its own."""
        db = connect(self._url, self.name, locks=False)
        try:
            with db.transaction():
                db.execute("set transaction isolation level repeatable read, read only")
                write_copy(path, _parts(db))
        finally:
            db.close()

    @property
    def _db(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection; a new one if the last one was lost."""
        assert self._connection is not None, "the backend is not open"
        if self._connection.closed:
            self._connection = connect(self._url, self.name, shared=self._is_shared)
        return self._connection

    def _rows(self, condition: str, family: str, *bindings: object) -> list[Row]:
        found = self._db.execute(f"select {_COLUMNS} from rows where family = %s and {condition}", (family, *bindings))
        return [_row(values) for values in found]


def _check(db: psycopg.Connection[tuple[Any, ...]], fence: Fence) -> None:
    """Raise Superseded if the database has a greater fence; otherwise store this one. Another writer waits for it."""
    # The row must be there to be locked: of two writers that found none, both would go on.
    db.execute("insert into stored_values values(%s, '[0, 0]') on conflict do nothing", (FENCE,))
    found = db.execute("select data from stored_values where name = %s for update", (FENCE,)).fetchone()
    value = check_fence(found[0].encode() if found is not None else None, fence)
    db.execute("update stored_values set data = %s where name = %s", (value.decode(), FENCE))


def _parts(db: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Changes]:
    """Yield the content of the database, a chunk at a time, by cursors on the server."""
    with db.cursor("copy_of_rows") as cursor:
        cursor.execute(f"select {_COLUMNS} from rows")
        while found := cursor.fetchmany(CHUNK):
            yield Changes([_row(values) for values in found])
    with db.cursor("copy_of_entries") as cursor:
        cursor.execute("select number, log, at, data from entries")
        while found := cursor.fetchmany(CHUNK):
            yield Changes(entries=[Entry(number, log, at, data.encode()) for number, log, at, data in found])
    yield Changes(values=[(name, data.encode()) for name, data in db.execute("select * from stored_values")])


def _row(values: tuple[Any, ...]) -> Row:
    family, key, kind, version, owner, data, total = values
    row = Row(family, key, kind, version, owner, data.encode())
    return row if checksum(row) == total else row._replace(is_damaged=True)


def _value_of(field: str) -> str:
    """Return the SQL of a field's value as text; NULL also where PostgreSQL could not make one, because of a NUL."""
    return f"(case when strpos(data::text, '\\u0000') = 0 then data ->> '{field}' end)"


def _as_text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str, kind: str) -> str | int | float:
    if kind == "number":
        return float(text) if "." in text or "e" in text else int(text)
    return text
