"""Guests move, and others see it."""

import pytest

from trio_mud import Limits
from trio_mud.mudlib import world
from trio_mud.mudlib.directions import OPPOSITES
from trio_mud.testing import OpenMud
from trio_mud.world import Room, World

from ..conftest import ComeIn, reads


@pytest.mark.parametrize("line", ["north", "n", "go north", "go n", "walk north", "NORTH"])
async def test_there_are_many_ways_to_say_north(mud: OpenMud, come_in: ComeIn, line: str) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(line)
        await ann.sees("Drip Bridge")


async def test_where_it_is_not_clear_which_way_is_meant_nobody_goes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("go nor")
        assert await reads(ann) == "Do you mean north, northeast or northwest?\n"


async def test_those_left_behind_and_those_ahead_see_who_goes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob, eve = [await come_in(valley, name) for name in ("Ann", "Bob", "Eve")]
        await eve.type("north")
        await bob.sees("Eve goes north.")
        await eve.catches_up()
        await ann.type("north")
        await bob.sees("Ann goes north.")
        await eve.sees("Ann comes from the south.")
        await ann.sees("Eve is here.")


async def test_who_climbs_comes_from_below(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        for player in (ann, bob):
            await player.type("n", "n", "ne")
            await player.sees("House of Lost Hours")
        await ann.type("up")
        await ann.sees("Attic")
        await bob.type("u")
        await ann.sees("Bob comes from below.")


async def test_where_there_is_no_way_nobody_goes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await bob.type("down")
        assert await reads(bob) == "There is no way down from here.\n"
        await ann.sees_nothing()


async def test_every_room_can_be_walked_to(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world, limits=Limits(command_rate=None)) as valley:
        ann = await come_in(valley, "Ann")
        for there, way in grand_tour(World.of(valley.server).start):
            await ann.type(way)
            assert (await ann.catches_up()).startswith(f"{there}\n")


def grand_tour(start: Room) -> list[tuple[str, str]]:
    """Steps from the start through every room and back, each with the name of the room it leads to."""
    seen, steps = {start}, list[tuple[str, str]]()

    def visit(room: Room) -> None:
        for way, goal in room.exits.items():
            if goal not in seen and way not in room.doors and goal.exits.get(OPPOSITES[way]) is room:
                seen.add(goal)
                steps.append((goal.name, way))
                visit(goal)
                steps.append((room.name, OPPOSITES[way]))

    visit(start)
    assert set(start.world.store.all(Room)) - seen == {start.world.get(Room, "sluice")}  # behind a locked door
    return steps


async def test_the_spillway_leads_down_and_not_up(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("e", "n", "nw", "w")
        await ann.sees("NOT A WAY UP")
        await ann.type("sw")
        await ann.sees("The Uncounted Pool")
        await ann.type("ne")
        await ann.sees("There is no way northeast from here.")


async def test_quit_must_be_typed_in_full(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("qui")
        await ann.sees("Type quit in full")
        await ann.type("quit")
        await ann.sees_the_end()
