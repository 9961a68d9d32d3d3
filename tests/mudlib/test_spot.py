"""The map of the valley, and the numbers of its rooms."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest

from trio_mud.mudlib import world
from trio_mud.mudlib.directions import DIRECTIONS, OPPOSITES
from trio_mud.mudlib.spot import Spot, room_number
from trio_mud.testing import Mud, OpenMud
from trio_mud.world import Being, Room, Thing

ONE_WAY = {("cistern", "southwest"), ("sluice", "down")}  # a spillway, with a sign that says so, and a chute


def spots(valley: Mud) -> list[Spot]:
    """Return all rooms of the valley."""
    return [cast("Spot", room) for room in valley.store.all(Room)]


async def test_the_valley_has_a_dozen_rooms_and_more_with_names_of_their_own(mud: OpenMud) -> None:
    async with mud(world) as valley:
        names = Counter(room.name for room in spots(valley))
    assert len(names) >= 12
    assert max(names.values()) == 1


async def test_every_room_can_be_reached_from_every_other(mud: OpenMud) -> None:
    async with mud(world) as valley:
        for start in spots(valley):
            seen, ahead = set[Room](), list[Room]([start])
            while ahead:
                room = ahead.pop()
                if room not in seen:
                    seen.add(room)
                    ahead.extend(room.exits.values())
            assert seen == set(spots(valley))


async def test_every_way_leads_straight_back_unless_it_is_one_way(mud: OpenMud) -> None:
    async with mud(world) as valley:
        for room in spots(valley):
            for way, goal in room.exits.items():
                leads_back = goal.exits.get(OPPOSITES[way]) is room
                assert leads_back is ((room.template, way) not in ONE_WAY)


async def test_only_rooms_under_the_sky_change_at_night(mud: OpenMud) -> None:
    async with mud(world) as valley:
        assert [room.name for room in spots(valley) if room.is_indoors == bool(room.night)] == []


async def test_each_thing_and_creature_of_the_map_has_a_text(mud: OpenMud) -> None:
    async with mud(world) as valley:
        things = [thing for thing in valley.store.all(Thing) if not isinstance(thing, Room)]
        assert any(isinstance(thing, Being) for thing in things)
        assert [thing.template for thing in things if not thing.text] == []


async def test_no_two_rooms_have_one_number(mud: OpenMud) -> None:
    async with mud(world) as valley:
        numbers = {room_number(room) for room in spots(valley)}
        assert len(numbers) == len(spots(valley))


def test_the_number_of_a_room_depends_on_its_key_alone() -> None:
    green = Spot(template="green", name="Toll Green")
    assert room_number(green) == room_number(Spot(template="green")) != room_number(Spot(template="bridge"))
    assert all(0 < room_number(Spot(template=f"room {number}")) < 2**31 for number in range(1000))


@pytest.mark.parametrize("way", DIRECTIONS)
def test_the_way_back_of_the_way_back_is_the_way(way: str) -> None:
    assert OPPOSITES[way] != way
    assert OPPOSITES[OPPOSITES[way]] == way
