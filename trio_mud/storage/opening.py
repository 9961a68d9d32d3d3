"""Opening a store, for the length of a block."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from trio_mud.errors import ChangedInPlace, NotSaved, UnreadableRecord

from .backups import back_up_daily
from .catalog import Catalog
from .contents import Contents
from .copies import make_room, new_name
from .database_file import KEPT_UPGRADES
from .executor import Executor, in_thread
from .journal import ChangeJournal, Mover
from .loading import no_collections
from .postgres import Postgres
from .record import Record
from .rows import Backend
from .sqlite import Sqlite
from .store import VERSIONS, Store
from .transaction import Overlay
from .watching import InPlaceWatch
from .writer import Writer

__all__ = ["CLEANUP_TIMEOUT", "SAVE_INTERVAL", "backend_of", "open_store"]

SAVE_INTERVAL = 1.0  # seconds between two transactions that no call of `saved` waits for
CLEANUP_TIMEOUT = 5.0  # seconds for the last save, and as long for closing

logger = logging.getLogger("trio_mud")


def backend_of(url: str) -> Backend:
    """Return the backend of a path, for SQLite, or of a URL, `postgresql://…`; it is not opened yet."""
    return Postgres(url) if url.startswith(("postgresql://", "postgres://")) else Sqlite(url)


@asynccontextmanager
async def open_store(
    backend: Backend,
    *classes: type[Record],
    interval: float = SAVE_INTERVAL,
    cleanup: float = CLEANUP_TIMEOUT,
    strict: bool = False,
    overlay: Overlay | None = None,
    prepare: Callable[[Store], None] | None = None,
    executor: Executor | None = None,
    journal: ChangeJournal | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> AsyncGenerator[Store, None]:
    """Open a store for the length of the block; leaving the block saves, also when it is left by a cancel or an error.

    The store owns the backend: it opens it, and closes it at the end of the block.

    Args:
        backend: `Sqlite(path)`, `Postgres(url)` or `Memory()`.
        classes: The bases of all records that are stored; their subclasses come with them.
        interval: Seconds between two transactions while no caller awaits `saved`.
        cleanup: Seconds for the last save.
        strict: For tests: leaving the block raises if a list or dict of a record was changed in place, or a field was
            assigned a value of another type.
        overlay: Returns defaults that replace those of a class, such as those of a template.
        prepare: Called once with the store, when all resident records are made and none has its references yet. It may
            add the records that stored ones refer to.
        executor: Runs the backend's calls: a thread by default, `inline` in virtual time.
        journal: Of the world of a split server: changes are committed elsewhere first, and it moves them into the
            database. The epoch has begun.
        wall_clock: Seconds since 1970, for entries of logs.

    Raises:
        CannotOpenStorage: The database cannot be used; nothing was started.
        Superseded: With a journal, a later server has the database.
        TypeError: A record class is declared wrongly.
        NotSaved: At the end of the block, if changes could not be saved in `cleanup` seconds and are lost.
        ChangedInPlace: At the end of a strict block.
        UnreadableRecord: At the end of a strict block, if a record that was saved could not be loaded again.
    """
    execute = in_thread() if executor is None else executor
    contents = Contents(Catalog(classes))
    store = Store(backend, contents, execute, overlay=overlay, wall_clock=wall_clock)
    if strict:
        contents.watch = InPlaceWatch(store._note_in_place)
    if journal is None:
        writer = Writer(store, backend, execute, interval=interval, cleanup=cleanup)
    else:
        writer = Mover(store, backend, execute, journal, interval=interval, cleanup=cleanup)
    with trio.CancelScope(shield=True):  # a database that was opened has to be closed
        await execute(partial(backend.open, shared=True) if journal is not None else backend.open)
    error: BaseException | None = None
    try:
        if journal is not None:
            await journal.recover(backend, execute)
            journal.store = store
        for family, field in sorted(contents.catalog.indexed()):
            await execute(backend.index, family, field)
        with no_collections():
            await store._load_all(prepare)
        if store.value(VERSIONS, {}) != (versions := contents.catalog.versions()):
            if any(contents.keys.values()):
                await _back_up_before_upgrade(backend, execute)
            store.set_value(VERSIONS, versions)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writer.run)
                backups = trio.CancelScope()
                nursery.start_soon(_back_up, backups, backend, wall_clock)
                try:
                    yield store
                    if strict:
                        await _check_in_place(store)
                finally:
                    backups.cancel()
                    writer.close()  # and the nursery waits for the last save
        except BaseExceptionGroup as group:
            # The block's own error comes as if there were no nursery.
            error = group.exceptions[0] if len(group.exceptions) == 1 else group
        contents.is_closed = True
        lost = _lost(store, writer)
        if strict and error is None and contents.mistyped:
            raise UnreadableRecord(_mistyped(contents))
        if error is not None and not _is_cancel(error):
            raise error
        if lost:
            raise NotSaved(lost)
        if error is not None:
            raise error
    finally:
        with trio.move_on_after(cleanup, shield=True):
            try:
                await execute(backend.close)
            except Exception as error:  # noqa: BLE001  a lost server may raise anything, after all was saved
                logger.warning("%s could not be closed properly: %s", backend.name, error)


async def _back_up(scope: trio.CancelScope, backend: Backend, wall_clock: Callable[[], float]) -> None:
    if backend.backup_folder is not None:
        with scope:
            await back_up_daily(backend, backend.backup_folder, Path(backend.name).stem, wall_clock=wall_clock)


async def _back_up_before_upgrade(backend: Backend, execute: Executor) -> None:
    """Write a backup, because a record class has another version than at the last start; nothing is written yet."""
    folder, stem = backend.backup_folder, Path(backend.name).stem
    if folder is not None:
        path = new_name(folder, stem, "upgrade")
        await execute(backend.backup, path)
        await execute(make_room, folder, stem, "upgrade", KEPT_UPGRADES)
        logger.info("wrote the backup %s, because versions of record classes have changed", path)


def _is_cancel(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)


async def _check_in_place(store: Store) -> None:
    await store.sweep()
    contents = store._contents
    if contents.watch is not None:
        for record in list(contents.dirty):
            contents.watch.look(record)
    if store._in_place:  # some may have been found, and saved, by the writer's own sweeps
        raise ChangedInPlace("; ".join(map(str, store._in_place.values())))


def _mistyped(contents: Contents) -> str:
    (cls, reason), key = next(iter(contents.mistyped.items()))
    return (
        f"{cls.__name__} {key!r} is saved, and could not be loaded again: {reason}; assign values of the declared types"
    )


def _lost(store: Store, writer: Writer) -> str:
    """Return what could not be saved, having logged it; an empty string if all is on disk."""
    contents = store._contents
    lost = len(contents.dirty) + len(contents.removed) + len(contents.unencodable) + writer.lost()
    if not store.is_dirty and not lost:
        return ""
    reason = store.error or next(iter(contents.unencodable.values()), "storage is slow")
    text = f"{lost} changed records are lost: {reason}"
    logger.critical("cannot save to %s: %s", store._backend.name, text)
    return text
