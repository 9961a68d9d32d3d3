"""SQLite on a bad day: no room, damaged, locked, of another version; and what the operator reads."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
import trio

from trio_mud.errors import CannotOpenStorage, NotSaved
from trio_mud.storage import Changes, Record, Sqlite, Store, open_store
from trio_mud.storage import database_file as module
from trio_mud.storage.copies import copies
from trio_mud.storage.lock import IN_USE

from .records import Member


class Purse(Record, family="purse", resident=True):
    gold: int = 0
    text: str = ""


async def fill(path: Path, count: int = 1) -> None:
    async with open_store(Sqlite(path), Purse) as store:
        for number in range(count):
            store.add(Purse(gold=number), f"p{number}")


def refused(path: Path) -> CannotOpenStorage:
    """Open the file, which is to be refused, and return why."""
    backend = Sqlite(path)
    with pytest.raises(CannotOpenStorage) as caught:
        backend.open()
    return caught.value


# While it runs


def limit_pages(store: Store, pages: int) -> None:
    """Let the disk be full at this size."""
    backend = store._backend
    assert isinstance(backend, Sqlite)
    backend._db.execute(f"pragma max_page_count = {pages}")


async def first_failure(store: Store) -> None:
    """Wait until a write has failed, however slow the machine is."""
    with trio.fail_after(60):
        while store.error is None:
            with suppress(NotSaved):
                await store.saved(within=0.05)


async def test_a_full_disk_costs_a_save_and_everything_is_there_when_there_is_room(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(Sqlite(path), Purse, interval=0.01) as store:
        one = store.add(Purse(gold=1), "one")
        await store.saved()
        limit_pages(store, 20)
        for _ in range(3000):
            store.add(Purse(text="x" * 50))
        one.gold = 2
        await first_failure(store)
        with pytest.raises(NotSaved, match="database or disk is full; the store keeps retrying"):
            await store.saved(within=0.3)
        assert one.gold == 2
        limit_pages(store, 1_000_000)
        await store.saved(within=30)
    assert [record.getMessage().split(":")[0] for record in caplog.records][:1] == [f"cannot save to {path}"]
    async with open_store(Sqlite(path), Purse) as store:
        assert len(list(store.all(Purse))) == 3001


async def test_a_database_that_became_read_only_costs_a_save(path: Path) -> None:
    async with open_store(Sqlite(path), Purse, interval=0.01) as store:
        store.add(Purse(), "one")
        backend = store._backend
        assert isinstance(backend, Sqlite)
        backend._db.execute("pragma query_only = on")
        await first_failure(store)
        with pytest.raises(NotSaved, match="readonly database"):
            await store.saved(within=0.1)
        backend._db.execute("pragma query_only = off")
        await store.saved(within=30)


async def test_another_program_that_locks_the_file_costs_a_bounded_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 30)
    async with open_store(Sqlite(path), Purse, interval=0.01) as store:
        await store.saved()
        other = apsw.Connection(str(path))
        other.execute("begin immediate")
        store.add(Purse(), "one")
        await first_failure(store)
        with pytest.raises(NotSaved, match="locked"):
            await store.saved(within=0.2)
        other.execute("rollback")
        other.close()
        await store.saved(within=30)


class Disk(apsw.VFS):
    """A disk below SQLite: it notes writes and syncs, and refuses them while it is broken."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_broken = False
        super().__init__("disk", "unix")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return DiskFile(self, name, flags)

    def note(self, call: str) -> None:
        self.calls.append(call)
        if self.is_broken:
            raise apsw.IOError


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.suffix = (path or "").rpartition("inn.db")[2]
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.note(f"write {self.suffix}")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.note(f"sync {self.suffix}")
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    apsw.set_default_vfs("disk")
    yield disk
    apsw.set_default_vfs("unix")
    disk.unregister()


def test_a_commit_is_synced_before_it_returns(path: Path, disk: Disk) -> None:
    backend = Sqlite(path)
    backend.open()
    for number in range(3):
        disk.calls.clear()
        backend.write(Changes(values=[("number", b"%d" % number)]))
        assert "write -wal" in disk.calls
        assert disk.calls[-1] == "sync -wal"
    backend.close()


async def test_a_disk_that_fails_costs_a_save_until_it_works_again(path: Path, disk: Disk) -> None:
    async with open_store(Sqlite(path), Purse, interval=0.01) as store:
        await store.saved()
        disk.is_broken = True
        store.add(Purse(gold=3), "one")
        with pytest.raises(NotSaved, match="the store keeps retrying"):
            await store.saved(within=0.1)
        disk.is_broken = False
        await store.saved(within=30)
    async with open_store(Sqlite(path), Purse) as store:
        assert [purse.gold for purse in store.all(Purse)] == [3]


# At the start


