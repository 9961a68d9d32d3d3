"""Maps that change the maps before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud import Hooks
from trio_mud.errors import MapError
from trio_mud.testing import OpenMud
from trio_mud.world import Door, Game, Room, Thing, World

from .village import MAP, lantern_of, room, the


def changed(folder: Path, text: str) -> Game:
    """Return the village with changes."""
    path = folder / "changes.toml"
    path.write_text(text, encoding="utf-8")
    return Game(Hooks(), maps=(MAP, path))


async def test_tables_change_field_by_field_or_are_new(mud: OpenMud, tmp_path: Path) -> None:
    village = changed(
        tmp_path,
        """
        changes = true
        [rooms.green]
        text = "Snow."
        exits = { north = "barn", east = "pond", west = "cave" }
        [rooms.cave]
        [things.lantern]
        oil = 5
        [[resets]]
        make = "pebble"
        in = "cave"
        """,
    )
    async with mud(village) as place:
        green = room(place, "green")
        assert (green.name, green.text) == ("The Green", "Snow.")
        assert green.exits["west"] is room(place, "cave")
        assert (lantern_of(place).name, lantern_of(place).oil) == ("brass lantern", 5)
        assert [thing.name for thing in room(place, "cave").contents] == ["pebble"]


async def test_a_removed_table_is_gone_with_its_resets_and_all_references(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(Game(Hooks(), maps=(MAP,))) as place:
        assert room(place, "barn").name == "The Barn"
    village = changed(tmp_path, 'changes = true\nremoved = ["barn", "pebble"]\n')
    async with mud(village, storage=place.storage) as place:
        assert {thing.key for thing in place.store.all(Room)} == {"map:green", "map:pond"}
        assert (list(room(place, "green").exits), room(place, "green").doors) == (["east"], {})
        assert the(place, "sentry").beat == [room(place, "green")]  # type: ignore[attr-defined]
        with pytest.raises(LookupError):
            World.of(place.server).make("pebble")
    async with mud(village) as new:
        assert not [thing for thing in new.store.all(Thing) if thing.template in ("pebble", "sentry")]


async def test_a_removed_table_may_be_written_again(mud: OpenMud, tmp_path: Path) -> None:
    village = changed(tmp_path, 'changes = true\nremoved = ["gate"]\n')
    again = tmp_path / "again.toml"
    again.write_text('changes = true\n[things.gate]\nclass = "door"\nname = "iron gate"\n')
    async with mud(Game(Hooks(), maps=(*village.maps, again))) as place:
        assert World.of(place.server).get(Door, "gate").name == "iron gate"


WRONG = {
    "no changes": ("[rooms.green]", "rooms.green: MAP: rooms.green has that key already"),
    "another table": ("changes = true\n[things.green]", "things.green: MAP: rooms.green has that key already"),
    "not true": ("changes = 1", "changes: write true, or leave it out, not 1"),
    "removed without changes": ('removed = ["barn"]', "removed: only a file with changes = true can remove tables"),
    "removed no list": ('changes = true\nremoved = "barn"', "removed: write a list of keys, not 'barn'"),
    "removed unknown": (
        'changes = true\nremoved = ["bran"]',
        "removed: there is no table with the key 'bran'; did you mean 'barn'?",
    ),
    "removed start": ('changes = true\nremoved = ["green"]', "MAP: start: there is no room 'green'"),
    "unknown field": ('changes = true\n[rooms.green]\ntxt = ""', "rooms.green.txt: a room has no 'txt'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_error_names_file_and_table(wrong: str, tmp_path: Path) -> None:
    text, said = WRONG[wrong]
    with pytest.raises(MapError) as caught:
        changed(tmp_path, text).check()
    assert said.replace("MAP", str(MAP)) in str(caught.value)


async def test_a_thing_keeps_the_class_that_it_was_made_with(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(Game(Hooks(), maps=(MAP,))) as place:
        key = the(place, "sentry").key
    village = changed(tmp_path, 'changes = true\n[things.sentry]\nclass = "being"\nname = "new sentry"\n')
    smaller = tmp_path / "smaller.toml"
    smaller.write_text(MAP.read_text().replace('beat = ["green", "barn"]', ""))
    async with mud(Game(Hooks(), maps=(smaller, village.maps[1])), storage=place.storage) as again:
        sentry = again.store.get(Thing, key)
        assert (type(sentry).__name__, str(sentry)) == ("Sentry", "new sentry")
        assert type(World.of(again.server).make("sentry", room(again, "pond"))).__name__ == "Being"
