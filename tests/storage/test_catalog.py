"""Which class a kind is loaded as, and what is refused before anything is opened."""

from __future__ import annotations

import pytest

from trio_mud.storage import Memory, Record, inline, open_store
from trio_mud.storage.catalog import Catalog

from .records import Hero, Item, Member


def test_a_kind_is_found_also_if_its_class_is_defined_later() -> None:
    class Beast(Record, family="beast"):
        pass

    catalog = Catalog([Beast])

    class Wolf(Beast):
        pass

    assert catalog.find("beast", "wolf") is Wolf
    assert catalog.find("beast", "bear") is None


def test_two_classes_of_one_kind_are_refused() -> None:
    class Beast(Record, family="beast"):
        pass

    class Wolf(Beast):
        pass

    class Dog(Beast, kind="wolf"):
        pass

    with pytest.raises(TypeError, match=r"Wolf and .*Dog are both stored as the kind 'wolf'"):
        Catalog([Beast])
    del Wolf, Dog


def test_of_a_class_that_was_defined_again_the_newest_counts() -> None:
    class Beast(Record, family="beast"):
        pass

    def define() -> type[Beast]:
        class Wolf(Beast):
            pass

        return Wolf

    first, second = define(), define()
    assert first is not second
    assert Catalog([Beast]).find("beast", "wolf") is second


def test_a_missing_migration_is_named() -> None:
    class Beast(Record, family="beast", version=3):
        pass

    Beast.migration(1)(lambda fields: fields)
    with pytest.raises(TypeError, match=r"no migration of version 2: write @Beast.migration\(2\)"):
        Catalog([Beast])


async def test_a_class_that_the_store_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="has no family"):
        Catalog([Record])
    async with open_store(Memory(), Item, executor=inline) as store:
        with pytest.raises(TypeError, match="Member is not among the record classes"):
            store.add(Member(name="Ann"))
        store.add(Hero(name="Ann"), "ann")


@pytest.mark.parametrize("key", ["x" * 201, "a\0b", "\ud800"])
async def test_a_key_that_no_database_can_store_is_refused(key: str) -> None:
    async with open_store(Memory(), Item, executor=inline) as store:
        thing = Item(name="a")
        with pytest.raises(ValueError, match="the key"):
            store.add(thing, key)
        assert store.add(thing).key == "#1"
