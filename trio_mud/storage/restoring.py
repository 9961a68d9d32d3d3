"""Restore: put a backup in the place of a database.

A backup is an SQLite file, whatever the database is. These functions block; the command line calls them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from trio_mud.errors import CannotOpenStorage

from .copies import new_name
from .database_file import copy_to, open_beside, sync_folder
from .inspection import check
from .lock import Lock
from .rows import Backend, Changes, Entry
from .sqlite import rows_of

__all__ = ["restore", "restore_into"]

CHUNK = 1000  # rows of one transaction

logger = logging.getLogger("trio_mud")


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
