"""PostgreSQL, for games whose data lies on a server of its own; needs the extra `postgres`.

An advisory lock keeps a second server out. A connection that is lost is opened again at the next call, and the lock
is taken again; a write whose outcome is unknown is repeated, which changes nothing more. `data` is `json` and not
`jsonb`, which would change the text.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import urlsplit

from trio_mud.errors import CannotOpenStorage

from .lock import IN_USE
from .rows import Changes, Entry, Lookup, Row, checksum
from .sqlite import write_copy

if TYPE_CHECKING:
    import psycopg

__all__ = ["LAYOUTS", "Postgres"]

CHUNK = 500  # rows
CONNECT_TIMEOUT = 10  # seconds
SILENCE = 15_000  # milliseconds until a server that does not answer counts as lost
LOCK_PATIENCE = 3.0  # seconds
LOCK_INTERVAL = 0.1  # seconds between two tries
LOCK: Final = 0x74726D75  # "trmu"

LAYOUTS: list[tuple[str, ...]] = [
    (
        "create table rows(family text, key text, kind text, version text, owner text, data json, sum bigint,"
        " primary key(family, key))",
        "create index rows_by_owner on rows(family, owner) where owner <> ''",
        "create table entries(number bigint primary key, log text, at float8, data text)",
        "create index entries_by_log on entries(log, number)",
        "create table stored_values(name text primary key, data text)",
    ),
]
"""The statements that lead from each layout of the database to the next one."""

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
        parts = urlsplit(url)
        self.name = f"postgresql://{parts.hostname or ''}{parts.path}"  # without user and password
        self.backup_folder = Path(backups) if backups is not None else None
        self._url = url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self) -> None:
        """Connect, lock the database, and make or upgrade its tables.

        Raises:
            CannotOpenStorage: It is in use, out of reach, or of a newer layout.
        """
        try:
            self._connection = self._connect()
            self._upgrade()
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
        db = self._connect(locks=False)
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
            self._connection = self._connect()
        return self._connection

    def _connect(self, *, locks: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            import psycopg
        except ImportError as error:
            raise CannotOpenStorage("PostgreSQL needs psycopg: pip install 'trio-mud[postgres]'") from error
        try:
            db = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT,
                tcp_user_timeout=SILENCE,
                application_name=f"trio-mud {os.getpid()} on {socket.gethostname()}",
            )
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CannotOpenStorage(f"cannot reach {self.name}: {reason}", IN_USE) from error
        try:
            db.execute("set synchronous_commit = on")
            if locks:
                self._lock(db)
        except BaseException:
            db.close()
            raise
        return db

    def _lock(self, db: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Take the lock; wait a little for the session of a process that was just killed to end."""
        give_up_at = time.monotonic() + LOCK_PATIENCE
        while not _first(db, "select pg_try_advisory_lock(%s)", LOCK):
            if time.monotonic() > give_up_at:
                holder = _first(
                    db,
                    "select application_name from pg_locks join pg_stat_activity using(pid)"
                    " where locktype = 'advisory' and granted and classid = 0 and objid = %s"
                    " and pg_locks.database = (select oid from pg_database where datname = current_database())",
                    LOCK,
                )
                raise CannotOpenStorage(
                    f"{self.name} is in use by {holder or 'another server'}; stop it, or name another database", IN_USE
                )
            time.sleep(LOCK_INTERVAL)

    def _upgrade(self) -> None:
        import psycopg

        try:
            with self._db.transaction():
                self._make_tables(self._db)
        except psycopg.Error as error:
            reason = str(error).splitlines()[0]
            raise CannotOpenStorage(f"cannot make the tables of {self.name}: {reason}; nothing was changed") from error

    def _make_tables(self, db: psycopg.Connection[tuple[Any, ...]]) -> None:
        db.execute("create table if not exists layout(number int)")
        found = db.execute("select number from layout").fetchone()
        layout = found[0] if found else 0
        if layout > len(LAYOUTS):
            raise CannotOpenStorage(
                f"{self.name} was written by a newer trio_mud (layout {layout}, this one knows {len(LAYOUTS)}); run the"
                " newer one, or restore a backup from before"
            )
        for statements in LAYOUTS[layout:]:
            for statement in statements:
                db.execute(statement)
        if layout != len(LAYOUTS):
            db.execute("delete from layout")
            db.execute("insert into layout values(%s)", (len(LAYOUTS),))

    def _rows(self, condition: str, family: str, *bindings: object) -> list[Row]:
        found = self._db.execute(f"select {_COLUMNS} from rows where family = %s and {condition}", (family, *bindings))
        return [_row(values) for values in found]


def _first(db: psycopg.Connection[tuple[Any, ...]], query: LiteralString, value: object) -> Any:
    """Return the first value of the first row; None if there is no row."""
    row = db.execute(query, (value,)).fetchone()
    return row[0] if row else None


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
