"""The heron wanders, is seen, and bows."""

import pytest
import trio

from trio_mud.mudlib import world
from trio_mud.mudlib.creatures import Heron
from trio_mud.testing import Mud, OpenMud
from trio_mud.world import Room, World

from .conftest import ComeIn, reads

PACE = 70  # seconds, as creatures.py has it
BOW = "The grey heron bows too, lower and longer, and considers the matter closed.\n"
HERE = "A grey heron stands here on one leg, thinking about the other.\n"


async def test_a_creature_is_seen_to_go_and_to_come(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("west", "north")
        await ann.sees("The Uncounted Pool")
        await ann.sees(HERE)
        await bob.type("west")
        await bob.sees("Reed Landing")
        await trio.sleep(PACE)
        await ann.sees("The grey heron unfolds a leg, and stalks off south.\n")
        await bob.sees("A grey heron stalks in from the north, and folds up a leg.\n")
        await ann.catches_up()
        await ann.type("look")
        assert HERE not in await ann.catches_up()


@pytest.mark.parametrize("line", [":bows.", "emote makes a bow", "say I bow to you", "'BOW!"])
async def test_a_creature_answers_to_its_word(mud: OpenMud, come_in: ComeIn, line: str) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("west", "north")
        await ann.sees(HERE)
        await ann.catches_up()
        await ann.type(line)
        assert (await reads(ann)).endswith(f"\n{BOW}")


@pytest.mark.parametrize(("way", "line"), [("north", ":takes an elbow"), ("north", "shout bow"), ("south", ":bows")])
async def test_a_creature_answers_to_nothing_else_and_not_from_afar(
    mud: OpenMud, come_in: ComeIn, way: str, line: str
) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("west", way, line)
        assert "considers" not in await ann.catches_up()


def heron_of(valley: Mud) -> Heron:
    """Return the only heron."""
    (heron,) = valley.store.all(Heron)
    return heron


async def test_a_creature_comes_through_every_room_in_the_end(mud: OpenMud) -> None:
    async with mud(world) as valley:
        heron, seen = heron_of(valley), set()
        for _ in range(500):
            heron.wander()
            seen.add(heron.room)
        assert set(valley.store.all(Room)) - seen == {World.of(valley.server).get(Room, "sluice")}  # behind a door


async def test_a_creature_in_a_room_without_a_way_out_stays(mud: OpenMud) -> None:
    async with mud(world) as valley:
        heron = heron_of(valley)
        here = heron.room
        assert here is not None
        here.exits = {}
        heron.wander()
        assert heron.room is here


async def test_a_creature_goes_on_from_where_it_was_after_a_restart(mud: OpenMud) -> None:
    async with mud(world) as valley:
        await valley.pass_time(3 * PACE + 1)
        room, taken = str(heron_of(valley).room), heron_of(valley).taken
        await valley.store.saved()
        await valley.kill()
    async with mud(world, storage=valley.storage) as valley:
        assert (str(heron_of(valley).room), heron_of(valley).taken) == (room, taken)
