"""How fields become JSON and come back."""

from __future__ import annotations

import datetime as dt
import enum
import logging
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.errors import UnreadableRecord
from trio_mud.storage import Fields, Memory, Record, Stored, inline, live, open_store
from trio_mud.storage.schema import schema_of, versions_of

from .records import Hero, Item


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Spot:
    x: int
    y: int = 0


class Sample(Record, family="sample", resident=True):
    text: str = ""
    number: int = 7
    part: float = 0.5
    flag: bool = False
    maybe: str | None = None
    raw: bytes = b""
    when: dt.datetime | None = None
    colour: Colour = Colour.RED
    word: Literal["a", "b"] = "a"
    small: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    names: list[str] = []
    marks: dict[str, int] = {}
    pairs: tuple[tuple[str, int], ...] = ()
    tags: set[str] = set()
    spots: list[Spot] = []
    anything: Any = None


texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
samples = st.fixed_dictionaries(
    {},
    optional={
        "text": texts,
        "number": integers,
        "part": st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.booleans(),
        "maybe": st.none() | texts,
        "raw": st.binary(),
        "when": st.datetimes(timezones=st.just(dt.UTC)),
        "colour": st.sampled_from(Colour),
        "word": st.sampled_from(["a", "b"]),
        "small": st.integers(0, 9),
        "names": st.lists(texts),
        "marks": st.dictionaries(texts, integers),
        "pairs": st.lists(st.tuples(texts, integers)).map(tuple),
        "tags": st.sets(texts),
        "spots": st.lists(st.builds(Spot, integers, integers)),
        "anything": st.recursive(st.none() | st.booleans() | texts, st.lists),
    },
)


@given(samples)
def test_every_field_is_after_a_load_what_it_was(fields: dict[str, Any]) -> None:
    schema = schema_of(Sample)
    record = Sample(**fields)
    data = schema.encode(record)
    loaded = Sample(**schema.decode(data, schema.versions))
    assert {name: getattr(loaded, name) for name in Sample._tracked} == {
        name: getattr(record, name) for name in Sample._tracked
    }
    assert schema.encode(loaded) == data
    assert schema.check(data) == ""


def test_what_equals_its_default_is_not_stored() -> None:
    assert schema_of(Sample).encode(Sample()) == b"{}"
    assert schema_of(Sample).encode(Sample(flag=True, number=7)) == b'{"flag":true}'


def test_a_value_that_equals_the_default_and_is_of_another_type_is_stored() -> None:
    assert schema_of(Sample).encode(Sample(flag=0)) == b'{"flag":0}'  # type: ignore[arg-type]


def test_an_overlay_replaces_defaults() -> None:
    encode = schema_of(Sample).encode
    assert encode(Sample(text="lamp", number=8), {"text": "lamp", "number": 9}) == b'{"number":8}'
    assert encode(Sample(), {"text": "lamp"}) == b'{"text":""}'


def test_only_classes_with_lists_dicts_and_the_like_are_mutable() -> None:
    assert set(schema_of(Sample).mutable) == {"names", "marks", "tags", "spots", "anything"}
    assert set(schema_of(Hero).mutable) == {"notes", "skills"}


class Wanderer(Record, family="wanderer"):
    """Its references are of all the kinds there are."""

    home: Item | None = None
    bag: list[Item] = []
    seen: dict[str, Item] = {}
    foes: set[Item] = set()
    friends: tuple[Item, ...] = ()


async def test_references_in_every_container_come_back_as_records() -> None:
    backend = Memory()
    async with open_store(backend, Item, Wanderer, executor=inline) as store:
        one, two = store.add(Item(name="1"), "one"), store.add(Item(name="2"), "two")
        lost = Item(name="never added")
        store.add(Wanderer(home=one, bag=[two, lost, one], seen={"x": two}, foes={one, two}, friends=(two, one)), "ann")
        store.add(Wanderer(home=lost), "bob")
    assert (
        backend.stored.rows["wanderer", "ann"].data
        == b'{"home":"one","bag":["two","one"],"seen":{"x":"two"},"foes":["one","two"],"friends":["two","one"]}'
    )
    async with open_store(Memory(backend.stored), Item, Wanderer, executor=inline) as store:
        one, two = (store.get(Item, key) or pytest.fail("not loaded") for key in ("one", "two"))
        ann, bob = await store.load(Wanderer, "ann"), await store.load(Wanderer, "bob")
        assert ann is not None
        assert bob is not None
        assert (ann.home, ann.bag, ann.seen, ann.foes, ann.friends, bob.home) == (
            *(one, [two, one], {"x": two}, {one, two}, (two, one)),
            None,
        )
        assert await store.sweep() == []


async def test_a_reference_to_a_record_of_another_class_is_none() -> None:
    class Room(Record, family="place", resident=True):
        pass

    class Door(Room):
        leads: Room | None = None
        twin: Door | None = None

    stored = Stored()
    async with open_store(Memory(stored), Room, executor=inline) as store:
        room = store.add(Room(), "room")
        store.add(Door(leads=room, twin=room), "door")  # type: ignore[arg-type]
    async with open_store(Memory(stored), Room, executor=inline) as store:
        door = store.get(Door, "door")
        assert door is not None
        assert (door.leads, door.twin) == (store.get(Room, "room"), None)


