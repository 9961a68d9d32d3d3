"""Making and unmaking things and rooms."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.testing import OpenMud
from trio_mud.world import Game, Room, Thing, World

from .site import MAP, builder, game, hooks, mason, named, room, says


async def test_things_are_made_of_templates_and_of_classes(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "make nail", "You make nail in The Yard.")
        await says(ann, "make lamppost in me", "You make lamppost in Ann.")
        await says(ann, "make container", "You make container in The Yard.")
        await says(ann, "make nail in container", "You make nail in container.")
        await site.store.saved()
        await site.kill()
    async with mud(game, storage=site.storage) as site:
        await builder(site)
        assert named(site, "lamppost").place is mason(site)
        (nail,) = named(site, "container").contents
        assert (nail.name, nail.template, nail.built_fields) == ("nail", "nail", ())


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("make", "Usage: make WHAT [in INTO]"),
        ("make lmap", 'There is no template "lmap", and no class. Did you mean lamp?'),
        ("make yard", "A room is not made: rooms are dug"),
        ("make hatch", "A door is not made"),
        ("make room", "A room is not made"),
        ("make mason", "A mason is not made"),
        ("make nail in nowhere", 'You see no "nowhere" here.'),
        ("unmake yard", '"The Yard" cannot be unmade'),
        ("unmake here", '"The Yard" cannot be unmade'),
        ("unmake pit", '"The Pit" cannot be unmade'),
        ("unmake zebra", 'You see no "zebra" here.'),
        ("unmake all", "One at a time, please."),
    ],
)
async def test_what_cannot_be_made_or_unmade_is_answered(mud: OpenMud, line: str, answer: str) -> None:
    async with mud(game) as site:
        number = len(list(site.store.all(Thing)))
        await says(await builder(site), line, answer)
        assert len(list(site.store.all(Thing))) == number + 1  # Ann


async def test_a_world_has_so_many_things_and_no_more(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await ann.type(*["make nail"] * 40)
        await ann.sees("The world has 40 things already")
        await says(ann, "dig east The Cave", "The world has 40 things already")


async def test_a_room_that_is_unmade_under_a_player_drops_everything_into_the_limbo(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(bob, "go north", "The Shed")
        await says(ann, "unmake shed", "The Shed is gone now.")
        await bob.sees('"The Shed" is no longer there. You are in "The Pit".')
        assert mason(site, "Bob").place is room(site, "pit")
        assert named(site, "crate").place is room(site, "pit")
        assert "north" not in room(site, "yard").exits
        await says(bob, "look", "The Pit")
        await says(ann, "dig north Shed", "whose key is shed-2.")  # the map has the other key


async def test_who_unmakes_the_room_around_is_moved_too(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig east The Cave", "You dig")
        await says(ann, "go east", "The Cave")
        await says(ann, "unmake here", 'You are in "The Pit".')
        await ann.sees("The Cave is gone now.")
        await says(ann, "look", "The Pit")


@pytest.mark.parametrize("killed", [False, True])
async def test_a_room_or_door_of_the_map_stays_away_once_unmade(mud: OpenMud, *, killed: bool) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "unmake hatch", "hatch is gone now.")
        assert room(site, "yard").doors == room(site, "shed").doors == {}
        await says(ann, "unmake shed", "The Shed is gone now.")
        await site.store.saved()
        if killed:
            await site.kill()
    for _ in range(2):
        async with mud(game, storage=site.storage) as site:
            assert {thing.key for thing in site.store.all(Room)} == {"map:yard", "map:pit"}
            assert list(room(site, "yard").exits) == ["down"]
            assert named(site, "street lamp").rooms == [room(site, "yard")]  # type: ignore[attr-defined]


async def test_an_unmade_room_that_the_map_now_names_as_start_is_there_again(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(game) as site:
        await says(await builder(site), "unmake shed", "is gone")
    file = tmp_path / "changes.toml"
    file.write_text('changes = true\nstart = "shed"\n')
    async with mud(Game(hooks, maps=(MAP, file)), storage=site.storage) as site:
        await says(await builder(site, "Bob"), "look", "The Shed")


async def test_who_was_away_in_an_unmade_room_comes_back_at_the_start(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(bob, "go north", "The Shed")
        await bob.hang_up()
        await site.pass_time(5)
        await says(ann, "unmake shed", "is gone")
        await site.store.saved()
        await says(await builder(site, "Bob"), "look", "The Yard")


async def test_the_contents_of_an_unmade_thing_fall_to_where_it_was(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "go north", "The Shed")
        await says(ann, "unmake crate", "crate is gone now.")
        assert named(site, "nail").place is room(site, "shed")


async def test_a_thing_may_have_the_name_of_a_verb(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "make nail", "You make")
        for name in ("look", "undo", "here", "me", "all"):
            await says(ann, f"set nail name {name}", f"is {name} now.")
            await says(ann, "look", f"Here: street lamp, {name}.")
            await says(ann, "undo", "Undone")


async def test_the_world_still_loads_with_a_cycle_of_rooms(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig in to here back out", 'leads to "The Yard"')
        await says(ann, "dig east The Cave", "You dig")
        await says(ann, "go east", "The Cave")
        await says(ann, "dig east to yard back west", 'leads to "The Yard"')
        await says(ann, "make crate", "You make")
        await says(ann, "make crate in crate", "You make")
        (box,) = [thing for thing in room(site, "the-cave").contents if thing.name == "crate"]
        with pytest.raises(ValueError, match="which is inside it"):
            box.place = box.contents[0]
    async with mud(game, storage=site.storage) as site:
        assert room(site, "the-cave").exits["east"] is room(site, "yard")
        assert room(site, "yard").exits["in"] is room(site, "yard")
        assert World.of(site.server).get(Room, "yard").exits["west"] is room(site, "the-cave")
