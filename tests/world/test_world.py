"""A world over many moves, kills and restarts: nothing is lost, doubled, or in two places."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from trio_mud.testing import Mud, OpenMud
from trio_mud.world import Room, Thing, World

from .village import Cottager, Lantern, game, lantern_of, room, the

LANTERNS = 4
SACKS = 3


def everything_is_in_one_place(mud: Mud) -> None:
    """Check the derived contents against the places."""
    things = set(mud.store.all(Thing))
    for thing in things:
        for inner in thing.contents:
            assert inner.place is thing
        if thing.place is not None and (not isinstance(thing, Cottager) or thing.session is not None):
            assert thing.place.contents.count(thing) == 1
    assert Counter(inner for thing in things for inner in thing.contents).most_common(1)[0][1] == 1


async def count_rows(mud: Mud) -> Counter[str]:
    await mud.store.saved()
    return Counter(row.kind for row in mud.storage.rows.values())


@pytest.mark.parametrize("seed", range(25))
async def test_nothing_is_lost_or_doubled_over_kills_and_restarts(mud: OpenMud, seed: int) -> None:
    chance = random.Random(seed)
    storage = None
    expected: Counter[str] = Counter()
    for run in range(5):
        async with mud(game, storage=storage) as place:
            world = World.of(place.server)
            players = {}
            if run == 0:
                green = room(place, "green")
                for _ in range(LANTERNS - 1):
                    world.make("lantern", green)
                for _ in range(SACKS):
                    world.make("sack", green)
                for address in ("10.0.0.1", "10.0.0.2"):
                    players[address] = await place.player(address=address)
                expected = await count_rows(place)
            assert await count_rows(place) == expected
            for _ in range(40):
                address = chance.choice(("10.0.0.1", "10.0.0.2"))
                match chance.randrange(6):
                    case 0 if address not in players:
                        players[address] = await place.player(address=address)
                    case 1 if address in players:
                        await players.pop(address).vanish()
                    case 2:
                        lit = [thing for thing in place.store.all(Lantern) if thing._world and not thing.due]
                        if lit:
                            lantern = chance.choice(lit)
                            lantern.after(chance.uniform(1, 60), lantern.burn_out)
                    case 3:
                        await place.pass_time(chance.uniform(0, 20))
                    case _:
                        movable = [thing for thing in place.store.all(Thing) if not thing.is_fixed]
                        places = [thing for thing in place.store.all(Thing) if not isinstance(thing, Lantern)]
                        thing, target = chance.choice(movable), chance.choice(places)
                        if target is not thing and target not in thing.all_inside:
                            thing.place = target
                everything_is_in_one_place(place)
            if chance.random() < 0.5:
                await place.kill()
        storage = place.storage
    assert storage is not None
    assert Counter(row.kind for row in storage.rows.values()) == expected


async def test_a_thing_whose_place_was_not_stored_is_found_in_the_limbo(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(game) as place:
        lantern_of(place).place = None
    async with mud(game, storage=place.storage) as again:
        assert lantern_of(again).place is room(again, "pond")
    assert "was nowhere and is in <Room 'map:pond'> now" in caplog.text


async def test_a_new_thing_is_in_the_world_at_once(mud: OpenMud) -> None:
    async with mud(game) as place:
        world, green = World.of(place.server), room(place, "green")
        coin = world.add(Thing(name="coin", place=green))
        assert coin.world is world
        assert coin in green.contents
        with pytest.raises(ValueError, match="it was destroyed, or not added yet"):
            world.add(Thing(place=Room()))
        with pytest.raises(ValueError, match="it was destroyed, or not added yet"):
            world.make("pebble", Room())
    async with mud(game, storage=place.storage) as again:
        assert [thing.name for thing in room(again, "green").contents if not thing.template] == ["coin"]


async def test_a_thing_made_for_a_player_is_stored_with_the_player(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        sack = World.of(place.server).make("sack", body)
        assert sack.world is body.world
        await place.store.saved()
        assert place.storage.rows["thing", sack.key].owner == body.key
        assert the(place, "sack").owner is body
