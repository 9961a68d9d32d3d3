"""Backups by day and before upgrades."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_mud.storage import Record, Sqlite, backups, open_store
from trio_mud.storage.backups import CLOCK_INTERVAL, back_up_daily
from trio_mud.storage.copies import copies
from trio_mud.storage.inspection import check, export

from .filled import fill


async def test_a_backup_is_written_each_day_and_seven_stay(
    path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(path)
    folder = path.parent / "backups"
    start = dt.datetime(2026, 3, 1, 3, 0).timestamp()
    # Threads do not wait for a virtual clock.
    monkeypatch.setattr(trio.to_thread, "run_sync", run_in_place)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_daily, Sqlite(path), folder, start)
        await trio.sleep(59 * 60)
        assert copies(folder, "inn", "daily") == []
        await trio.sleep(2 * 60)
        (first,) = copies(folder, "inn", "daily")
        assert first.name.startswith("inn-daily-20260301-0400")
        await trio.sleep(9 * 24 * 3600)
        assert [copy.name[:18] for copy in copies(folder, "inn", "daily")] == [
            f"inn-daily-202603{day:02}" for day in range(4, 11)
        ]
        nursery.cancel_scope.cancel()
    assert check(copies(folder, "inn", "daily")[-1]).problems == []


async def run_in_place(function, *arguments, **_):  # type: ignore[no-untyped-def]
    return function(*arguments)


async def run_daily(backend: Sqlite, folder: Path, start: float) -> None:
    began = trio.current_time()
    await back_up_daily(backend, folder, "inn", wall_clock=lambda: start + trio.current_time() - began)


async def test_a_daily_backup_that_was_missed_is_made_at_the_start_and_a_failing_one_is_logged(
    path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(path)
    folder = path.parent / "backups"
    Sqlite(path).backup(folder / "inn-daily-20260301-040000.db")
    monkeypatch.setattr(trio.to_thread, "run_sync", run_in_place)
    with trio.move_on_after(CLOCK_INTERVAL / 2):
        await run_daily(Sqlite(path), folder, dt.datetime(2026, 3, 5, 12, 0).timestamp())
    assert [copy.name for copy in copies(folder, "inn", "daily")] == [
        "inn-daily-20260301-040000.db",
        "inn-daily-20260305-120000.db",
    ]
    with trio.move_on_after(24 * 3600):
        await run_daily(Sqlite(path.with_name("gone.db")), folder, dt.datetime(2026, 3, 5, 12, 30).timestamp())
    assert caplog.messages == [
        f"the daily backup failed: there is no file {path.with_name('gone.db')}; the next one is due in a day"
    ]


class Old(Record, family="lamp", resident=True, kind="lamp"):
    fuel: int = 0


class New(Record, family="lamp", resident=True, kind="lamp", version=2):
    oil: int = 0


@New.migration(1)
def _(fields: dict[str, object]) -> dict[str, object]:
    return {"oil": fields["fuel"]}


async def test_a_backup_is_written_before_a_record_class_is_migrated(path: Path) -> None:
    async with open_store(Sqlite(path), New):
        pass  # nothing is there to be backed up
    assert copies(path.parent / "backups", "inn", "upgrade") == []
    path.unlink()
    async with open_store(Sqlite(path), Old) as store:
        store.add(Old(fuel=3), "a")
    for _ in range(2):
        async with open_store(Sqlite(path), New) as store:
            assert [lamp.oil for lamp in store.all(New)] == [3]
    (copy,) = copies(path.parent / "backups", "inn", "upgrade")
    assert [json.loads(line)["fields"] for line in export(copy)] == [{"fuel": 3}]


async def test_only_the_last_three_backups_of_upgrades_stay_and_none_without_a_folder(path: Path) -> None:
    async with open_store(Sqlite(path, backups=None), Old) as store:
        store.add(Old(fuel=3), "a")
    async with open_store(Sqlite(path, backups=None), New):
        pass
    assert not (path.parent / "backups").exists()
    for cls in (Old, New, Old, New, Old):
        async with open_store(Sqlite(path), cls):
            pass
    assert len(copies(path.parent / "backups", "inn", "upgrade")) == 3


async def test_a_folder_of_backups_that_cannot_be_read_costs_no_server(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(backups, "copies", refuse)
    async with open_store(Sqlite(path), New) as store:
        await trio.sleep(0.05)
        store.add(New(oil=1), "a")
        await store.saved()
    assert "backups cannot be read: Permission denied" in caplog.text
