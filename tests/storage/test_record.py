"""Declaring records, and what assigning to them does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from trio_mud.storage import Memory, Record, inline, live, open_store

from .records import Hero, Item, Member


def test_each_record_has_its_own_list() -> None:
    first, second = Item(name="a"), Item(name="b")
    first.notes.append("x")
    assert (second.notes, Item(name="c").notes) == ([], [])


def test_a_live_field_is_no_argument() -> None:
    with pytest.raises(TypeError, match="flame"):
        Item(name="a", flame=1)  # type: ignore[call-arg]
    assert Item(name="a").flame is None


def test_a_live_field_can_have_a_value_of_its_own() -> None:
    class Bell(Record, family="bell"):
        listeners: list[str] = live(default_factory=list)

    assert Bell().listeners == []
    assert Bell().listeners is not Bell().listeners


@pytest.mark.parametrize(
    ("arguments", "fields", "words"),
    [
        ({"family": "No Name"}, {}, "lower-case"),
        ({"family": "a", "kind": "no name"}, {}, "must be a name"),
        ({"family": "a", "version": 0}, {}, "the first one is 1"),
        ({"family": "a", "index": ("colour",)}, {}, "no stored field colour to index"),
        ({"family": "a"}, {"key": "str"}, "hides an attribute"),
        ({"family": "a"}, {"stored_with": "str"}, "hides an attribute"),
    ],
)
def test_a_wrong_declaration_is_refused(arguments: dict[str, Any], fields: dict[str, str], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        type("Wrong", (Record,), {"__annotations__": fields}, **arguments)


def test_a_value_without_a_type_is_refused_because_it_would_not_be_stored() -> None:
    with pytest.raises(TypeError, match=r"Lost.gold has no type, so it is not stored: write gold: int = 5"):

        class Lost(Record, family="lost"):
            gold = 5

    with pytest.raises(TypeError, match="write gold: int = 7"):

        class Richer(Item):
            gold = 7

    class Kept(Record, family="kept"):
        MOST = 3
        _cache = ""
        gold: int = 5

        @property
        def is_rich(self) -> bool:
            return self.gold >= self.MOST

    assert Kept(gold=1).is_rich is False


async def test_a_refused_class_does_not_stop_the_next_store() -> None:
    with pytest.raises(TypeError, match="write gold: int = 7") as refusal:

        class Refused(Item):
            gold = 7

    async with open_store(Memory(), Item, executor=inline) as store:
        store.add(Item(name="a"), "a")
    assert refusal.tb is not None  # keeps the class from being collected


async def test_the_key_of_a_stored_record_cannot_change() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        thing = store.add(Item(name="a"), "a")
        with pytest.raises(AttributeError, match="cannot change"):
            thing.key = "b"
        with pytest.raises(AttributeError, match=r"Item.gold is stored and cannot be deleted"):
            del thing.gold
        thing.flame = 1
        del thing.flame
        assert (thing.key, store.get(Item, "a")) == ("a", thing)


async def test_a_copy_is_a_new_record_that_can_be_added() -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        thing = store.add(Item(name="a", gold=3), "a")
        for other in (copy.copy(thing), pickle.loads(pickle.dumps(thing)), dataclasses.replace(thing, key="")):
            assert (other.key, other.name, other.gold) == ("", "a", 3)
            other.gold = 4
            assert thing.gold == 3
            store.add(other)
        assert len(list(store.all(Item))) == 4


async def test_only_an_assignment_to_a_stored_field_makes_a_record_dirty() -> None:
    async with open_store(Memory(), Item, executor=inline, interval=1e6) as store:
        thing = store.add(Item(name="a"), "a")
        await store.saved()
        thing.flame = 1
        assert not store.is_dirty
        thing.gold = 1
        assert store.is_dirty


async def test_the_four_methods_are_called_when_a_record_comes_and_goes() -> None:
    calls: list[str] = []

    class Ghost(Record, family="ghost"):
        def on_attach(self) -> None:
            calls.append(f"attach {self.key}")

        def on_detach(self) -> None:
            calls.append(f"detach {self.key}")

        def on_hold(self) -> None:
            calls.append(f"hold {self.key}")

        def on_release(self) -> None:
            calls.append(f"release {self.key}")

    backend = Memory()
    async with open_store(backend, Ghost, executor=inline) as store:
        store.add(Ghost(), "a")
    async with open_store(Memory(backend.stored), Ghost, executor=inline) as store:
        ghost = await store.hold(Ghost, "a")
        assert ghost is not None
        assert await store.hold(Ghost, "a") is ghost
        store.release(ghost)
        store.release(ghost)
        store.remove(ghost)
    assert calls == ["attach a", "attach a", "hold a", "release a", "detach a"]


def test_a_record_shows_its_class_and_key() -> None:
    assert (repr(Hero(name="Ann", key="ann")), repr(Member(name="x"))) == ("<Hero 'ann'>", "<Member ''>")


class Chest(Record, family="chest", resident=True):
    gold: int = 0
    lid: str = live(default="closed")

    @property
    def worth(self) -> int:
        return self.gold

    @worth.setter
    def worth(self, worth: int) -> None:
        self.gold = worth


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_misspelt_field_is_refused_by_a_sentence_with_the_nearest_one(is_stored: bool) -> None:
    async with open_store(Memory(), Chest, executor=inline) as store:
        chest: Any = Chest()
        if is_stored:
            store.add(chest)
        with pytest.raises(AttributeError, match=r"Chest has no field 'glod', so it .* did you mean 'gold'\?"):
            chest.glod = 3
        with pytest.raises(AttributeError, match=r"no field 'zzz', so it would not be stored: declare it in the class"):
            chest.zzz = 3
        chest.lid, chest._own, chest.worth = "open", 1, 7
        assert (chest.lid, chest._own, chest.gold) == ("open", 1, 7)
