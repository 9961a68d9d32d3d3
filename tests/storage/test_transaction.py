"""A transaction is of one moment, however the game goes on while it is encoded, and however often it fails."""

from __future__ import annotations

import random

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trio_mud.errors import NotSaved, StorageError
from trio_mud.storage import Changes, Memory, Record, Store, Stored, inline, open_store
from trio_mud.storage import transaction as module
from trio_mud.storage.transaction import Transaction

from .faulty import FULL, Faulty, delayed
from .records import Item

NEVER = 1e6  # seconds


class Purse(Record, family="purse", resident=True):
    gold: int = 0
    turn: int = 0
    thanks: list[str] = []


def gold_in(stored: Stored) -> int:
    return sum(msgspec.json.decode(row.data).get("gold", 0) for row in stored.rows.values())


def turn_of(stored: Stored, key: str) -> int:
    return int(msgspec.json.decode(stored.rows["purse", key].data).get("turn", 0))


# By hand


def take(store: Store) -> Transaction:
    transaction = store.take_changes()
    assert transaction is not None
    return transaction


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_RECORDS", 1)


@pytest.mark.usefixtures("small_slices")
async def test_a_change_after_the_moment_belongs_to_the_next_transaction() -> None:
    backend = Memory()
    async with open_store(backend, Purse, executor=inline, interval=NEVER) as store:
        purses = [store.add(Purse(gold=1), f"p{number}") for number in range(3)]
        first = take(store)
        assert first.encode_slice()
        for purse in purses:
            purse.gold = 9
        new = store.add(Purse(gold=9), "new")
        store.remove(purses[2])
        first.encode()
        backend.write(first.changes())
        first.committed()
        assert {key[1]: row.data for key, row in backend.stored.rows.items()} == dict.fromkeys(
            ["p0", "p1", "p2"], b'{"gold":1}'
        )
        second = take(store)
        second.encode()
        assert {row.key for row in second.changes().rows} == {"p0", "p1", "new"}
        assert second.changes().removed == [("purse", "p2")]
        second.committed()
        assert new.key == "new"
        assert store.take_changes() is None


class Rider(Record, family="rider", resident=True):
    name: str = ""
    horse: Rider | None = None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_reference_to_a_record_removed_after_the_moment_is_of_the_moment(fails: bool) -> None:
    backend = Memory()
    async with open_store(backend, Rider, executor=inline, interval=NEVER) as store:
        horse = store.add(Rider(name="grey"), "horse")
        rider = store.add(Rider(name="ann", horse=horse), "rider")
        first = take(store)
        store.remove(horse)
        first.encode()
        assert {row.key: row.data for row in first.changes().rows} == {
            "horse": b'{"name":"grey"}',
            "rider": b'{"name":"ann","horse":"horse"}',
        }
        if fails:
            first.failed(FULL)
        else:
            backend.write(first.changes())
            first.committed()
        rider.name = "bea"
        second = take(store)
        second.encode()
        assert {row.key: row.data for row in second.changes().rows} == {"rider": b'{"name":"bea"}'}
        assert second.changes().removed == [("rider", "horse")]
        second.committed()


async def test_a_failed_transaction_is_part_of_the_next_one_with_what_changed_since() -> None:
    async with open_store(Memory(), Purse, executor=inline, interval=NEVER) as store:
        one, two, three = (store.add(Purse(gold=1), key) for key in ("one", "two", "three"))
        first = take(store)
        first.encode()
        first.committed()
        one.gold = two.gold = 2
        store.remove(three)
        store.log("audit", number=1)
        store.set_value("clock", 1)
        store.set_value("other", 1)
        failed = take(store)
        failed.encode()
        two.gold = 3
        store.remove(one)
        store.add(Purse(gold=5), "three")  # its key was to be deleted
        store.log("audit", number=2)
        store.set_value("clock", 2)
        failed.failed(FULL)
        assert store.error is FULL
        again = take(store)
        again.encode()
        changes = again.changes()
        assert {row.key: row.data for row in changes.rows} == {"two": b'{"gold":3}', "three": b'{"gold":5}'}
        assert changes.removed == [("purse", "one")]
        assert [entry.number for entry in changes.entries] == [1, 2]
        assert {name: data for name, data in changes.values if "trio_mud" not in name} == {"clock": b"2", "other": b"1"}
        again.committed()
        assert store.error is None


async def test_only_one_transaction_is_open_at_a_time_and_it_is_encoded_before_it_is_written() -> None:
    async with open_store(Memory(), Purse, executor=inline, interval=NEVER) as store:
        store.add(Purse(), "one")
        first = take(store)
        with pytest.raises(StorageError, match="one writer at a time"):
            store.take_changes()
        with pytest.raises(RuntimeError, match="call encode_slice"):
            first.changes()
        first.failed(FULL)


