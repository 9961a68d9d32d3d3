"""A journal: changes are held elsewhere with their commit, and reach the database afterwards, each once."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_mud.errors import CannotOpenStorage, NotSaved, Superseded
from trio_mud.storage import Changes, Memory, Row, Sqlite, Stored, inline, open_store
from trio_mud.storage.journal import ChangeJournal
from trio_mud.storage.rows import FENCE, Fence
from trio_mud.testing.threads import settle

from .conftest import Database
from .faulty import FULL, Faulty
from .records import Hero, Item

NEVER = 1e6  # seconds: the mover acts only when asked to


class Link:
    """The part of a cluster link that a journal needs: it commits, and holds."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.epoch = self.number = 0

    def claim(self) -> ChangeJournal:
        journal = ChangeJournal()
        journal.is_bound = True
        self.begin(journal)
        return journal

    def begin(self, journal: ChangeJournal) -> None:
        self.epoch, self.number = self.epoch + 1, 0
        journal.begin(self.epoch, self.held)

    async def commit(self, journal: ChangeJournal) -> None:
        journal.take()
        held = await journal.held()
        for key, value in held.items():
            if value is None:
                self.held.pop(key, None)
            else:
                self.held[key] = value
        self.number += 1
        journal.accepted(self.number)


def gold_in(stored: Stored, key: str = "chest") -> bytes | None:
    row = stored.rows.get(("thing", key))
    return row.data if row is not None else None


async def test_a_change_is_in_the_database_only_after_its_commit(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline) as store:
        store.add(Item(name="chest", gold=5), "chest")
        await trio.sleep(10)
        assert gold_in(backend.stored) is None
        await link.commit(journal)
        assert gold_in(backend.stored) is None
        await trio.sleep(2)
        assert gold_in(backend.stored) == b'{"name":"chest","gold":5}'
        await link.commit(journal)
        assert link.held == {}


async def test_what_was_committed_and_not_written_is_there_after_a_death(autojump_clock: MockClock) -> None:
    stored, link = Stored(), Link()
    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest", gold=5), "chest")
        store.add(Item(name="coin"), "coin")
        store.set_value("weather", "rain")
        store.log("audit", who="ann")
        await link.commit(journal)
        found = store.get(Item, "coin")
        assert found is not None
        store.remove(found)
        await link.commit(journal)
        store.add(Item(name="never committed"), "ghost")
        journal.store = None  # the process dies: nothing more is committed or written
        store._contents.dirty.clear()
    assert stored.rows == {}

    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline) as store:
        chest = store.get(Item, "chest")
        assert chest is not None
        assert chest.gold == 5
        assert {item.key for item in store.all(Item)} == {"chest"}
        assert store.value("weather") == "rain"
        assert [entry for _, entry in await store.entries("audit")] == [{"who": "ann"}]
        await link.commit(journal)
        await trio.sleep(2)
        await link.commit(journal)
        assert link.held == {}


