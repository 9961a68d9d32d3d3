"""Backups by day and before upgrades; check, restore, export."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import MockClock

from trio_mud.errors import CannotOpenStorage, StorageError
from trio_mud.storage import Memory, Record, Sqlite, inline, open_store
from trio_mud.storage.backups import CLOCK_INTERVAL, back_up_daily, check, export, restore, restore_into
from trio_mud.storage.copies import copies

from .records import Account, Hero, Thing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inn.db"


async def fill(path: Path) -> None:
    async with open_store(Sqlite(path), Thing, Account, wall_clock=lambda: 1.5, executor=inline) as store:
        hall = store.add(Thing(name="hall"), "hall")
        ann = store.add(Hero(name="Ann", place=hall), "ann")
        store.add(Thing(name="bag", place=ann), "bag")
        store.add(Account(name="Ann"), "ann")
        store.log("audit", text="hello")
        store.set_value("clock", 7)


async def keys(path: Path) -> list[str]:
    async with open_store(Sqlite(path), Thing, Account) as store:
        assert store.value("clock") == 7
        return sorted(thing.key for thing in store.all(Thing))


# Restore


async def test_a_backup_of_a_running_game_restores_what_was_there(path: Path, tmp_path: Path) -> None:
    await fill(path)
    copy = tmp_path / "copies" / "copy.db"
    async with open_store(Sqlite(path), Thing, Account) as store:
        store.add(Thing(name="in it"), "in-it")
        await store.saved()
        await trio.to_thread.run_sync(Sqlite(path).backup, copy)
        store.add(Thing(name="too late"), "too-late")
        await store.saved()
        with pytest.raises(CannotOpenStorage, match="in use by") as caught:
            restore(copy, path)
        assert caught.value.status == 75
    replaced = restore(copy, path)
    assert await keys(path) == ["hall", "in-it"]
    assert replaced is not None
    assert await keys(replaced) == ["hall", "in-it", "too-late"]
    with pytest.raises(CannotOpenStorage, match="exists already; name a new file"):
        Sqlite(path).backup(copy)


async def test_a_restore_takes_the_place_of_a_file_that_is_damaged_or_gone(path: Path, tmp_path: Path) -> None:
    await fill(path)
    copy = tmp_path / "copy.db"
    Sqlite(path).backup(copy)
    path.write_bytes(b"rubbish" * 999)
    path.with_name("inn.db-wal").write_bytes(b"rubbish")
    replaced = restore(copy, path)
    assert replaced is not None
    assert replaced.read_bytes() == b"rubbish" * 999
    assert await keys(path) == ["hall"]
    path.unlink()
    assert restore(copy, path) is None
    assert await keys(path) == ["hall"]


async def test_a_damaged_backup_is_not_restored(path: Path, tmp_path: Path) -> None:
    await fill(path)
    copy = tmp_path / "copy.db"
    Sqlite(path).backup(copy)
    db = apsw.Connection(str(copy))
    db.execute("update rows set sum = 1 where key = 'bag'")
    db.close()
    with pytest.raises(CannotOpenStorage, match=r"copy.db is damaged \(thing 'bag': damaged"):
        restore(copy, path)
    assert await keys(path) == ["hall"]


async def test_a_backup_can_be_restored_into_another_kind_of_database(path: Path) -> None:
    await fill(path)
    backend = Memory()
    assert restore_into(backend, path) == 4
    async with open_store(Memory(backend.stored), Thing, Account) as store:
        assert await store.hold(Hero, "ann") is not None
        assert store.get(Thing, "bag") is not None
        assert await store.entries("audit") == [(1.5, {"text": "hello"})]
    with pytest.raises(CannotOpenStorage, match="holds records already"):
        restore_into(backend, path)


# Check and export


async def test_a_check_counts_what_is_there_and_names_what_is_wrong(path: Path) -> None:
    await fill(path)
    report = check(path, [Thing, Account])
    assert (report.problems, dict(report.rows), report.entries) == ([], {"thing": 3, "account": 1}, 1)
    db = apsw.Connection(str(path))
    db.execute("update rows set data = '{}' where key = 'hall'")
    db.close()
    assert check(path).problems == ["thing 'hall': damaged, its checksum does not match"]
    with pytest.raises(CannotOpenStorage, match="there is no file"):
        check(path.with_name("other.db"))


async def test_a_check_with_the_classes_finds_rows_that_cannot_be_loaded(path: Path) -> None:
    async with open_store(Sqlite(path), Thing) as store:
        store.add(Thing(name="a", gold="much"), "a")  # type: ignore[arg-type]
        store.add(Hero(name="b"), "b")
    assert check(path).problems == []

    class Other(Record, family="thing", kind="thing"):
        gold: int = 0

    assert check(path, [Other]).problems == [
        "thing 'a': ValidationError: Expected `int`, got `str` - at `$.gold`",
        "thing 'b': there is no record class for the kind 'hero'",
    ]


async def test_an_export_is_one_line_of_json_a_record(path: Path) -> None:
    await fill(path)
    lines = [json.loads(line) for line in export(path, "thing", "ann")]
    assert [line["key"] for line in lines] == ["ann", "bag"]
    assert lines[1] == {
        "family": "thing",
        "key": "bag",
        "kind": "thing",
        "version": "",
        "owner": "ann",
        "fields": {"name": "bag", "place": "ann"},
    }
    assert [json.loads(line)["family"] for line in export(path)] == ["account", "thing", "thing", "thing"]
    db = apsw.Connection(str(path))
    db.execute("update rows set sum = 1 where key = 'hall'")
    db.close()
    with pytest.raises(StorageError, match="run trio-mud check"):
        list(export(path))


# By day


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


# Before an upgrade of record classes


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
