"""The SQLite file itself: opened and checked, upgraded, read beside a server, copied.

Nothing is written to a file before all of it was found right: it may be all that is left of a game.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from trio_mud.errors import CannotOpenStorage

from .copies import make_room, new_name
from .lock import IN_USE

__all__ = [
    "APPLICATION_ID",
    "LAYOUTS",
    "copy_to",
    "integrity_problems",
    "new_file",
    "open_beside",
    "open_file",
    "sync_folder",
    "transaction",
    "upgrade",
]

APPLICATION_ID: Final = 0x74726D75  # "trmu": the `pragma application_id` of our files
BUSY_TIMEOUT = 2000  # milliseconds to wait for another process that writes
BACKUP_PAGES = 500  # copied at once
KEPT_UPGRADES = 3  # backups from before upgrades
PRIVATE = 0o600  # the mode of our files

LAYOUTS: list[tuple[str, ...]] = [
    (
        "create table rows(family text, key text, kind text, version text, owner text, data text, sum int,"
        " primary key(family, key)) without rowid",
        "create index rows_by_owner on rows(family, owner) where owner <> ''",
        "create table entries(number integer primary key, log text, at real, data text)",
        "create index entries_by_log on entries(log, number)",
        "create table stored_values(name text primary key, data text) without rowid",
    ),
]
"""The statements that lead from each layout of the database to the next one; the first make a new database."""

_RESTORE = "restore a backup with: trio-mud restore BACKUP --storage"
_UNWRITABLE = (apsw.ReadOnlyError, apsw.CantOpenError, apsw.FullError, apsw.IOError, apsw.PermissionsError)


def open_file(path: Path, backups: Path | None) -> apsw.Connection:
    """Open a database for one server, made if there is none, and upgrade it; the caller has its lock.

    Before an upgrade a copy is written into the folder `backups`.

    Raises:
        CannotOpenStorage: It is damaged, locked, of a newer layout, of another program, or cannot be written.
    """
    try:
        if not path.exists():
            _make(path)
        elif path.stat().st_size == 0:
            raise CannotOpenStorage(f"{path} is empty; remove it if the game is new, or {_RESTORE} {path}")
        elif not os.access(path, os.W_OK):
            raise CannotOpenStorage(f"{path} is read-only; the file and its folder must be writable")
        db = apsw.Connection(str(path))
        try:
            _prepare(db, path, backups)
        except BaseException:
            db.close()
            raise
    except apsw.BusyError as error:
        raise CannotOpenStorage(f"{path} is locked by another program; close that one", IN_USE) from error
    except (OSError, *_UNWRITABLE) as error:
        raise CannotOpenStorage(f"cannot write {path}: {error}; the disk needs room, and to be writable") from error
    except apsw.Error as error:
        raise CannotOpenStorage(f"{path} is damaged ({error}); {_RESTORE} {path}") from error
    return db


def _make(path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        raise CannotOpenStorage(f"{path} is missing, and its {wal.name} is there; {_RESTORE} {path}")
    with new_file(path) as db:
        upgrade(db)


def _prepare(db: apsw.Connection, path: Path, backups: Path | None) -> None:
    db.set_busy_timeout(BUSY_TIMEOUT)
    check_ours(db, path)
    if problems := integrity_problems(db, most=1):
        raise CannotOpenStorage(f"{path} is damaged ({problems[0]}); {_RESTORE} {path}")
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    if layout_of(db) < len(LAYOUTS):
        if backups is not None:
            copy_to(new_name(backups, path.stem, "upgrade"), db)
            make_room(backups, path.stem, "upgrade", KEPT_UPGRADES)
        upgrade(db)


def open_beside(path: Path) -> apsw.Connection:
    """Open a database for reading, beside a server that may be using it. The caller closes it.

    Raises:
        CannotOpenStorage: There is none, or it is no database of trio_mud.
    """
    if not path.is_file():
        raise CannotOpenStorage(f"there is no file {path}")
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)  # with a WAL also a reader writes
        db.set_busy_timeout(BUSY_TIMEOUT)
        db.execute("pragma query_only = on")
        check_ours(db, path)
    except apsw.Error as error:
        raise CannotOpenStorage(f"cannot read {path}: {error}") from error
    return db


def copy_to(target: Path, source: apsw.Connection) -> None:
    """Copy a whole database into a new file of one piece, synced, or leave no file.

    Raises:
        CannotOpenStorage: The file exists, or cannot be written.
    """
    with new_file(target) as db:
        with db.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(BACKUP_PAGES)
        db.execute("pragma journal_mode = delete")  # no -wal beside it


@contextmanager
def new_file(path: Path) -> Generator[apsw.Connection]:
    """Make a database under another name, until the block ends: so it is whole or not there. It has no tables.

    Only its owner can read it, and SQLite gives its -wal the same mode: a game stores hashes of passwords in it.

    Raises:
        CannotOpenStorage: The file exists, or cannot be written.
    """
    if path.exists():
        raise CannotOpenStorage(f"{path} exists already; name a new file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        db = apsw.Connection(str(unfinished))
        try:
            yield db
        finally:
            db.close()
        unfinished.rename(path)
        sync_folder(path.parent)
    except (OSError, apsw.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise CannotOpenStorage(f"cannot write {path}: {error}") from error


def check_ours(db: apsw.Connection, path: Path) -> None:
    """Raise CannotOpenStorage for a database of another program, or of a newer layout."""
    ((application,),) = db.execute("pragma application_id")
    if application != APPLICATION_ID:
        raise CannotOpenStorage(f"{path} belongs to another program; name another file")
    if (layout := layout_of(db)) > len(LAYOUTS):
        raise CannotOpenStorage(
            f"{path} was written by a newer trio_mud (layout {layout}, this one knows {len(LAYOUTS)}); run the newer "
            "one, or restore a backup from before"
        )


def integrity_problems(db: apsw.Connection, *, most: int = 100) -> list[str]:
    """Return what SQLite's integrity check finds; quick_check would miss rows that cannot be reached."""
    found = [str(text) for (text,) in db.execute(f"pragma integrity_check({most})")]
    return [] if found == ["ok"] else found


def layout_of(db: apsw.Connection) -> int:
    """Return the layout of a database; 0 if it is new."""
    ((layout,),) = db.execute("pragma user_version")
    assert isinstance(layout, int)
    return layout


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def transaction(db: apsw.Connection) -> Generator[apsw.Connection]:
    """Run a block as one transaction, which is rolled back if the block raises.

    A full disk and some other errors make SQLite roll back by itself. apsw's own `with db:` then hides the cause behind
    "cannot rollback".
    """
    if db.in_transaction:  # an earlier rollback failed
        db.execute("rollback")
    db.execute("begin immediate")
    try:
        yield db
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            with suppress(apsw.Error):
                db.execute("rollback")
        raise


def upgrade(db: apsw.Connection) -> None:
    """Bring a database to the newest layout, in one transaction."""
    with transaction(db):
        for statements in LAYOUTS[layout_of(db) :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {len(LAYOUTS)}")