async def test_saved_returns_when_the_changes_are_in_the_database(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest", gold=5), "chest")
        is_saved = trio.Event()

        async def save() -> None:
            await store.saved()
            is_saved.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(save)
            await settle()
            assert not is_saved.is_set()
            await link.commit(journal)
            await settle()
            assert is_saved.is_set()
        assert gold_in(backend.stored)


async def test_a_change_during_the_write_stays_held(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        chest = store.add(Item(name="chest", gold=1), "chest")
        await link.commit(journal)
        assert journal._begin_move() is not None
        chest.gold = 2
        await link.commit(journal)
        journal._end_move(is_moved=True)
        await link.commit(journal)
        assert list(link.held) == [b"rthing\0chest"]
        assert b'"gold":2' in link.held[b"rthing\0chest"]


async def test_what_waits_for_a_failing_database_is_bounded_by_the_records(autojump_clock: MockClock) -> None:
    backend, link = Faulty(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline) as store:
        chest = store.add(Item(name="chest"), "chest")
        await link.commit(journal)
        await store.saved()
        backend.error = FULL
        for gold in range(1, 100):
            chest.gold = gold
            await link.commit(journal)
            await trio.sleep(0.3)
        assert len(link.held) == 1
        assert len(journal._waiting.items) == 1
        backend.error = None
        await trio.sleep(6)
        assert gold_in(backend.stored) == b'{"name":"chest","gold":99}'


async def test_a_changed_record_stays_in_memory_until_it_is_in_the_database(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Hero, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Hero(name="Ann", gold=1), "ann")
        await link.commit(journal)
        await store.saved()
        ann = await store.hold(Hero, "ann")
        assert ann is not None
        ann.gold = 2
        await link.commit(journal)
        store.release(ann)
        del ann
        found = await store.load(Hero, "ann")
        assert found is not None
        assert found.gold == 2


async def test_everything_is_held_again_when_the_link_has_lost_its_data(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest", gold=5), "chest")
        await link.commit(journal)
        store.add(Item(name="bag"), "bag")
        journal.take()
        await journal.held()  # and this commit fails: the link has forgotten everything
        link.held = {b"rthing\0stale": b""}
        link.begin(journal)
        await link.commit(journal)
        assert {b"rthing\0chest", b"rthing\0bag"} <= set(link.held)
        assert b"rthing\0stale" not in link.held
        await store.saved()
    assert set(backend.stored.rows) == {("thing", "chest"), ("thing", "bag")}


async def test_what_a_refused_commit_had_taken_is_held_by_the_next_one_as_it_is_then(
    autojump_clock: MockClock,
) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        chest = store.add(Item(name="chest", gold=5), "chest")
        store.add(Item(name="coin"), "coin")
        store.set_value("weather", "rain")
        store.log("audit", who="ann")
        journal.take()
        await journal.held()
        store.log("audit", who="bob")
        chest.gold = 7
        coin = store.get(Item, "coin")
        assert coin is not None
        store.remove(coin)
        journal.refused()
        link.begin(journal)
        await link.commit(journal)
        assert b'"gold":7' in link.held[b"rthing\0chest"]
        assert link.held[b"rthing\0coin"] == b""
        assert link.held[b"vweather"] == b'"rain"'
        assert {b"e1", b"e2"} <= set(link.held)
        await store.saved()
        assert store.error is None
        assert [entry for _, entry in await store.entries("audit")] == [{"who": "ann"}, {"who": "bob"}]
    assert gold_in(backend.stored) == b'{"name":"chest","gold":7}'


async def test_a_commit_holds_what_was_being_written_without_one(autojump_clock: MockClock) -> None:
    """A world that loads its game writes to the database alone, and may begin to commit meanwhile."""
    backend, link = Memory(), Link()
    journal = link.claim()
    journal.is_bound = False
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        chest = store.add(Item(name="chest", gold=1), "chest")
        for number in range(1000):
            store.add(Item(name="coin"), f"coin{number}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.saved)
            while journal._transaction is None:
                await trio.lowlevel.checkpoint()
            journal.is_bound = True
            chest.gold = 2
            await link.commit(journal)
            assert b'"gold":2' in link.held[b"rthing\0chest"]
            await link.commit(journal)
        await link.commit(journal)
        assert link.held == {}
    assert len(backend.stored.rows) == 1001


async def test_what_was_left_is_removed_although_something_is_written_without_a_commit(
    autojump_clock: MockClock,
) -> None:
    stored, link = Stored(), Link()
    link.held = {b"vweather": b'"rain"'}
    stored.values[FENCE] = b"[0,0]"
    journal = link.claim()
    journal.is_bound = False
    async with open_store(Memory(stored), Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest"), "chest")
        await store.saved()
        journal.is_bound = True
        await link.commit(journal)
        assert link.held == {}
        assert store.value("weather") == "rain"


async def test_commits_go_on_after_several_writes_without_one(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    journal.is_bound = False
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        chest = store.add(Item(name="chest"), "chest")
        for gold in (1, 2, 3):
            chest.gold = gold
            await store.saved()
        journal.is_bound = True
        chest.gold = 4
        await link.commit(journal)
        await store.saved()
        assert gold_in(backend.stored) == b'{"name":"chest","gold":4}'


async def test_a_change_after_the_last_commit_outweighs_what_that_has_left(autojump_clock: MockClock) -> None:
    stored, link = Stored(), Link()
    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline, interval=NEVER) as store:
        chest = store.add(Item(name="chest", gold=5), "chest")
        await link.commit(journal)
        journal.release()
        chest.gold = 6
    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline, interval=NEVER) as store:
        assert [item.gold for item in store.all(Item)] == [6]


async def test_a_predecessor_that_still_runs_can_write_nothing(database: Database) -> None:
    link = Link()
    first = link.claim()
    async with open_store(database(), Item, journal=first, interval=NEVER) as old:
        old.add(Item(name="chest", gold=5), "chest")
        await link.commit(first)
        second = link.claim()
        async with open_store(database(), Item, journal=second, interval=NEVER) as new:
            chest = new.get(Item, "chest")
            assert chest is not None
            chest.gold = 6
            await link.commit(second)
            await new.saved()
            with pytest.raises(Exception, match="not on disk"):
                await old.saved(within=0.2)
    backend = database()
    backend.open()
    try:
        (row,) = backend.read("thing", "chest")
        assert b'"gold":6' in row.data
    finally:
        backend.close()


def test_a_lesser_fence_is_refused_and_an_equal_one_repeats(database: Database) -> None:
    backend = database()
    backend.open(shared=True)
    try:
        backend.write(Changes([Row("thing", "chest", "thing", "", "", b"{}")], fence=Fence(2, 5)))
        backend.write(Changes([Row("thing", "bag", "thing", "", "", b"{}")], fence=Fence(2, 5)))
        for fence in (Fence(2, 4), Fence(1, 9)):
            with pytest.raises(Superseded):
                backend.write(Changes(removed=[("thing", "chest")], fence=fence))
        assert sorted(backend.keys("thing")) == ["bag", "chest"]
    finally:
        backend.close()


def test_servers_share_a_file_only_if_all_of_them_are_fenced(database: Database) -> None:
    first, second, alone = database(), database(), database()
    if isinstance(first, Memory):
        return
    first.open(shared=True)
    second.open(shared=True)
    with pytest.raises(CannotOpenStorage, match="in use"):
        alone.open()
    second.close()
    first.close()
    alone.open()
    with pytest.raises(CannotOpenStorage, match="in use"):
        first.open(shared=True)
    alone.close()


async def test_changes_from_before_another_server_wrote_are_dropped(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stored, link = Stored(), Link()
    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest", gold=5), "chest")
        await link.commit(journal)
        await store.saved()
        store.get(Item, "chest").gold = 7  # type: ignore[union-attr]  # it was added
        await link.commit(journal)
    assert FENCE in stored.values
    async with open_store(Memory(stored), Item, executor=inline) as store:  # in one process
        store.get(Item, "chest").gold = 1  # type: ignore[union-attr]
    journal = link.claim()
    async with open_store(Memory(stored), Item, journal=journal, executor=inline) as store:
        chest = store.get(Item, "chest")
        assert chest is not None
        assert chest.gold == 1
    assert "1 changes of an earlier world are dropped" in caplog.text


async def test_changes_after_the_last_commit_are_written_when_the_store_closes(autojump_clock: MockClock) -> None:
    backend, link = Memory(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
        store.add(Item(name="chest"), "chest")
        await link.commit(journal)
        journal.release()
        store.add(Item(name="bag"), "bag")
    assert set(backend.stored.rows) == {("thing", "chest"), ("thing", "bag")}


async def test_changes_after_the_last_commit_that_cannot_be_written_are_reported_as_lost(
    autojump_clock: MockClock,
) -> None:
    backend, link = Faulty(), Link()
    journal = link.claim()

    async def play() -> None:
        async with open_store(backend, Item, journal=journal, executor=inline, interval=NEVER) as store:
            store.add(Item(name="chest"), "chest")
            await link.commit(journal)
            journal.release()
            store.add(Item(name="bag"), "bag")
            backend.error = FULL

    with pytest.raises(NotSaved, match=r"1 changed records are lost: .*No space left"):
        await play()
    assert b"rthing\0chest" in link.held  # for the next server


async def test_a_failing_database_shows_in_the_store(autojump_clock: MockClock) -> None:
    backend, link = Faulty(), Link()
    journal = link.claim()
    async with open_store(backend, Item, journal=journal, executor=inline) as store:
        backend.error = FULL
        store.add(Item(name="chest"), "chest")
        await link.commit(journal)
        await trio.sleep(2)
        assert store.error is FULL
        assert store.counters["failed_transactions"] > 0
        backend.error = None
        await trio.sleep(10)
        assert store.error is None


def test_the_file_keeps_its_fence(path: Path) -> None:
    backend = Sqlite(path)
    backend.open(shared=True)
    backend.write(Changes(fence=Fence(3, 1)))
    backend.close()
    backend.open(shared=True)
    with pytest.raises(Superseded):
        backend.write(Changes(fence=Fence(2, 1)))
    backend.close()
