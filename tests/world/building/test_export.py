"""The export: a map of what was built, which loads and makes the same rooms."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trio_mud.storage import Memory, Stored, inline
from trio_mud.storage.schema import schema_of
from trio_mud.testing import OpenMud
from trio_mud.world import Door, Game, Room, Thing, World
from trio_mud.world.building import export
from trio_mud.world.building.toml_text import toml_key, toml_value
from trio_mud.world.maps import Atlas

from .site import MAP, Mason, builder, commands, game, hooks, named, room, says

Picture = dict[str, dict[str, object]]

NAMES = st.text(min_size=1, max_size=20)
WAYS = st.sampled_from(["north", "south", "east", "west", "up", "down", "slide", "nowhere"])
THINGS = st.sampled_from(["here", "lamp", "crate", "nail", "hatch", "2.lamp", "my lamp", "all", "zebra"])
KEYS = st.sampled_from(["yard", "shed", "pit", "cave", "cave-2", "here"])
LINES = st.one_of(
    st.builds("dig {} {}".format, WAYS, NAMES),
    st.builds("dig {} Cave".format, WAYS),
    st.builds("dig {} Cave back {}".format, WAYS, WAYS),
    st.builds("dig {} to {}".format, WAYS, KEYS),
    st.builds("dig {} nowhere".format, WAYS),
    st.builds("go {}".format, WAYS),
    st.builds("describe {} {}".format, THINGS, st.text(max_size=40)),
    st.builds("set {} name {}".format, THINGS, NAMES),
    st.builds("set {} aliases {}, {}".format, THINGS, NAMES, NAMES),
    st.builds("set {} oil {}".format, THINGS, st.integers(-5, 95)),
    st.builds("set {} label {}".format, THINGS, NAMES | st.just("none")),
    st.builds("set {} home {}".format, THINGS, KEYS | st.just("none")),
    st.builds("set {} rooms {}, {}".format, THINGS, KEYS, KEYS),
    st.builds("set {} twin {}".format, THINGS, THINGS),
    st.builds("set {} hue sea".format, THINGS),
    st.builds("make {} in {}".format, st.sampled_from(["lamp", "nail", "crate", "lamppost"]), THINGS | st.just("me")),
    st.builds("unmake {}".format, THINGS | KEYS),
    st.builds("take {}".format, THINGS),
    st.just("undo"),
)


def picture(world: World) -> Picture:
    """Return the fields of all rooms and doors, in stored form."""
    return {
        thing.key: {
            name: schema_of(type(thing)).stored_value(getattr(thing, name))
            for name in sorted(type(thing)._tracked - {"built_fields", "template", "due"})
        }
        for thing in world.store.all(Thing)
        if isinstance(thing, Room | Door)
    }


async def build(lines: list[str], stored: Stored) -> tuple[Picture, str]:
    """Type the lines of two builders in turn; return the rooms, and the export."""
    async with game.open(Memory(stored), executor=inline, strict=True) as (_, world):
        masons: list[Mason] = []
        for name in ("Ann", "Bob"):
            world.add(Mason(name=name, place=world.start), name)
            held = await world.store.hold(Mason, name)
            assert held is not None
            masons.append(held)
        for number, line in enumerate(lines):
            commands.run(masons[number % 2], line)
            await trio.lowlevel.checkpoint()
        for mason in masons:
            for thing in mason.contents:
                thing.place = world.start
            world.store.release(mason)
        return picture(world), export(world)


async def reopened(maps: list[Path], stored: Stored) -> tuple[Picture, str]:
    """Open the game with these maps; return the rooms, and the export."""
    async with Game(hooks, maps=maps).open(Memory(stored), executor=inline, strict=True) as (_, world):
        return picture(world), export(world)


@given(st.lists(LINES, max_size=25))
def test_an_export_loads_as_a_map_and_makes_the_same_rooms(lines: list[str]) -> None:
    async def check(file: Path) -> None:
        stored = Stored()
        built, text = await build(lines, stored)
        await trio.Path(file).write_text(text, encoding="utf-8")
        assert await reopened([MAP], stored) == (built, text)  # a restart changes nothing
        assert await reopened([MAP, file], Stored()) == (built, "")  # a new world of both maps is the same
        again, rest = await reopened([MAP, file], stored)  # and so is the old one, which has nothing to export then
        assert (again, tomllib.loads(rest)) == (built, {})

    with tempfile.TemporaryDirectory() as folder:
        trio.run(check, Path(folder) / "built.toml", clock=MockClock(autojump_threshold=0))


def everything(world: World) -> Picture:
    """Return all fields of all things, and what is in them."""
    return {
        thing.key: {name: getattr(thing, name) for name in type(thing)._tracked}
        | {"contents": {each.key for each in thing.contents}}
        for thing in world.store.all(Thing)
    }


@given(st.lists(LINES.filter(lambda line: not line.startswith("take") and line != "undo"), max_size=20))
def test_acts_are_undone_to_where_they_began(lines: list[str]) -> None:
    async def check() -> None:
        async with game.open(Memory(), executor=inline, strict=True) as (_, world):
            world.add(Mason(name="Ann", place=world.start), "Ann")
            ann = await world.store.hold(Mason, "Ann")
            assert ann is not None
            before = everything(world)
            for line in lines:
                commands.run(ann, line)
                if world._histories is not None and len(world._histories._acts["Ann"]) == 10:
                    break
            ann.place = world.start
            for _ in lines:
                commands.run(ann, "undo")
            ann.place = world.start
            assert everything(world) == before

    trio.run(check, clock=MockClock(autojump_threshold=0))


VALUES = st.recursive(
    st.text() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text(), VALUES)
def test_a_value_of_json_is_the_same_as_toml(key: str, value: object) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_value(value)}") == {key: value}


def test_toml_has_no_null() -> None:
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        toml_value([None])


async def test_an_export_has_new_rooms_changed_fields_and_new_templates(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        lines = ["dig east The Cave", "describe here New.", "set lamp oil 5", "make lamppost"]
        await ann.type(*lines, "make nail", "unmake hatch", "set lamp twin lamp")
        await site.pass_time(0)
        named(site, "street lamp").is_lit = True
        assert export(World.of(site.server)) == (
            "# Changes by builders.\n"
            "changes = true\n"
            'removed = ["hatch"]\n\n'
            "[rooms.yard]\n"
            "doors = {}\n"
            'exits = { north = "shed", down = "pit", east = "the-cave" }\n'
            'text = "New."\n\n'
            "[rooms.shed]\n"
            "doors = {}\n\n"
            "[things.street-lamp]\n"
            'class = "lamppost"\n'
            'aliases = ["light"]\n'
            'name = "street lamp"\n'
            "oil = 5.0\n"
            'rooms = ["yard", "shed"]\n'
            "# twin has no value that a map could have\n\n"
            "[rooms.the-cave]\n"
            'exits = { west = "yard" }\n'
            'name = "The Cave"\n\n'
            "[things.lamppost]\n"
            'class = "lamppost"\n'
            'name = "lamppost"\n'
        )


async def test_secret_fields_of_a_template_are_not_exported(mud: OpenMud, tmp_path: Path) -> None:
    file = tmp_path / "secret.toml"
    file.write_text(MAP.read_text().replace("oil = 90.0", 'admin_password = "xyzzy"'))
    async with mud(Game(hooks, maps=(file,))) as site:
        await says(await builder(site), "set lamp oil 5", "oil of street lamp")
        assert named(site, "street lamp").admin_password == "xyzzy"  # type: ignore[attr-defined]
        text = export(World.of(site.server))
        assert "oil = 5.0" in text
        assert "password" not in text
        assert "xyzzy" not in text


async def test_an_edit_of_an_exported_table_shows_once_it_is_in_a_map(mud: OpenMud, tmp_path: Path) -> None:
    file = tmp_path / "built.toml"
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "describe here Built.", "new description")
        await says(ann, "dig east The Cave", "You dig")
        file.write_text(export(World.of(site.server)))
    layered = Game(hooks, maps=(MAP, file))
    async with mud(layered, storage=site.storage) as site:
        assert export(World.of(site.server)) == ""
    file.write_text(file.read_text().replace("Built.", "Edited.").replace("The Cave", "The Grotto"))
    async with mud(layered, storage=site.storage) as site:
        assert (room(site, "yard").text, room(site, "the-cave").name) == ("Edited.", "The Grotto")
    async with mud(game, storage=site.storage) as site:  # without that map, its room is gone
        assert len(list(site.store.all(Room))) == 3


async def test_a_map_of_reloaded_code_takes_over_a_dug_room(mud: OpenMud, tmp_path: Path) -> None:
    file = tmp_path / "built.toml"
    file.write_text(
        'changes = true\n[rooms.the-cave]\nname = "The Cave"\nexits = { west = "yard" }\n'
        'doors = { west = "grate" }\n[things.grate]\nclass = "door"\n'
    )
    async with mud(game) as site:
        await says(await builder(site), "dig east The Cave", "You dig")
        world = World.of(site.server)
        world._exchange_maps(Atlas.read([MAP, file], world.store._contents.catalog))
        cave = room(site, "the-cave")
        assert (cave.template, cave.exits["west"]) == ("the-cave", room(site, "yard"))
        assert cave.doors == {"west": world.get(Door, "grate")}


async def test_the_verb_shows_the_export_page_by_page(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "export", "Nothing has been built that the maps do not have.")
        await says(ann, "describe here New.", "new description")
        await says(ann, "export", '[rooms.yard]\ntext = "New."')


async def test_the_verb_writes_a_new_file(mud: OpenMud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "describe here New.", "new description")
        await says(ann, "export My Build", "Written to built/my-build.toml.")
        assert tomllib.loads((tmp_path / "built/my-build.toml").read_text())["changes"] is True
        await says(ann, "export my-build", "There is a file my-build.toml already.")
        await says(ann, "export ../../etc/passwd", "Written to built/etc-passwd.toml.")
        (tmp_path / "built/etc-passwd.toml").unlink()
        (tmp_path / "built/my-build.toml").unlink()
        (tmp_path / "built").rmdir()
        (tmp_path / "built").write_text("no folder")
        await says(ann, "export x", "x.toml cannot be written: File exists")
