"""The contract of a store and its backend, the same on every backend."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from trio_mud.errors import CannotOpenStorage, DuplicateKey, StorageError, UnreadableRecord
from trio_mud.storage import Changes, Entry, Memory, Record, Row, Sqlite, open_store
from trio_mud.storage.lock import IN_USE
from trio_mud.storage.rows import Lookup

from .conftest import Database
from .records import Hero, Item, Member

NEVER = 1e6  # seconds: the writer acts only when asked to


# Records


async def test_a_record_that_was_saved_is_there_after_a_restart(database: Database) -> None:
    async with open_store(database(), Item) as store:
        hall = store.add(Item(name="hall"), "hall")
        chest = store.add(Item(name="chest", place=hall, gold=3), "chest")
        chest.gold = 5
        chest.flame = object()
        await store.saved()

    async with open_store(database(), Item) as store:
        found = store.get(Item, "chest")
        assert found is not None
        assert (found.name, found.gold, found.notes, found.flame) == ("chest", 5, [], None)
        assert found.place is store.get(Item, "hall")
        assert {thing.key for thing in store.all(Item)} == {"hall", "chest"}


async def test_leaving_the_block_saves(database: Database) -> None:
    async with open_store(database(), Item, interval=NEVER) as store:
        store.add(Item(name="hall"), "hall")
    async with open_store(database(), Item) as store:
        assert store.get(Item, "hall")


async def test_leaving_the_block_by_an_error_saves_and_the_error_comes_as_itself(database: Database) -> None:
    async def play() -> None:
        async with open_store(database(), Item, interval=NEVER) as store:
            store.add(Item(name="hall"), "hall")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await play()
    async with open_store(database(), Item) as store:
        assert store.get(Item, "hall")


async def test_a_cancel_from_outside_still_saves(database: Database) -> None:
    with trio.CancelScope() as outside:
        async with open_store(database(), Item, interval=NEVER) as store:
            store.add(Item(name="hall"), "hall")
            outside.cancel()
            await trio.sleep_forever()
    assert outside.cancelled_caught
    async with open_store(database(), Item) as store:
        assert store.get(Item, "hall")


async def test_a_removed_record_stays_removed_and_references_to_it_are_none(database: Database) -> None:
    async with open_store(database(), Item) as store:
        hall = store.add(Item(name="hall"), "hall")
        store.add(Item(name="coin", place=hall), "coin")
        await store.saved()
        store.remove(hall)
        store.remove(hall)
    async with open_store(database(), Item) as store:
        (coin,) = store.all(Item)
        assert (coin.key, coin.place) == ("coin", None)


async def test_a_removed_key_can_be_added_again(database: Database) -> None:
    async with open_store(database(), Item) as store:
        old = store.add(Item(name="old"), "x")
        await store.saved()
        store.remove(old)
        store.add(Item(name="new"), "x")
    async with open_store(database(), Item) as store:
        assert [thing.name for thing in store.all(Item)] == ["new"]


async def test_numbered_keys_are_never_given_out_twice(database: Database) -> None:
    async with open_store(database(), Item) as store:
        first, last = store.add(Item(name="a")), store.add(Item(name="b"))
        await store.saved()
        store.remove(last)
    async with open_store(database(), Item) as store:
        assert store.add(Item(name="c")).key not in (first.key, last.key)


# Loading


async def test_a_record_that_is_not_resident_is_loaded_once_for_all_who_ask(database: Database) -> None:
    async with open_store(database(), Member) as store:
        store.add(Member(name="Ann", email="ann@inn"), "ann")
    async with open_store(database(), Member) as store:
        assert store.get(Member, "ann") is None
        assert list(store.all(Member)) == []
        found: list[Member | None] = []

        async def load() -> None:
            found.append(await store.load(Member, "ann"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(load)
            nursery.start_soon(load)
        assert found[0] is found[1]
        assert found[0] is not None
        assert found[0].email == "ann@inn"
        assert await store.load(Member, "bob") is None


async def test_a_loaded_record_is_saved_as_long_as_anyone_can_change_it(database: Database) -> None:
    async with open_store(database(), Member) as store:
        store.add(Member(name="Ann"), "ann")
    async with open_store(database(), Member) as store:
        ann = await store.load(Member, "ann")
        assert ann is not None
        assert await store.load(Member, "ann") is ann
        ann.level = 2
        del ann
        ann = await store.load(Member, "ann")  # nobody referred to it, and it was not saved
        assert ann is not None
        assert ann.level == 2
        await store.saved()
        ann.level = 3
    async with open_store(database(), Member) as store:
        ann = await store.load(Member, "ann")
        assert ann is not None
        assert ann.level == 3


async def test_belongings_come_and_go_with_their_owner(database: Database) -> None:
    async with open_store(database(), Item) as store:
        hall = store.add(Item(name="hall"), "hall")
        ann = store.add(Hero(name="Ann", place=hall), "ann")
        bag = store.add(Item(name="bag", place=ann), "bag")
        store.add(Item(name="coin", place=bag), "coin")
    async with open_store(database(), Item, interval=NEVER) as store:
        assert [thing.key for thing in store.all(Item)] == ["hall"]
        held = await store.hold(Hero, "ann")
        assert held is not None
        assert {thing.key for thing in store.all(Item)} == {"hall", "ann", "bag", "coin"}
        coin = store.get(Item, "coin")
        assert coin is not None
        assert coin.place is store.get(Item, "bag")
        new = store.add(Item(name="apple", place=held), "apple")
        coin.place = store.get(Item, "hall")
        assert await store.hold(Hero, "ann") is held
        store.release(held)
        store.release(held)
        with pytest.raises(StorageError, match="not held"):
            store.release(held)
        await store.saved()
        assert {thing.key for thing in store.all(Item)} == {"hall", "coin"}
        held.gold = 7  # someone still has it: it is saved
        del new
    async with open_store(database(), Item) as store:
        assert {thing.key for thing in store.all(Item)} == {"hall", "coin"}
        held = await store.hold(Hero, "ann")
        assert held is not None
        assert held.gold == 7
        assert {thing.key for thing in store.all(Item)} == {"hall", "coin", "ann", "bag", "apple"}


async def test_a_load_of_an_owner_keeps_its_belongings_in_memory_while_it_is_there(database: Database) -> None:
    async with open_store(database(), Item) as store:
        ann = store.add(Hero(name="Ann"), "ann")
        store.add(Item(name="bag", place=ann), "bag")
    async with open_store(database(), Item) as store:
        ann_again = await store.load(Hero, "ann")
        assert ann_again is not None
        bag = store.get(Item, "bag")
        assert bag is not None
        assert bag.place is ann_again
        assert list(store.all(Item)) == []


# Keys and unique values


@pytest.mark.parametrize("saved", [True, False])
async def test_a_key_in_use_is_refused_in_memory_and_on_disk(database: Database, saved: bool) -> None:
    async with open_store(database(), Member) as store:
        ann = store.add(Member(name="Ann"), "ann")
        if saved:
            await store.saved()
            del ann
        with pytest.raises(DuplicateKey, match="account 'ann' exists already"):
            store.add(Member(name="Anna"), "ann")
    async with open_store(database(), Member) as store:
        with pytest.raises(DuplicateKey):  # nobody has loaded it
            store.add(Member(name="Anna"), "ann")


async def test_a_unique_value_is_refused_whoever_has_it(database: Database) -> None:
    async with open_store(database(), Member) as store:
        store.add(Member(name="Ann", email="ann@inn"), "ann")
        store.add(Member(name="Bob"), "bob")
        store.add(Member(name="Cid"), "cid")  # the default is no value to be unique
    async with open_store(database(), Member) as store:
        with pytest.raises(DuplicateKey, match="another account has the email 'ann@inn' already"):
            store.add(Member(name="Dan", email="ann@inn"), "dan")
        assert await store.load(Member, "dan") is None
        bob = await store.load(Member, "bob")
        assert bob is not None
        with pytest.raises(DuplicateKey):
            bob.email = "ann@inn"
        assert bob.email == ""
        ann = await store.load(Member, "ann")
        assert ann is not None
        ann.email = "anna@inn"
        bob.email = "ann@inn"
        store.remove(ann)
        store.add(Member(name="Eve", email="anna@inn"), "eve")


async def test_find_knows_what_is_in_memory_and_what_is_on_disk(database: Database) -> None:
    async with open_store(database(), Item, Member) as store:
        for name, email, level in [("ann", "a@inn", 3), ("bob", "b@inn", 1), ("cid", "c@inn", 3), ("dan", "d@inn", 3)]:
            store.add(Member(name=name, email=email, level=level), name)
        store.add(Item(name="chest", gold=3), "chest")
    async with open_store(database(), Item, Member, interval=NEVER) as store:
        assert await store.find(Member, email="b@inn") == ["bob"]
        assert await store.find(Member, level=1) == ["bob"]  # a default, which no row holds
        ann, bob, dan = [await store.load(Member, name) for name in ("ann", "bob", "dan")]
        assert ann is not None
        assert bob is not None
        assert dan is not None
        ann.level, bob.level = 1, 3
        store.remove(dan)
        assert await store.find(Member, level=3) == ["bob", "cid"]
        assert await store.find(Member, level=1) == ["ann"]
        assert await store.find(Item, gold=3) == ["chest"]
        assert await store.find(Hero, gold=3) == []
        with pytest.raises(TypeError, match="has no index: declare it with index"):
            await store.find(Member, name="ann")


# Values and logs


async def test_values_and_logs_are_there_after_a_restart(database: Database) -> None:
    async with open_store(database(), Item, wall_clock=lambda: 1234.5) as store:
        store.set_value("clock", 12.5)
        store.set_value("done", ["one"])
        store.value("done").append("two")  # a copy
        for number in range(3):
            store.log("audit", who="ann", number=number)
        store.log("mail", text="hello")
        assert [entry["number"] for _, entry in await store.entries("audit", last=2)] == [1, 2]  # not written yet
    async with open_store(database(), Item) as store:
        assert (store.value("clock"), store.value("done"), store.value("none", 7)) == (12.5, ["one"], 7)
        store.log("audit", who="bob")
        await store.saved()
        entries = await store.entries("audit", last=3)
        assert entries[:2] == [(1234.5, {"who": "ann", "number": 1}), (1234.5, {"who": "ann", "number": 2})]
        assert entries[2][1] == {"who": "bob"}
        assert await store.entries("mail") == [(1234.5, {"text": "hello"})]
        assert await store.entries("none") == []


# Rows that cannot be read


class Purse(Record, family="purse", resident=True):
    gold: int = 0


async def test_a_row_that_does_not_fit_is_left_alone_and_the_others_load(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(database(), Purse) as store:
        store.add(Purse(gold=1), "good")
        store.add(Purse(gold="much"), "bad")  # type: ignore[arg-type]
    assert "<Purse 'bad'> is saved, and could not be loaded again: Expected `int`, got `str`" in caplog.text
    for _ in range(2):
        caplog.clear()
        async with open_store(database(), Purse) as store:
            assert [purse.key for purse in store.all(Purse)] == ["good"]
            assert "Expected `int`, got `str` - at `$.gold`" in store.quarantined["purse", "bad"]
            with pytest.raises(UnreadableRecord, match=r"purse 'bad' cannot be loaded: .*\$\.gold"):
                await store.load(Purse, "bad")
            with pytest.raises(DuplicateKey):
                store.add(Purse(), "bad")
        assert "purse 'bad' cannot be loaded and stays in the database as it is" in caplog.text


async def test_a_reference_to_a_quarantined_record_is_stored_until_it_is_assigned(database: Database) -> None:
    backend = database()
    async with open_store(backend, Item) as store:
        hall, attic = (store.add(Item(name=name), name) for name in ("hall", "attic"))
        store.add(Item(name="coin", place=hall), "coin")
        store.add(Item(name="cup", place=attic), "cup")
        hall.gold = attic.gold = "much"  # type: ignore[assignment]
    async with open_store(database(), Item) as store:
        coin, cup = store.get(Item, "coin"), store.get(Item, "cup")
        assert coin is not None
        assert cup is not None
        assert (coin.place, cup.place) == (None, None)
        coin.gold = cup.gold = 1
        cup.place = None
    backend = database()
    backend.open()
    rows = {row.key: row.data for chunk in backend.scan("thing") for row in chunk}
    backend.close()
    assert b'"place":"hall"' in rows["coin"]
    assert b"place" not in rows["cup"]


# The backend by itself


def row(key: str, *, owner: str = "", data: bytes = b"{}", kind: str = "thing") -> Row:
    return Row("thing", key, kind, "", owner, data)


def test_a_write_that_is_repeated_changes_nothing_more(database: Database) -> None:
    backend = database()
    backend.open()
    backend.write(Changes([row("gone")]))
    changes = Changes(
        [row("a"), row("b", owner="a")], [("thing", "gone")], [Entry(1, "audit", 2.5, b"{}")], [("clock", b"1")]
    )
    for _ in range(2):
        backend.write(changes)
    assert [[found.key for found in chunk] for chunk in backend.scan("thing")] == [["a"]]
    assert sorted(backend.keys("thing")) == ["a", "b"]
    assert backend.entries("audit", 9) == [Entry(1, "audit", 2.5, b"{}")]
    assert (backend.values(), backend.last_entry()) == ({"clock": b"1"}, 1)
    backend.close()
    backend.close()


def test_a_scan_yields_every_row_once_in_chunks(database: Database) -> None:
    backend = database()
    backend.open()
    keys = {f"#{number}" for number in range(1203)} | {"ö", "ž'\"", "日本"}
    backend.write(Changes([row(key, data=b'{"name":"\xc3\xb6"}') for key in keys]))
    chunks = list(backend.scan("thing"))
    assert max(map(len, chunks)) <= 500
    assert sorted(found.key for chunk in chunks for found in chunk) == sorted(keys)
    assert {found for chunk in chunks for found in chunk} == {row(key, data=b'{"name":"\xc3\xb6"}') for key in keys}
    backend.close()


def test_a_search_compares_text_numbers_and_what_is_absent(database: Database) -> None:
    backend = database()
    backend.open()
    for field in ("name", "gold"):
        backend.index("thing", field)
    backend.index("thing", "gold")
    backend.write(
        Changes(
            [
                row("a", data=b'{"name":"x\'\\"y","gold":3}'),
                row("b", data=b'{"gold":4}', kind="hero"),
                row("c", data=b"{}"),
                row("d", data=b"{}", kind="hero"),
                row("e", data=b'{"gold":3}', kind="other"),
            ]
        )
    )
    kinds = ("thing", "hero")
    assert backend.find(Lookup("thing", "name", "x'\"y", kinds, ())) == ["a"]
    assert backend.find(Lookup("thing", "gold", 3, kinds, ())) == ["a"]
    assert sorted(backend.find(Lookup("thing", "gold", 3, ("thing",), ("hero",)))) == ["a", "d"]
    assert backend.find(Lookup("thing", "gold", 5, kinds, ())) == []
    assert sorted(backend.column("thing", "gold")) == [("a", 3), ("b", 4), ("e", 3)]
    backend.close()


async def test_a_second_server_is_refused_and_the_next_one_is_not(database: Database) -> None:
    if isinstance(database(), Memory):
        pytest.skip("a database in memory has one process")
    async with open_store(database(), Item):
        with pytest.raises(CannotOpenStorage, match="in use by") as caught:
            async with open_store(database(), Item):
                pass
        assert caught.value.status == IN_USE
    async with open_store(database(), Item):
        pass


def test_a_backup_is_a_database_of_its_own_and_the_writer_goes_on(database: Database, tmp_path: Path) -> None:
    backend = database()
    backend.open()
    backend.write(Changes([row("a")], (), [Entry(1, "audit", 2.5, b"{}")], [("clock", b"1")]))
    backend.backup(tmp_path / "copy.db")
    backend.write(Changes([row("b")]))
    backend.close()

    copy = Sqlite(tmp_path / "copy.db")
    copy.open()
    assert (copy.keys("thing"), copy.values(), copy.last_entry()) == (["a"], {"clock": b"1"}, 1)
    copy.close()
