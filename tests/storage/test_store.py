"""The store's calls at their edges; what every backend does is in `test_contract.py`."""

from __future__ import annotations

import gc
import random
from collections import Counter
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from trio_mud.errors import DuplicateKey, StorageError
from trio_mud.storage import Memory, Stored, inline, open_store
from trio_mud.storage.transaction import SLICE_RECORDS

from .faulty import Faulty, delayed
from .records import Hero, Item, Member

NEVER = 1e6  # seconds


class Steps(trio.abc.Instrument):
    """Counts the steps of tasks."""

    count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def test_after_the_block_no_change_is_lost_in_silence() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        thing = store.add(Item(name="a"), "a")
    with pytest.raises(StorageError, match="the store is closed, and changes would be lost"):
        thing.gold = 1
    assert thing.gold == 0
    thing.flame = 1
    for call in (
        lambda: store.add(Item(name="b")),
        lambda: store.remove(thing),
        lambda: store.log("audit"),
        lambda: store.set_value("clock", 1),
    ):
        with pytest.raises(StorageError, match="the store is closed"):
            call()


async def test_a_class_that_the_store_does_not_know_is_named() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        with pytest.raises(TypeError, match="Member is not among the record classes"):
            store.get(Member, "ann")
        with pytest.raises(TypeError, match="Member is not among the record classes"):
            await store.load(Member, "ann")


async def test_a_record_is_added_once() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        thing = store.add(Item(name="a"), "a")
        with pytest.raises(DuplicateKey, match="is stored already"):
            store.add(thing, "b")


async def test_what_is_not_there_cannot_be_held() -> None:
    async with open_store(Memory(), Item, Member, executor=inline) as store:
        assert await store.hold(Member, "ann") is None
        store.add(Item(name="a"), "a")
        assert await store.hold(Hero, "a") is None  # of another class


async def test_a_search_takes_one_field() -> None:
    async with open_store(Memory(), Member, executor=inline) as store:
        with pytest.raises(TypeError, match="exactly one field"):
            await store.find(Member)
        with pytest.raises(TypeError, match="exactly one field"):
            await store.find(Member, email="x", level=1)


async def test_a_record_that_was_removed_while_it_is_loaded_does_not_come_back(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_store(Memory(stored), Item, executor=inline) as store:
        ann = store.add(Hero(name="Ann"), "ann")
        store.add(Item(name="bag", place=ann), "bag")
    async with open_store(Faulty(stored), Item, executor=delayed(lambda: 1.0)) as store:
        bag = await store.load(Item, "bag")
        assert bag is not None
        found: list[Hero | None] = []

        async def load() -> None:
            found.append(await store.load(Hero, "ann"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(load)
            await trio.sleep(0.5)
            store.remove(bag)
        assert found[0] is not None
        assert store.get(Item, "bag") is None
    assert list(stored.rows) == [("thing", "ann")]


async def test_a_record_that_nobody_refers_to_is_forgotten_once_it_is_saved(autojump_clock: MockClock) -> None:
    async with open_store(Memory(), Member, Item, executor=inline, interval=NEVER) as store:
        store.add(Member(name="Ann"), "ann")
        ann = store.add(Hero(name="Ann"), "ann")
        store.add(Item(name="bag", place=ann), "bag")
        del ann
        gc.collect()
        assert store.get(Member, "ann") is not None
        assert store.get(Item, "bag") is not None
        await store.saved()
        await trio.lowlevel.checkpoint()
        gc.collect()
        assert store.get(Member, "ann") is None
        assert store.get(Item, "bag") is None
        assert await store.load(Member, "ann") is not None


async def test_sweeps_and_searches_let_others_run() -> None:
    count = 20 * SLICE_RECORDS
    async with open_store(Memory(), Item, executor=inline, interval=NEVER) as store:
        for _ in range(count):
            store.add(Item(name="a", gold=3))
        await store.saved()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        assert await store.sweep() == []
        assert steps.count >= 20
        steps.count = 0
        assert len(await store.find(Item, gold=3)) == count
        assert steps.count >= 2
        trio.lowlevel.remove_instrument(steps)


@pytest.mark.parametrize("seed", range(20))
async def test_a_walk_over_all_records_meets_each_once_while_others_come_and_go(seed: int) -> None:
    chance = random.Random(seed)
    async with open_store(Memory(), Item, executor=inline, interval=NEVER) as store:
        items = {key: store.add(Item(name=key), key) for key in map(str, range(40))}
        for _ in range(3):
            staying, met = set(items), Counter[str]()
            for record in store._contents.walk("thing"):
                if record is not None:
                    assert items[record.key] is record
                    met[record.key] += 1
                for key in chance.sample(range(60), 2):
                    if str(key) in items:
                        store.remove(items.pop(str(key)))
                        staying.discard(str(key))
                    elif chance.random() < 0.5:
                        items[str(key)] = store.add(Item(name="again"), str(key))
            assert all(met[key] == 1 for key in staying)
            await store.saved()
        assert len(store._contents._order["thing"]) <= 60


async def test_the_state_of_an_unencodable_record_is_part_of_what_is_lost() -> None:
    with pytest.raises(StorageError, match="1 changed records are lost: TypeError"):
        async with open_store(Memory(), Item, executor=inline) as store:
            store.add(Item(name=object()), "a")  # type: ignore[arg-type]


async def test_a_call_with_a_wrong_argument_says_what_it_takes() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        with pytest.raises(TypeError, match=r"by their class, .*; 'thing' is not a class of records"):
            store.get("thing", "a")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="'thing' is not a class of records"):
            await store.find("thing", gold=3)  # type: ignore[arg-type]
        for wrong in (Item, "a"):
            with pytest.raises(TypeError, match=r"takes a record, such as add\(Guest\(\), key\), not "):
                store.add(wrong, "a")  # type: ignore[type-var]
        with pytest.raises(TypeError, match=r"a key is a str, not a int \(3\): pass str\(key\)"):
            store.add(Item(name="a"), 3)  # type: ignore[arg-type]


class OddText(str):
    """A text of a game's own kind, as a hidden line is."""

    __slots__ = ()


async def test_a_key_or_a_name_of_a_kind_of_str_is_stored_as_a_plain_one() -> None:
    async with open_store(Memory(Stored()), Item, executor=inline) as store:
        item = store.add(Item(name="a"), OddText("lamp"))
        store.log(OddText("audit"), what="made")
        store.set_value(OddText("clock"), 1)
        changes = store.take_changes()
        assert changes is not None
        assert type(item.key) is str
        names = [*(entry.log for entry in changes.entries), *changes.values]
        assert [type(name) for name in names] == [str, str]


@pytest.mark.parametrize("name", ["a\ud800", 5])
async def test_a_log_or_a_value_whose_name_no_database_can_store_is_refused(name: Any) -> None:
    async with open_store(Memory(Stored()), Item, executor=inline) as store:
        with pytest.raises((TypeError, ValueError), match=r"a name is a str|is no text that can be stored"):
            store.log(name, what="made")
        with pytest.raises((TypeError, ValueError), match=r"a name is a str|is no text that can be stored"):
            store.set_value(name, 1)
        assert not store.is_dirty
