"""A backup takes the place of a database."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import trio

from trio_mud.errors import CannotOpenStorage
from trio_mud.storage import Memory, Sqlite, open_store
from trio_mud.storage.restoring import restore, restore_into

from .filled import fill, keys
from .records import Hero, Item, Member


async def test_a_backup_of_a_running_game_restores_what_was_there(path: Path, tmp_path: Path) -> None:
    await fill(path)
    copy = tmp_path / "copies" / "copy.db"
    async with open_store(Sqlite(path), Item, Member) as store:
        store.add(Item(name="in it"), "in-it")
        await store.saved()
        await trio.to_thread.run_sync(Sqlite(path).backup, copy)
        store.add(Item(name="too late"), "too-late")
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
    async with open_store(Memory(backend.stored), Item, Member) as store:
        assert await store.hold(Hero, "ann") is not None
        assert store.get(Item, "bag") is not None
        assert await store.entries("audit") == [(1.5, {"text": "hello"})]
    with pytest.raises(CannotOpenStorage, match="holds records already"):
        restore_into(backend, path)
