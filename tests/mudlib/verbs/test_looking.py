"""Guests look at the room and at each other."""

import pytest
import trio
from wcwidth import wcswidth

from trio_mud.mudlib import world
from trio_mud.storage import Stored
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads


@pytest.mark.parametrize("line", ["look", "l", "loo"])
async def test_look_shows_the_room_the_ways_out_and_who_is_there(mud: OpenMud, come_in: ComeIn, line: str) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        for name in ("Bob", "Eve"):
            await come_in(valley, name)
        await ann.catches_up()
        await ann.type(line)
        seen = (await reads(ann)).splitlines()
        assert seen[0] == "Toll Green"
        assert seen[-2:] == ["You can go north, east or west.", "Bob and Eve are here."]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("look bob", "Bob is wide awake, and a little damp about the edges."),
        ("l b", "Bob is wide awake, and a little damp about the edges."),
        ("look ann", "You are much as you remember yourself, only wetter."),
        ("look me", "You are much as you remember yourself, only wetter."),
        ("look eve", 'You see no "eve" here.'),
        ("look at bob", "Bob is wide awake, and a little damp about the edges."),
    ],
)
async def test_look_shows_whoever_is_in_the_same_room(mud: OpenMud, come_in: ComeIn, line: str, answer: str) -> None:
    async with mud(world) as valley:
        ann, _, eve = [await come_in(valley, name) for name in ("Ann", "Bob", "Eve")]
        await eve.type("north")
        await eve.catches_up()
        await ann.catches_up()
        await ann.type(line)
        assert await reads(ann) == f"{answer}\n"


async def test_who_is_silent_for_long_is_seen_to_be_still(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, _ = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await trio.sleep(60)
        await ann.type("look bob")
        await ann.sees("Bob has not stirred for 1 minute.")
        await trio.sleep(60)
        await ann.type("who")
        await ann.sees("Ann  Toll Green\nBob  Toll Green, has not stirred for 2 minutes\n")


async def test_who_lists_all_wherever_they_are(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, _ = await come_in(valley, "Ann"), await come_in(valley, "Barnaby")
        await ann.type("north")
        await ann.catches_up()
        await ann.type("who")
        assert await reads(ann) == "Ann      Drip Bridge\nBarnaby  Toll Green\n"


async def test_rooms_stand_in_one_column_beside_names_of_any_width(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        for name in ("\uae40\ucca0\uc218", "\u0e1b\u0e34\u0e48\u0e19"):
            await come_in(valley, name)
        await ann.catches_up()
        await ann.type("who")
        rows = (await reads(ann)).splitlines()
        assert {wcswidth(row.partition("Toll")[0]) for row in rows} == {8}


async def test_the_time_is_seen_outdoors_and_heard_indoors(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("time")
        await ann.sees("You look at the sky: it is morning, on the 1st day of Thaw in the year 1.")
        await ann.type("n", "n", "w")
        await trio.sleep(3 * 900)
        await ann.type("time")
        await ann.sees("You listen for the clock: it is night, on the 1st day of Thaw in the year 1.")


@pytest.mark.parametrize(("columns", "widest"), [(40, 39), (200, 79), (2, 19)])
async def test_prose_is_wrapped_to_the_window_but_never_wider_than_a_page(
    mud: OpenMud, columns: int, widest: int
) -> None:
    async with mud(world) as valley:
        ann = await valley.player(columns=columns, rows=24)
        await ann.type("Ann")
        await ann.sees("Toll Green\n")
        prose = await ann.sees("without.")
        assert widest - 12 < max(map(len, prose.splitlines())) <= widest


async def test_days_pass_into_seasons(mud: OpenMud, come_in: ComeIn) -> None:
    late = Stored(values={"trio_mud.world_time": str(4 * 900 * 28).encode()})
    async with mud(world, storage=late) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("time")
        await ann.sees("it is morning, on the 1st day of Flood in the year 1.")