class Nobody(Record):
    pass


@dataclass
class Box:
    inside: Item


@pytest.mark.parametrize(
    ("hint", "default", "words"),
    [
        (int, "x", "the default 'x' does not fit"),
        (Nobody | None, None, "has no family"),
        (Item | str | None, None, "could be of any of"),
        (list[Item] | Item | None, None, "could be of any of"),
        (dict[Item, int], {}, "cannot be the key of a dict"),
        (tuple[Item, int] | None, None, r"tuple\[X, \.\.\.\]"),
        (Box | None, None, "only fields of a record can refer to records"),
        ("Missing", None, "must be importable"),
        (list[int] | tuple[int, ...], (), "cannot be stored"),
    ],
)
def test_a_field_that_could_not_be_loaded_again_is_refused(hint: Any, default: Any, words: str) -> None:
    cls = type("Wrong", (Record,), {"__annotations__": {"field": hint}, "field": default}, family="wrong")
    with pytest.raises(TypeError, match=words):
        schema_of(cls)


def test_the_type_of_a_live_field_needs_not_be_there() -> None:
    class Free(Record, family="free"):
        flame: Missing = live()  # type: ignore[name-defined]  # noqa: F821

    assert schema_of(Free).encode(Free()) == b"{}"


# Versions


class Old(Record, family="lamps", resident=True, kind="lamp"):
    fuel: int = 0


class OldBig(Old, kind="big"):
    size: int = 1


class New(Record, family="lamps", resident=True, kind="light", was=("lamp",), version=3):
    oil: float = 0.0
    colour: str = "red"


class NewBig(New, kind="big", version=2):
    size: str = "1"


@New.migration(1)
def _(fields: Fields) -> Fields:
    if fields["fuel"] == 13:
        raise LookupError("thirteen")
    return {**fields, "oil": fields.pop("fuel") * 60.0}


@New.migration(2)
def _(fields: Fields) -> Fields:
    return {**fields, "colour": "blue"}


@NewBig.migration(1)
def _(fields: Fields) -> Fields:
    return {**fields, "size": str(fields["size"])}


async def old_lamps() -> Stored:
    backend = Memory()
    async with open_store(backend, Old, executor=inline) as store:
        store.add(Old(fuel=3), "a")
        store.add(OldBig(fuel=4, size=2), "b")
        store.add(Old(fuel=13), "c")
    return backend.stored


async def test_a_row_is_brought_through_the_versions_of_its_class_and_of_its_bases() -> None:
    stored = await old_lamps()
    for _ in range(2):
        async with open_store(Memory(stored), New, executor=inline) as store:
            small, big = store.get(New, "a"), store.get(NewBig, "b")
            assert small is not None
            assert big is not None
            assert (small.oil, small.colour) == (180.0, "blue")
            assert (big.oil, big.colour, big.size) == (240.0, "blue", "2")
    assert (stored.rows["lamps", "a"].kind, stored.rows["lamps", "a"].version) == ("light", "light=3")
    assert stored.rows["lamps", "b"].version == "light=3 big=2" == versions_of(NewBig)


async def test_a_migration_that_fails_costs_that_row_and_leaves_it_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    stored = await old_lamps()
    before = stored.rows["lamps", "c"]
    async with open_store(Memory(stored), New, executor=inline) as store:
        assert store.quarantined == {("lamps", "c"): "LookupError: thirteen"}
        assert store.get(New, "a") is not None
    assert stored.rows["lamps", "c"] == before
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_older_code_leaves_newer_rows_alone() -> None:
    stored = await old_lamps()
    async with open_store(Memory(stored), New, executor=inline):
        pass
    before = dict(stored.rows)
    async with open_store(Memory(stored), Old, executor=inline) as store:
        assert "there is no record class for the kind 'light'" in store.quarantined["lamps", "a"]
    assert stored.rows == before

    class Light(Old, kind="light"):
        pass

    async with open_store(Memory(stored), Old, executor=inline) as store:
        assert "run the newer code" in store.quarantined["lamps", "a"]
    del Light


def test_a_row_without_a_field_that_has_no_default_cannot_be_read() -> None:
    with pytest.raises(UnreadableRecord, match="the field 'name' has no default and was not stored"):
        schema_of(Item).check_complete(schema_of(Item).decode(b"{}", ""))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("small", 9, ""),
        ("small", 10, "Expected `int` <= 9"),
        ("text", 5, "Expected `str`, got `int`"),
        ("part", float("nan"), "Expected `float`, got `null`"),
        ("colour", Colour.BLUE, ""),
        ("maybe", None, ""),
        ("tags", {"b", "a"}, ""),
        ("anything", object(), "Encoding objects of type object is unsupported"),
    ],
)
def test_a_value_is_checked_before_it_is_assigned(field: str, value: object, reason: str) -> None:
    found = schema_of(Sample).check_value(field, value)
    assert found.startswith(reason) if reason else found == ""


def test_the_stored_form_of_a_value_has_keys_and_types_of_json() -> None:
    stored_value = schema_of(Hero).stored_value
    assert stored_value((Colour.RED, {"b", "a"}, None)) == ["red", ["a", "b"], None]
    assert stored_value({"friend": Hero(name="Ann", key="ann")}) == {}  # it is not stored
