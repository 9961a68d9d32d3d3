"""When changes are written, how often, and what is said when they cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_mud.errors import ChangedInPlace, NotSaved
from trio_mud.storage import Memory, Stored, inline, open_store
from trio_mud.storage.rows import Row
from trio_mud.storage.store import MAX_ENTRIES
from trio_mud.storage.writer import RETRY_DELAYS, SWEEP_INTERVAL

from .faulty import FULL, Faulty, delayed
from .records import Item, Member

NEVER = 1e6  # seconds


async def test_changes_are_written_once_a_second(autojump_clock: MockClock) -> None:
    backend = Faulty()
    async with open_store(backend, Item, executor=inline) as store:
        things = [store.add(Item(name=f"{number}")) for number in range(10)]
        await trio.sleep(1.5)
        assert backend.writes == [10]
        for turn in range(10):
            for item in things[:3]:
                item.gold = turn + 1
            await trio.sleep(0.01)
        await trio.sleep(5)
        assert backend.writes == [10, 3]


async def test_a_hundred_who_save_at_once_cost_one_commit_each_time(autojump_clock: MockClock) -> None:
    backend = Faulty()
    async with open_store(backend, Item, executor=inline, interval=NEVER) as store:
        things = [store.add(Item(name=f"{number}")) for number in range(100)]

        async def save(item: Item) -> None:
            for turn in range(50):
                item.gold = turn + 1
                await store.saved()

        async with trio.open_nursery() as nursery:
            for item in things:
                nursery.start_soon(save, item)
        assert len(backend.writes) <= 60
        assert sum(backend.writes) >= 5000


async def test_nobody_waits_for_a_slow_disk_but_those_who_asked(autojump_clock: MockClock) -> None:
    async with open_store(Faulty(), Item, executor=delayed(lambda: 2.0)) as store:
        item = store.add(Item(name="a"))
        start = trio.current_time()
        for turn in range(100):
            item.gold = turn + 1
            await trio.sleep(0.01)
        assert trio.current_time() - start == pytest.approx(1)
        await store.saved()
        assert store.counters["transactions"] <= 3  # a slow disk makes larger transactions, not more


async def test_of_two_saves_that_overlap_the_later_one_counts(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_store(Faulty(stored), Item, executor=delayed(lambda: 1.0), interval=NEVER) as store:
        item = store.add(Item(name="a"), "a")

        async def save(gold: int) -> None:
            item.gold = gold
            await store.saved()
            assert f'"gold":{gold}' in stored.rows["thing", "a"].data.decode()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(save, 1)
            await trio.sleep(0.5)
            nursery.start_soon(save, 2)
        assert b'"gold":2' in stored.rows["thing", "a"].data


async def test_a_save_that_is_cancelled_is_finished_all_the_same(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_store(Faulty(stored), Item, executor=delayed(lambda: 1.0), interval=NEVER) as store:
        store.add(Item(name="a"), "a")
        with trio.move_on_after(0.5) as impatient:
            await store.saved()
        assert impatient.cancelled_caught
        assert stored.rows == {}
        await trio.sleep(1)
        assert list(stored.rows) == [("thing", "a")]


async def test_saved_returns_at_once_if_nothing_has_changed(autojump_clock: MockClock) -> None:
    backend = Faulty()
    async with open_store(backend, Item, executor=inline, interval=NEVER) as store:
        await store.saved()
        await store.saved()
        assert backend.writes == []


# Failures


async def test_a_failure_is_told_to_whoever_saves_logged_once_and_retried_until_it_works(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    backend = Faulty(error=FULL)
    async with open_store(backend, Item, executor=inline) as store:
        item = store.add(Item(name="a"), "a")
        with pytest.raises(NotSaved) as caught:
            await store.saved(within=3)
        assert str(caught.value) == (
            "not on disk after 3 s: [Errno 28] No space left on device; the store keeps retrying"
        )
        assert store.error is FULL
        await trio.sleep(60)
        assert item.name == "a"
        assert len(backend.writes) == pytest.approx(2 + (63 - sum(RETRY_DELAYS[:3])) / (RETRY_DELAYS[-1] + 1), abs=4)
        backend.error = None
        await store.saved(within=10)
        assert store.error is None
    assert list(backend.stored.rows) == [("thing", "a")]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.ERROR,
            "cannot save to memory: [Errno 28] No space left on device; changes stay in memory, and saving is retried",
        ),
        (logging.WARNING, caplog.records[1].getMessage()),
    ]
    assert "saving to memory works again after" in caplog.text


async def test_a_disk_that_stays_full_ends_in_time_and_the_number_of_lost_records_is_said(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with open_store(Faulty(error=FULL), Item, executor=inline) as store:
            store.add(Item(name="a"))
            store.add(Item(name="b"))
            await trio.sleep(100)

    start = trio.current_time()
    with pytest.raises(NotSaved, match=r"2 changed records are lost: .*No space left"):
        await play()
    assert trio.current_time() - start == pytest.approx(105, abs=1)
    assert caplog.records[-1].levelno == logging.CRITICAL


@pytest.mark.parametrize("backs_up", [False, True])
async def test_what_is_lost_is_said_also_after_a_cancel_from_outside(
    autojump_clock: MockClock, tmp_path: Path, backs_up: bool
) -> None:
    backend = Faulty(error=FULL)
    backend.backup_folder = tmp_path if backs_up else None

    async def play() -> None:
        with trio.move_on_after(10):
            async with open_store(backend, Item, executor=inline) as store:
                store.add(Item(name="a"))
                await trio.sleep_forever()

    with pytest.raises(NotSaved, match="1 changed records are lost"):
        await play()


async def test_an_error_of_the_block_is_not_hidden_by_what_is_lost(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with open_store(Faulty(error=FULL), Item, executor=inline) as store:
            store.add(Item(name="a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await play()
    assert "1 changed records are lost" in caplog.text


async def test_a_disk_that_hangs_does_not_hold_up_the_end(autojump_clock: MockClock) -> None:
    backend = Faulty()
    seconds = 0.0

    async def play() -> None:
        nonlocal seconds
        async with open_store(backend, Item, executor=delayed(lambda: seconds)) as store:
            store.add(Item(name="a"))
            seconds = 1e9

    start = trio.current_time()
    with pytest.raises(NotSaved, match="1 changed records are lost: storage is slow"):
        await play()
    assert trio.current_time() - start == pytest.approx(10, abs=0.5)  # five to save, five to close


async def test_log_entries_that_wait_are_bounded_and_those_dropped_are_counted(autojump_clock: MockClock) -> None:
    backend = Faulty(error=FULL)
    async with open_store(backend, Item, executor=inline) as store:
        for number in range(MAX_ENTRIES + 7):
            store.log("audit", number=number)
        assert store.counters["dropped_entries"] == 7
        backend.error = None
    assert len(backend.stored.entries) == MAX_ENTRIES


async def test_a_write_whose_outcome_is_unknown_is_repeated_and_doubles_nothing(autojump_clock: MockClock) -> None:
    class LostAtCommit(Memory):
        is_first = True

        def write(self, changes: object) -> None:
            super().write(changes)  # type: ignore[arg-type]
            if self.is_first:
                self.is_first = False
                raise ConnectionResetError

    backend = LostAtCommit()
    async with open_store(backend, Item, executor=inline) as store:
        store.add(Item(name="a"), "a")
        store.log("audit", number=1)
        await store.saved()
        assert store.counters["failed_transactions"] == 1
        assert [entry for _, entry in await store.entries("audit")] == [{"number": 1}]


# Changes in place


async def test_a_list_changed_in_place_is_found_within_a_minute_saved_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Stored()
    async with open_store(Memory(stored), Item, executor=inline) as store:
        things = [store.add(Item(name=name), name) for name in ("a", "b")]
        await store.saved()
        for item in things:
            item.notes.append("hello")
        await trio.sleep(SWEEP_INTERVAL + 2)
        assert b"hello" in stored.rows["thing", "a"].data
        assert b"hello" in stored.rows["thing", "b"].data
        assert caplog.messages == [
            "Item.notes of 'a' was changed in place: assign it, item.notes = …, or call store.changed(item); it is "
            "saved now"
        ]
        assert await store.sweep() == []


async def test_a_list_changed_in_place_fails_the_authors_test() -> None:
    async def play(*, changes: bool, says_so: bool) -> None:
        async with open_store(Memory(), Item, executor=inline, strict=True) as store:
            item = store.add(Item(name="a"), "a")
            await store.saved()
            if changes:
                item.notes.append("hello")
            if says_so:
                store.changed(item)

    await play(changes=False, says_so=False)
    await play(changes=True, says_so=True)
    with pytest.raises(ChangedInPlace, match=r"Item.notes of 'a' was changed in place: assign it, item.notes = …"):
        await play(changes=True, says_so=False)


@pytest.mark.parametrize("order", ["append first", "assign first"])
async def test_a_change_in_place_beside_an_assignment_fails_the_authors_test(order: str) -> None:
    async def play() -> None:
        async with open_store(Memory(), Item, executor=inline, strict=True) as store:
            item = store.add(Item(name="a"), "a")
            await store.saved()
            for step in ("append", "assign") if order == "append first" else ("assign", "append"):
                if step == "append":
                    item.notes.append("hello")
                else:
                    item.gold = 3
            await store.saved()

    with pytest.raises(ChangedInPlace, match=r"Item.notes of 'a' was changed in place: assign it, item.notes = …"):
        await play()


async def test_a_change_in_place_before_the_last_save_of_a_loaded_record_fails_the_authors_test() -> None:
    stored = Stored()
    async with open_store(Memory(stored), Item, executor=inline, strict=True) as store:
        store.add(Item(name="a", notes=["x"]), "a")

    async def play() -> None:
        async with open_store(Memory(stored), Item, executor=inline, strict=True) as store:
            item = store.get(Item, "a")
            assert item is not None
            item.gold = 3
            item.notes.append("hello")

    with pytest.raises(ChangedInPlace, match=r"Item.notes of 'a' was changed in place"):
        await play()


async def test_assigned_lists_and_those_reported_as_changed_pass_at_each_step_of_a_save(
    autojump_clock: MockClock,
) -> None:
    async with open_store(Memory(), Item, executor=delayed(lambda: 0.1), interval=0.01, strict=True) as store:
        items = [store.add(Item(name=f"{number}")) for number in range(200)]
        gone = store.add(Item(name="gone"))
        await store.saved()
        for turn in range(30):
            await trio.sleep(0.05)
            for item in items[:: 1 + turn % 3]:
                item.gold = turn
                item.notes = [*item.notes, "assigned"]
                item.notes.append("reported")
                store.changed(item)
                same = item.notes
                same.append("assigned again")
                item.notes = same
        store.remove(gone)
        await store.saved()
        assert len(items[0].notes) == 90


async def test_the_sweep_names_the_field_also_of_a_record_that_was_loaded(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_store(Memory(stored), Item, Member, executor=inline) as store:
        store.add(Item(name="a", notes=["x"]), "a")
        store.add(Member(name="Ann"), "ann")
    async with open_store(Memory(stored), Item, Member, executor=inline, interval=NEVER) as store:
        assert await store.sweep() == []
        item = store.get(Item, "a")
        assert item is not None
        item.notes.clear()
        (change,) = await store.sweep()
        assert (change.record, change.field) == (item, "notes")
        assert store.is_dirty
    assert stored.rows["thing", "a"].data == b'{"name":"a"}'


async def test_a_database_that_cannot_be_closed_after_all_was_saved_is_a_warning(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Memory):
        def close(self) -> None:
            raise OSError("the server is gone")

    memory = Stuck()
    async with open_store(memory, Item, executor=inline) as store:
        store.add(Item(name="lamp"), "lamp")
    assert ("thing", "lamp") in memory.stored.rows
    assert caplog.messages == ["memory could not be closed properly: the server is gone"]


async def test_a_disk_that_works_again_in_the_last_seconds_is_still_used(autojump_clock: MockClock) -> None:
    backend = Faulty()

    async def repair() -> None:
        await trio.sleep(63)
        backend.error = None

    async with trio.open_nursery() as nursery:
        nursery.start_soon(repair)
        async with open_store(backend, Item, executor=inline, cleanup=5) as store:
            backend.error = FULL
            store.add(Item(name="lamp"), "lamp")
            await trio.sleep(60)  # by now saving is retried every five seconds
    assert ("thing", "lamp") in backend.stored.rows


async def test_a_sweep_that_cannot_read_costs_no_save(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Unreadable(Memory):
        def read(self, family: str, key: str) -> list[Row]:
            raise OSError(5, "Input/output error")

    backend = Unreadable()
    async with open_store(backend, Item, executor=inline) as store:
        item = store.add(Item(name="a"))
        await store.saved()
        item.notes.append("hello")
        await trio.sleep(SWEEP_INTERVAL * 1.5)
        store.add(Item(name="b"))
        await trio.sleep(SWEEP_INTERVAL)
        await store.saved()
    assert len(backend.stored.rows) == 2
    assert "the sweep failed: " in caplog.text
