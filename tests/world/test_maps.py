"""Maps: what they make, and the errors that name file, table and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud import Hooks
from trio_mud.errors import CannotOpenStorage, MapError
from trio_mud.program.loading import find_game
from trio_mud.storage import Memory, Stored, inline
from trio_mud.testing import OpenMud
from trio_mud.world import Door, Game, Room, Thing, World

from .village import MAP, Lantern, Sentry, game, lantern_of, room, the

WRONG = {
    "not toml": ("[rooms", "no valid TOML"),
    "unknown table": ("[roms.hall]", "roms: there is no such table; did you mean 'rooms'?"),
    "unknown class": (
        '[things.x]\nclass = "lantren"',
        "things.x.class: there is no class 'lantren'; did you mean 'lantern'?",
    ),
    "unknown key": (
        '[things.x]\nclass = "lantern"\noill = 3',
        "things.x.oill: a lantern has no 'oill'; did you mean 'oil'?",
    ),
    "key of the driver": ('[things.x]\nplace = "hall"', "things.x.place: a thing has no 'place'"),
    "wrong type": ('[things.x]\nclass = "lantern"\noil = "much"', "things.x.oil: Expected `float`, got `str`"),
    "wrong type inside": ("[things.x]\naliases = [5]", "things.x.aliases[0]: Expected `str`, got `int`"),
    "exit to nowhere": (
        '[rooms.hall]\nexits = { up = "hal" }',
        "rooms.hall.exits: there is no room 'hal'; did you mean 'hall'?",
    ),
    "exit to a thing": ('[rooms.hall]\nexits = { up = "x" }\n[things.x]', "rooms.hall.exits: there is no room 'x'"),
    "door that is none": (
        '[rooms.hall]\nexits = { up = "hall" }\ndoors = { up = "x" }\n[things.x]',
        "rooms.hall.doors: there is no door 'x'",
    ),
    "door without an exit": (
        '[rooms.hall]\ndoors = { up = "x" }\n[things.x]\nclass = "door"',
        "rooms.hall.doors.up: there is no exit 'up'",
    ),
    "a room below things": ('[things.x]\nclass = "room"', "things.x.class: a room belongs below [rooms]"),
    "a thing below rooms": ('[rooms.x]\nclass = "lantern"', "rooms.x.class: a room belongs below [rooms]"),
    "a traveller": ('[things.x]\nclass = "cottager"', "things.x.class: a cottager is played"),
    "twice": ("[rooms.x]\n[things.x]", "things.x: MAP: rooms.x has that key already"),
    "no table": ("rooms = 5", "rooms: must be a table, not 5"),
    "no start": ('start = "x"\n[rooms.hall]', "start: there is no room 'x'"),
    "reset of nothing": (
        '[rooms.hall]\n[[resets]]\nmake = "x"\nin = "hall"',
        "resets, entry 1, make: there is no thing 'x'",
    ),
    "reset into nowhere": (
        '[things.x]\n[[resets]]\nmake = "x"\nin = "hall"',
        "resets, entry 1, in: there is no room 'hall'",
    ),
    "reset of many": (
        '[rooms.hall]\n[things.x]\n[[resets]]\nmake = "x"\nin = "hall"\nmost = 0',
        "entry 1, most: write a number",
    ),
    "reset too often": (
        '[rooms.hall]\n[things.x]\n[[resets]]\nmake = "x"\nin = "hall"\nevery = 0',
        "entry 1, every: write",
    ),
    "reset with more": (
        '[rooms.hall]\n[[resets]]\nmakes = "x"',
        "entry 1: there is no key 'makes'; did you mean 'make'?",
    ),
    "resets without brackets": ("[resets]", "resets: write [[resets]], with two brackets"),
    "contents of nothing": (
        '[rooms.hall]\n[things.x]\n[[resets]]\nmake = "x"\nin = "hall"\ncontents = ["y"]',
        "entry 1, contents: there is no thing 'y'",
    ),
}


def a_map(folder: Path, text: str) -> Path:
    path = folder / "village.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_error_in_a_map_names_file_table_and_key(wrong: str, tmp_path: Path) -> None:
    text, said = WRONG[wrong]
    path = a_map(tmp_path, text)
    made = Game(Hooks(), maps=(path,))
    with pytest.raises(MapError) as caught:
        made.check()
    assert str(caught.value).startswith(f"{path}: ")
    assert said.replace("MAP", str(path)) in str(caught.value)
    memory = Memory()
    with pytest.raises(MapError):
        async with made.open(memory, executor=inline):
            pass
    assert memory.stored.rows == {}


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"nowhere.toml: cannot be read: No such file"):
        Game(Hooks(), maps=(tmp_path / "nowhere.toml",)).check()


def test_a_single_name_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write maps=\('map.toml',\)"):
        Game(Hooks(), maps="map.toml")


def test_a_wrong_map_is_found_before_a_port_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_map(tmp_path, '[rooms.hall]\nexits = { up = "x" }')
    (tmp_path / "wrongly_mapped.py").write_text(
        "from trio_mud import Hooks\nfrom trio_mud.world import Game\ngame = Game(Hooks(), maps=('village.toml',))\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MapError, match=r"village.toml: rooms.hall.exits: there is no room 'x'"):
        find_game("wrongly_mapped:game")


async def test_a_thing_has_the_fields_of_its_template(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern, sentry = lantern_of(place), the(place, "sentry")
        assert (lantern.name, lantern.oil) == ("brass lantern", 120)
        assert isinstance(sentry, Sentry)
        assert sentry.beat == [room(place, "green"), room(place, "barn")]
        assert [thing.template for thing in sentry.contents] == ["latchkey"]


async def test_only_what_differs_from_the_template_is_stored(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern_of(place).oil = 7
    rows = {row.kind: row.data for row in place.storage.rows.values()}
    assert rows["lantern"] == b'{"place":"map:green","template":"lantern","oil":7}'
    assert rows["door"] == b'{"template":"gate"}'


async def test_a_field_without_a_default_comes_from_the_template_after_a_restart(mud: OpenMud, tmp_path: Path) -> None:
    class Signpost(Thing):
        words: str

    resets = '[[resets]]\nmake = "sign"\nin = "hall"'
    path = a_map(tmp_path, f'[rooms.hall]\n[things.sign]\nclass = "signpost"\nwords = "East"\n{resets}')
    made = Game(Hooks(), records=(Signpost,), maps=(path,))
    async with mud(made) as place:
        assert len(list(place.store.all(Signpost))) == 1
    assert not any(b"East" in row.data for row in place.storage.rows.values())
    a_map(tmp_path, path.read_text().replace("East", "West"))
    async with mud(made, storage=place.storage) as place:
        (sign,) = place.store.all(Signpost)
        assert sign.words == "West"


async def test_an_edited_map_shows_in_stored_things(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(game) as place:
        lantern_of(place).oil = 7
    edited = MAP.read_text().replace("brass lantern", "tin lantern").replace("oil = 120", "oil = 200")
    edited = edited.replace('exits = { west = "green" }', 'exits = { west = "green", down = "cave" }')
    edited += '\n[rooms.cave]\nname = "The Cave"\nexits = { up = "pond" }\n'
    async with mud(Game(Hooks(), maps=(a_map(tmp_path, edited),)), storage=place.storage) as again:
        lantern = lantern_of(again)
        assert (lantern.name, lantern.oil) == ("tin lantern", 7)
        assert room(again, "pond").exits["down"].exits["up"] is room(again, "pond")
    assert not any(b"exits" in row.data for row in again.storage.rows.values())


async def test_the_contents_of_a_room_that_left_the_map_are_in_the_limbo(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(game) as place:
        lantern_of(place).place = room(place, "barn")
    smaller = """
        [rooms.green]
        [rooms.pond]
        [things.lantern]
        class = "lantern"
    """
    world = Game(Hooks(), maps=(a_map(tmp_path, f'limbo = "pond"\n{smaller}'),))
    async with mud(world, storage=place.storage) as again:
        assert lantern_of(again).place is room(again, "pond")
        assert {thing.key for thing in again.store.all(Room)} == {"map:green", "map:pond"}
        assert list(again.store.all(Door)) == []


class Chapel(Room):
    """A room of another class."""

    candles: int = 2


async def test_a_room_may_change_its_class(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(game) as place:
        room(place, "barn").text = "Changed."
    edited = MAP.read_text().replace("[rooms.barn]", '[rooms.barn]\nclass = "chapel"\ncandles = 5')
    for _ in range(2):
        async with mud(Game(Hooks(), maps=(a_map(tmp_path, edited),)), storage=place.storage) as again:
            barn = room(again, "barn")
            assert isinstance(barn, Chapel)
            assert (barn.candles, barn.text) == (5, "Changed.")
            assert room(again, "green").exits["north"] is barn
            assert the(again, "sentry").place is barn
        place = again


async def test_a_reset_without_a_period_is_made_once_for_ever(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern_of(place).destroy()
        await place.pass_time(5000)
    async with mud(game, storage=place.storage) as again:
        await again.pass_time(5000)
        assert not any(isinstance(thing, Lantern) for thing in again.store.all(Thing))


async def test_a_reset_that_was_out_of_the_maps_for_a_while_is_not_made_again(mud: OpenMud, tmp_path: Path) -> None:
    rooms = '[rooms.hall]\nname = "Hall"\n[things.crown]\nname = "crown"\n'
    reset = '[[resets]]\nmake = "crown"\nin = "hall"\n'

    async def count(text: str, storage: Stored | None) -> tuple[int, Stored]:
        async with mud(Game(Hooks(), maps=(a_map(tmp_path, text),)), storage=storage) as place:
            return sum(thing.template == "crown" for thing in place.store.all(Thing)), place.storage

    number, storage = await count(rooms + reset, None)
    assert number == 1
    for text in (rooms, rooms + reset):
        number, storage = await count(text, storage)
        assert number == 1


@pytest.mark.parametrize("killed_at", [None, 100, 899, 901, 1000])
async def test_a_reset_with_a_period_fills_its_room_up(mud: OpenMud, killed_at: float | None) -> None:
    def pebbles() -> list[Thing]:
        return [thing for thing in room(place, "pond").contents if thing.template == "pebble"]

    async with mud(game) as place:
        assert len(pebbles()) == 3
        pebbles()[0].place = room(place, "green")
        pebbles()[0].destroy()
        await place.pass_time(800)
        assert len(pebbles()) == 1
        await place.store.saved()
        if killed_at is not None:
            await place.pass_time(killed_at - 800 if killed_at > 800 else 0)
            await place.kill()
    async with mud(game, storage=place.storage) as place:
        await place.pass_time(200)
        assert len(pebbles()) == 3
        assert len([thing for thing in place.store.all(Thing) if thing.template == "pebble"]) == 4


async def test_rooms_and_doors_exist_once(mud: OpenMud) -> None:
    async with mud(game) as place:
        world = World.of(place.server)
        for key in ("green", "gate"):
            with pytest.raises(LookupError, match="exists once"):
                world.make(key)
        with pytest.raises(LookupError, match=r"write a table \[things.x\] in a map"):
            world.make("x")


async def test_a_room_whose_row_cannot_be_loaded_is_named_and_the_database_stays_as_it_is(mud: OpenMud) -> None:
    async with mud(game) as place:
        pass
    before = dict(place.storage.rows)
    place.storage.rows["thing", "map:green"] = before["thing", "map:green"]._replace(kind="renamed")
    broken = dict(place.storage.rows)
    with pytest.raises(CannotOpenStorage, match=r"rooms\.green: what is stored of it cannot be loaded"):
        async with mud(game, storage=place.storage, allow_errors=True):
            pass
    assert place.storage.rows == broken


async def test_a_room_that_the_map_makes_a_thing_of_is_removed(
    mud: OpenMud, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "map.toml"
    file.write_text("[rooms.hall]\n[rooms.shed]\n", encoding="utf-8")
    changing = Game(Hooks(), maps=(file,))
    async with mud(changing) as place:
        world = World.of(place.server)
        world.add(Thing(name="coin", place=world.get(Room, "shed")), "coin")
    file.write_text("[rooms.hall]\n[things.shed]\n", encoding="utf-8")
    async with mud(changing, storage=place.storage) as again:
        world = World.of(again.server)
        coin = again.store.get(Thing, "coin")
        assert coin is not None
        assert coin.place is world.start
        assert world.make("shed", world.start).key != "map:shed"
    assert "is in no map any more and is removed" in caplog.text
