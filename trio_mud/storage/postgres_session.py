"""One session with a PostgreSQL server: connected, locked against a second server, with tables of the newest layout."""

from __future__ import annotations

import os
import re
import socket
import time
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeAlias

from trio_mud.errors import CannotOpenStorage

from .lock import IN_USE

if TYPE_CHECKING:
    import psycopg

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

__all__ = ["LAYOUTS", "connect", "upgrade"]

CONNECT_TIMEOUT = 10  # seconds
SILENCE = 15_000  # milliseconds until a server that does not answer counts as lost
PAUSE: Final = 2_000  # milliseconds within a transaction after which the database ends the session of a server
LOCK_PATIENCE = 3.0  # seconds
LOCK_INTERVAL = 0.1  # seconds between two tries
LOCK: Final = 0x74726D75  # "trmu"

# Reserved characters before the last @ of the authority, and percent signs that encode nothing. The errors of libpq
# quote what follows them, which is the rest of the password.
_MALFORMED: Final = re.compile(r"://[^?]*[@/\[\]][^?]*@|%(?![0-9A-Fa-f]{2})")

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


def connect(url: str, name: str, *, locks: bool = True, shared: bool = False) -> Connection:
    """Connect to a database, and lock it unless it is only read.

    Args:
        url: Of the database.
        name: Its name in errors: the URL without user and password.
        locks: False for a connection that only reads.
        shared: True to let other servers in that share the database as well.

    Raises:
        CannotOpenStorage: It is out of reach, or in use by another server, or the URL is malformed.
    """
    malformed = CannotOpenStorage(
        f"the URL of {name} is malformed: write %40, %2F and %25 in place of @, / and % in the password"
    )
    if _MALFORMED.search(url):
        raise malformed
    try:
        import psycopg
    except ImportError as error:
        raise CannotOpenStorage("PostgreSQL needs psycopg: pip install 'trio-mud[postgres]'") from error
    try:
        db = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            tcp_user_timeout=SILENCE,
            application_name=f"trio-mud {os.getpid()} on {socket.gethostname()}",
        )
    except psycopg.ProgrammingError:  # its text may quote the password
        raise malformed from None
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotOpenStorage(
            f"cannot reach {name}: {reason}; start the server, or correct the URL", IN_USE
        ) from error
    try:
        db.execute("set synchronous_commit = on")
        if locks:
            _lock(db, name, shared=shared)
        if shared:  # a server that is paused within a write must not hold up its successor
            db.execute(f"set idle_in_transaction_session_timeout = {PAUSE}")
    except BaseException:
        db.close()
        raise
    return db


def _lock(db: Connection, name: str, *, shared: bool) -> None:
    """Take the lock; wait a little for the session of a process that was just killed to end."""
    give_up_at = time.monotonic() + LOCK_PATIENCE
    function: LiteralString = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    while not _first(db, f"select {function}(%s)", LOCK):
        if time.monotonic() > give_up_at:
            holder = _first(
                db,
                "select application_name from pg_locks join pg_stat_activity using(pid)"
                " where locktype = 'advisory' and granted and classid = 0 and objid = %s"
                " and pg_locks.database = (select oid from pg_database where datname = current_database())",
                LOCK,
            )
            raise CannotOpenStorage(
                f"{name} is in use by {holder or 'another server'}; stop it, or name another database", IN_USE
            )
        time.sleep(LOCK_INTERVAL)


def upgrade(db: Connection, name: str) -> None:
    """Make the tables, or bring them to the newest layout, in one transaction.

    Raises:
        CannotOpenStorage: That failed, or the layout is newer; nothing was changed.
    """
    import psycopg

    try:
        with db.transaction():
            _make_tables(db, name)
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        raise CannotOpenStorage(
            f"cannot make the tables of {name}: {reason}; nothing was changed; let the user create tables"
        ) from error


def _make_tables(db: Connection, name: str) -> None:
    db.execute("create table if not exists layout(number int)")
    found = db.execute("select number from layout").fetchone()
    layout = found[0] if found else 0
    if layout > len(LAYOUTS):
        raise CannotOpenStorage(
            f"{name} was written by a newer trio_mud (layout {layout}, this one knows {len(LAYOUTS)}); run the"
            " newer one, or restore a backup from before"
        )
    for statements in LAYOUTS[layout:]:
        for statement in statements:
            db.execute(statement)
    if layout != len(LAYOUTS):
        db.execute("delete from layout")
        db.execute("insert into layout values(%s)", (len(LAYOUTS),))


def _first(db: Connection, query: LiteralString, value: object) -> Any:
    """Return the first value of the first row; None if there is no row."""
    row = db.execute(query, (value,)).fetchone()
    return row[0] if row else None