async def test_a_second_server_is_refused_with_status_75_and_the_name_of_the_process(path: Path) -> None:
    script = (
        "import sys; from trio_mud.storage import Sqlite; backend = Sqlite(sys.argv[1]); backend.open();"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        error = refused(path)
        assert error.status == IN_USE == 75
        assert str(error) == f"{path} is in use by process {first.pid} (-c {path}); stop it, or name another file"
        first.kill()
    await fill(path)  # the lock died with its process


def test_one_file_of_two_names_has_one_lock(path: Path) -> None:
    backend = Sqlite(path)
    backend.open()
    link = path.with_name("other.db")
    link.symlink_to(path)
    assert "in use" in str(refused(link))
    backend.close()


async def test_other_users_can_read_neither_a_database_nor_its_backup(path: Path) -> None:
    """It holds hashes of passwords; SQLite gives the -wal the mode of its database."""
    backend = Sqlite(path)
    async with open_store(backend, Purse) as store:
        store.add(Purse(gold=1))
        await store.saved()
        backend.backup(path.with_name("copy.db"))
        files = [file for file in path.parent.rglob("*") if file.is_file()]
        assert {file.suffix for file in files} >= {".db", ".db-wal"}
        assert {file.name: file.stat().st_mode & 0o077 for file in files} == {file.name: 0 for file in files}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in str(refused(tmp_path / "file" / "inn.db"))
    assert "cannot make" in str(refused(Path("/proc/inn.db")))


async def test_a_read_only_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everything
    assert str(refused(path)) == f"{path} is read-only; the file and its folder must be writable"


async def test_a_file_that_is_locked_at_the_start_is_refused_for_now(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 30)
    await fill(path)
    other = apsw.Connection(str(path))
    other.execute("pragma locking_mode = exclusive")
    other.execute("begin exclusive")
    error = refused(path)
    other.close()
    assert (error.status, str(error)) == (IN_USE, f"{path} is locked by another program; close that one")


def test_what_is_no_database_of_ours_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"")
    assert str(refused(path)).startswith(f"{path} is empty; remove it if the game is new, or restore a backup")
    path.write_bytes(b"hello" * 1000)
    assert "file is not a database" in str(refused(path))
    assert path.read_bytes() == b"hello" * 1000
    path.unlink()
    other = apsw.Connection(str(path))
    other.execute("create table things(name)")
    other.close()
    before = path.read_bytes()
    assert "belongs to another program" in str(refused(path))
    assert path.read_bytes() == before


def test_a_file_that_is_gone_while_its_wal_is_there_is_not_made_again(path: Path) -> None:
    path.with_name("inn.db-wal").write_bytes(b"x")
    assert f"{path} is missing, and its inn.db-wal is there" in str(refused(path))
    assert not path.exists()


async def test_a_newer_layout_is_refused(path: Path) -> None:
    await fill(path)
    db = apsw.Connection(str(path))
    db.execute("pragma user_version = 99")
    db.close()
    assert "was written by a newer trio_mud (layout 99, this one knows 1); run the newer one" in str(refused(path))


async def test_of_a_damaged_file_nothing_is_changed_in_silence(path: Path) -> None:
    await fill(path, 500)
    good = path.read_bytes()
    chance = random.Random(5)
    seen: Counter[str] = Counter()
    for _ in range(60):
        data = bytearray(good)
        at, size = chance.randrange(len(data)), chance.choice((1, 1, 16, 400))
        data[at : at + size] = chance.randbytes(len(data[at : at + size]))
        path.write_bytes(data)
        try:
            async with open_store(Sqlite(path), Purse) as store:
                purses = list(store.all(Purse))
                assert all(purse.gold == int(purse.key[1:]) for purse in purses)
                assert len(purses) + len(store.quarantined) == 500
                seen["set aside" if store.quarantined else "no harm"] += 1
        except CannotOpenStorage:
            seen["refused"] += 1
            assert path.read_bytes() == data
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert all(seen[what] > 2 for what in ("refused", "set aside"))


async def test_a_flipped_bit_costs_its_row_and_names_it(path: Path) -> None:
    await fill(path, 3)
    db = apsw.Connection(str(path))
    db.execute("update rows set data = cast(x'7b22676f6c64223a8f7d' as text) where key = 'p1'")
    db.close()
    async with open_store(Sqlite(path), Purse) as store:
        assert sorted(purse.key for purse in store.all(Purse)) == ["p0", "p2"]
        assert "its checksum does not match" in store.quarantined["purse", "p1"]
    async with open_store(Sqlite(path), Purse) as store:
        assert ("purse", "p1") in store.quarantined  # still there, and as it was


async def test_a_damaged_row_does_not_stop_searches(path: Path) -> None:
    async with open_store(Sqlite(path), Member) as store:
        store.add(Member(name="Ann", email="ann@inn"), "ann")
        store.add(Member(name="Bob", email="bob@inn"), "bob")
    db = apsw.Connection(str(path))
    db.execute("update rows set data = '{\"email\":' where key = 'ann'")
    db.close()
    async with open_store(Sqlite(path), Member) as store:
        assert await store.find(Member, email="bob@inn") == ["bob"]


# Upgrades of the layout


async def test_an_upgrade_of_the_layout_is_backed_up_first_and_then_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(path)
    monkeypatch.setattr(module, "LAYOUTS", [*module.LAYOUTS, ("create table extra(name)",)])
    for _ in range(2):
        async with open_store(Sqlite(path), Purse) as store:
            assert len(list(store.all(Purse))) == 1
    (backup,) = copies(path.parent / "backups", "inn", "upgrade")
    db = apsw.Connection(str(backup))
    assert module.layout_of(db) == 1
    db.close()


async def test_an_upgrade_that_fails_half_way_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    with monkeypatch.context() as patch:
        patch.setattr(module, "LAYOUTS", [*module.LAYOUTS, ("drop table entries", "create nonsense")])
        assert "restore a backup" in str(refused(path))
    async with open_store(Sqlite(path), Purse) as store:
        assert len(list(store.all(Purse))) == 1
        assert await store.entries("audit") == []


async def test_an_upgrade_without_room_for_its_backup_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(path)
    (path.parent / "backups").write_text("in the way")
    monkeypatch.setattr(module, "LAYOUTS", [*module.LAYOUTS, ("create table extra(name)",)])
    assert "cannot write" in str(refused(path))


def test_a_start_that_was_killed_while_it_made_the_file_is_no_hindrance(path: Path) -> None:
    path.with_name("inn.db.unfinished").write_bytes(b"SQLite format 3\0half")
    backend = Sqlite(path)
    backend.open()
    backend.close()
