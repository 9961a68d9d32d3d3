"""Scheduled backups: a copy of the database each day, beside the server that writes to it.

A backup is an SQLite file, whatever the database is. `open_store` runs this for as long as the store is open.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path

import trio

from .copies import copies, made_at, make_room, new_name
from .rows import Backend

__all__ = ["DAILY_AT", "KEPT_DAYS", "back_up_daily"]

DAILY_AT = dt.time(4)  # local time
KEPT_DAYS = 7
CLOCK_INTERVAL = 60.0  # seconds between two looks at the wall clock, which may be set

logger = logging.getLogger("trio_mud")


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
    last = _last_made(folder, stem, wall_clock)
    while True:
        now = _local(wall_clock)
        if _last_due(now, at) > last:
            last = now
            try:
                path = new_name(folder, stem, "daily", now)
                await trio.to_thread.run_sync(backend.backup, path, limiter=limiter, abandon_on_cancel=True)
                await trio.to_thread.run_sync(make_room, folder, stem, "daily", keep, limiter=limiter)
                logger.info("wrote the daily backup %s", path)
            except Exception as error:  # noqa: BLE001  a failing disk costs a backup, not the game
                logger.error("the daily backup failed: %s; the next one is due in a day", error)  # noqa: TRY400
        await trio.sleep(CLOCK_INTERVAL)


def _last_made(folder: Path, stem: str, wall_clock: Callable[[], float]) -> dt.datetime:
    """Return when the newest daily backup was made; now if there is none, or the folder cannot be read."""
    try:
        former = copies(folder, stem, "daily")
    except OSError as error:
        logger.error("the folder of backups %s cannot be read: %s", folder, error.strerror)  # noqa: TRY400
        former = []
    return made_at(former[-1]) if former else _local(wall_clock)


def _last_due(now: dt.datetime, at: dt.time) -> dt.datetime:
    due = dt.datetime.combine(now.date(), at)
    return due if due <= now else due - dt.timedelta(days=1)


def _local(wall_clock: Callable[[], float]) -> dt.datetime:
    return dt.datetime.fromtimestamp(wall_clock())
