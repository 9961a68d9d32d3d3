"""Backups: copies of a database by day and before upgrades; check, restore and export for operators.

A backup is an SQLite file, whatever the database is. These functions block: a server calls them in a thread.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec
import trio

from trio_mud.errors import CannotOpenStorage, StorageError, UnreadableRecord

from .catalog import Catalog
from .copies import copies, made_at, make_room, new_name
from .database_file import copy_to, integrity_problems, open_beside, sync_folder
from .lock import Lock
from .record import Record
from .rows import Backend, Changes, Entry, Row
from .schema import schema_of
from .sqlite import rows_of

__all__ = ["DAILY_AT", "KEPT_DAYS", "Report", "back_up_daily", "check", "export", "restore", "restore_into"]

DAILY_AT = dt.time(4)  # local time
KEPT_DAYS = 7
CLOCK_INTERVAL = 60.0  # seconds between two looks at the wall clock, which may be set
CHUNK = 1000  # rows of one transaction

logger = logging.getLogger("trio_mud")


@dataclass
class Report:
    """What a check has found."""

    rows: Counter[str] = field(default_factory=Counter)
    """Rows by family."""

    entries: int = 0
    problems: list[str] = field(default_factory=list)
    """One sentence each; empty if all is right."""


def check(path: Path, classes: Iterable[type[Record]] = ()) -> Report:
    """Check a database file as a whole, beside a server that may be using it.

    Args:
        path: The file.
        classes: Record classes, if it shall be checked that every row can be loaded as one of them.

    Raises:
        CannotOpenStorage: It cannot be read at all, or is no database of trio_mud.
    """
    report = Report()
    catalog = Catalog(classes)
    db = open_beside(path)
    try:
        report.problems += [f"SQLite: {problem}" for problem in integrity_problems(db)]
        for row in rows_of(db):
            report.rows[row.family] += 1
            if problem := _problem(row, catalog):
                report.problems.append(f"{row.family} {row.key!r}: {problem}")
        ((report.entries,),) = db.execute("select count(*) from entries")
    except apsw.Error as error:
        report.problems.append(f"SQLite: {error}")
    finally:
        db.close()
    return report


def restore(source: Path, path: Path) -> Path | None:
    """Put a backup in the place of a database file; return where the replaced one is, None if there was none.

    At every moment there is a whole file at `path`, the old one or the new one.

    Raises:
        CannotOpenStorage: The database is in use (status 75), or the backup is damaged; nothing was changed.
    """
    path = path.resolve()
    if problems := check(source).problems:
        raise CannotOpenStorage(f"{source} is damaged ({problems[0]}); restore another backup")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(path)
    try:
        fresh = path.with_name(f"{path.name}.restored")
        fresh.unlink(missing_ok=True)
        db = open_beside(source)
        try:
            copy_to(fresh, db)
        finally:
            db.close()
        replaced = _set_aside(path)
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        lock.release()
    return replaced


def restore_into(backend: Backend, source: Path) -> int:
    """Copy a backup into an empty database of any kind; return the number of rows.

    Raises:
        CannotOpenStorage: The backup is damaged, or the database holds records already.
    """
    if problems := check(source).problems:
        raise CannotOpenStorage(f"{source} is damaged ({problems[0]}); restore another backup")
    db = open_beside(source)
    try:
        backend.open()
        try:
            if backend.values() or backend.last_entry():
                raise CannotOpenStorage(f"{backend.name} holds records already; restore into an empty database")
            count = 0
            for rows in _chunks(rows_of(db)):
                backend.write(Changes(rows))
                count += len(rows)
            for entries in _chunks(_entries(db)):
                backend.write(Changes(entries=entries))
            backend.write(Changes(values=_values(db)))
        finally:
            backend.close()
    finally:
        db.close()
    return count


def export(path: Path, family: str = "", key: str = "") -> Iterator[str]:
    """Yield the records of a database file as lines of JSON, beside a server that may be using it.

    Args:
        path: The file.
        family: Only the records of this family.
        key: Only the record with this key, and those that are stored with it.

    Raises:
        CannotOpenStorage: It cannot be read.
    """
    db = open_beside(path)
    try:
        for row in rows_of(db):
            if (family and row.family != family) or (key and key not in (row.key, row.owner)):
                continue
            if row.is_damaged:
                raise StorageError(f"{row.family} {row.key!r} is damaged: run trio-mud check")
            line = {"family": row.family, "key": row.key, "kind": row.kind, "version": row.version, "owner": row.owner}
            yield msgspec.json.encode({**line, "fields": msgspec.Raw(row.data)}).decode()
    finally:
        db.close()


async def back_up_daily(
    backend: Backend,
    folder: Path,
    stem: str,
    *,
    wall_clock: Callable[[], float],
    at: dt.time = DAILY_AT,
    keep: int = KEPT_DAYS,
) -> None:
    """Write a backup each day at this local time, and keep the newest ones; runs until it is cancelled.

    A backup that was missed while no server ran is made at the start, if there were any before.
    """
    limiter = trio.CapacityLimiter(1)  # a thread of its own: saving goes on meanwhile
    former = copies(folder, stem, "daily")
    last = made_at(former[-1]) if former else _local(wall_clock)
    while True:
        now = _local(wall_clock)
        if _last_due(now, at) > last:
            last = now
            path = new_name(folder, stem, "daily", now)
            try:
                await trio.to_thread.run_sync(backend.backup, path, limiter=limiter, abandon_on_cancel=True)
                await trio.to_thread.run_sync(make_room, folder, stem, "daily", keep, limiter=limiter)
                logger.info("wrote the daily backup %s", path)
            except Exception as error:  # noqa: BLE001  a failing disk costs a backup, not the game
                logger.error("the daily backup failed: %s; the next one is due in a day", error)  # noqa: TRY400
        await trio.sleep(CLOCK_INTERVAL)


def _last_due(now: dt.datetime, at: dt.time) -> dt.datetime:
    due = dt.datetime.combine(now.date(), at)
    return due if due <= now else due - dt.timedelta(days=1)


def _local(wall_clock: Callable[[], float]) -> dt.datetime:
    return dt.datetime.fromtimestamp(wall_clock())


def _problem(row: Row, catalog: Catalog) -> str:
    """Return what is wrong with a row; an empty string if nothing is."""
    if row.is_damaged:
        return "damaged, its checksum does not match"
    try:
        fields: Any = msgspec.json.decode(row.data)
        if not isinstance(fields, dict):
            return "its data is no JSON object"
        if row.family in catalog.roots:
            cls = catalog.find(row.family, row.kind)
            if cls is None:
                return f"there is no record class for the kind {row.kind!r}"
            schema_of(cls).decode(row.data, row.version)
    except (UnreadableRecord, msgspec.DecodeError) as error:
        return str(error)
    return ""


def _set_aside(path: Path) -> Path | None:
    """Give the database file a second name, and take its WAL away, which would be applied to its successor."""
    if not path.exists():
        return None
    try:
        db = apsw.Connection(str(path))
        try:
            db.execute("pragma wal_checkpoint(truncate)")
        finally:
            db.close()
    except apsw.Error:
        logger.warning("%s is damaged; its last changes stay in its -wal file", path)
    replaced = new_name(path.parent, path.stem, "replaced")
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(replaced.with_name(replaced.name + suffix))
    replaced.hardlink_to(path)
    return replaced


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _entries(db: apsw.Connection) -> Iterator[Entry]:
    for number, log, at, data in db.execute("select number, log, at, cast(data as blob) from entries order by number"):
        yield Entry(number, log, at, data)


def _values(db: apsw.Connection) -> list[tuple[str, bytes]]:
    return [(name, data) for name, data in db.execute("select name, cast(data as blob) from stored_values")]