async def test_a_slice_is_bounded_in_records_and_in_bytes() -> None:
    async with open_store(Memory(), Item, executor=inline, interval=NEVER) as store:
        for number in range(130):
            store.add(Item(name=f"{number}"))
        for _ in range(3):
            store.add(Item(name="x" * module.SLICE_BYTES))
        transaction = take(store)
        slices = []
        more = True
        while more:
            before = len(transaction._rows)
            more = transaction.encode_slice()
            slices.append(len(transaction._rows) - before)
        assert slices == [64, 64, 3, 1, 1, 0]
        transaction.failed(FULL)


# Values that cannot be stored


async def test_a_value_that_cannot_be_encoded_keeps_the_last_row_and_is_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = Memory()
    async with open_store(backend, Purse, executor=inline, interval=NEVER) as store:
        one, two = store.add(Purse(gold=1), "one"), store.add(Purse(gold=1), "two")
        await store.saved()
        one.gold = object()  # type: ignore[assignment]
        two.gold = 2
        for _ in range(2):
            with pytest.raises(NotSaved, match=r"<Purse 'one'> cannot be saved: TypeError: .*object"):
                await store.saved()
            one.turn += 1
        assert {key[1]: row.data for key, row in backend.stored.rows.items()} == {
            "one": b'{"gold":1}',
            "two": b'{"gold":2}',
        }
        assert len(caplog.records) == 1
        assert "keeps its last stored state" in caplog.text
        one.gold = 3
        await store.saved()
        assert backend.stored.rows["purse", "one"].data == b'{"gold":3,"turn":2}'


# By chance

PEOPLE = 12
LOOSE = [f"loose-{number}" for number in range(4)]  # keys of purses that come and go


@given(st.integers(0, 2**32))
def test_money_is_conserved_and_nothing_acknowledged_is_lost_while_saves_fail(seed: int) -> None:
    chance = random.Random(seed)
    stored = Stored()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE_RECORDS", 3)
        trio.run(trade_for_a_while, chance, stored, patch, clock=MockClock(autojump_threshold=0))
    assert gold_in(stored) == PEOPLE * 100


async def trade_for_a_while(chance: random.Random, stored: Stored, patch: pytest.MonkeyPatch) -> None:
    class Moody(Faulty):
        def write(self, changes: Changes) -> None:
            if is_playing:
                act(store, chance)
            self.error = FULL if chance.random() < 0.3 else None
            super().write(changes)
            sums.add(gold_in(stored))  # after every commit; an assertion would only be a failed write

    def encode_slice(transaction: Transaction) -> bool:
        more = whole_slice(transaction)
        if is_playing:
            act(store, chance)  # between any two slices: players who only acted now and then would hardly ever do so
        return more

    sums: set[int] = set()
    is_playing = False
    whole_slice = Transaction.encode_slice
    patch.setattr(Transaction, "encode_slice", encode_slice)
    slow = delayed(lambda: chance.random() * 0.3)
    async with open_store(Moody(stored), Purse, executor=slow, interval=0.5, cleanup=1000) as store:
        for number in range(PEOPLE):
            store.add(Purse(gold=100), f"p{number}")
        await store.saved(within=1000)
        is_playing = True
        acknowledged: dict[str, int] = {}
        with trio.move_on_after(6):
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(trade, store, stored, f"p{number}", chance, acknowledged)
        is_playing = False
    assert sums == {PEOPLE * 100}
    for key, turn in acknowledged.items():
        assert turn_of(stored, key) >= turn


async def trade(store: Store, stored: Stored, me: str, chance: random.Random, acknowledged: dict[str, int]) -> None:
    for turn in range(1, 1000):
        await trio.sleep(chance.random() * 0.1)
        act(store, chance)
        mine = store.get(Purse, me)
        assert mine is not None
        mine.turn = turn
        if chance.random() < 0.2:
            try:
                await store.saved(within=2)
            except NotSaved:
                continue
            assert turn_of(stored, me) >= turn
            acknowledged[me] = turn


def act(store: Store, chance: random.Random) -> None:
    """Pay, make a purse, or empty one, in one step."""
    mine, other = (store.get(Purse, f"p{chance.randrange(PEOPLE)}") for _ in range(2))
    assert mine is not None
    assert other is not None
    key = chance.choice(LOOSE)
    loose = store.get(Purse, key)
    if chance.random() < 0.5:
        mine.gold -= 1
        other.gold += 1
    elif loose is None:
        store.add(Purse(gold=5), key)
        mine.gold -= 5
    else:
        other.gold += loose.gold
        store.remove(loose)
