"""Rooms, doors and containers."""

from __future__ import annotations

import pytest

from trio_mud import Text
from trio_mud.testing import OpenMud
from trio_mud.world import Door, Room, Thing, World

from .village import Cottager, game, room, the


async def test_a_door_has_two_sides_and_one_state(mud: OpenMud) -> None:
    async with mud(game) as place:
        green, barn = room(place, "green"), room(place, "barn")
        gate = World.of(place.server).get(Door, "gate")
        assert green.doors["north"] is gate
        assert barn.doors["south"] is gate
        assert gate.is_locked
        gate.is_locked, gate.is_open = False, True
    async with mud(game, storage=place.storage) as again:
        assert room(again, "barn").doors["south"].is_open
        assert not room(again, "green").doors["north"].is_locked


async def test_a_door_is_in_reach_on_both_sides(mud: OpenMud) -> None:
    async with mud(game) as place:
        gate = World.of(place.server).get(Door, "gate")
        sentry = the(place, "sentry")
        for key in ("green", "barn"):
            sentry.place = room(place, key)
            assert list(sentry.in_reach()).count(gate) == 1
        sentry.place = room(place, "pond")
        assert gate not in sentry.in_reach()


class Parrot(Thing):
    """Remembers what it hears."""

    def hear(self, text: Text) -> None:
        self.text += f"{text}|"


async def test_a_text_reaches_players_and_things_once(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann, bob = await place.player(), await place.player()
        green = room(place, "green")
        parrot = World.of(place.server).add(Parrot(place=green))
        one, _ = place.store.all(Cottager)
        green.tell("A bell rings.", exclude=(one,))
        await bob.sees("A bell rings.")
        await bob.sees_nothing()
        await ann.sees_nothing()
        assert parrot.text == "A bell rings.|"


async def test_a_destroyed_room_closes_its_exits_and_drops_its_contents(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player()
        (ann,) = place.store.all(Cottager)
        barn, pond = room(place, "barn"), room(place, "pond")
        ann.place = barn
        barn.destroy()
        assert ann.room is pond
        assert "north" not in room(place, "green").exits
        with pytest.raises(LookupError, match="there is no Room 'barn'"):
            room(place, "barn")


async def test_the_limbo_cannot_be_destroyed(mud: OpenMud) -> None:
    async with mud(game) as place:
        with pytest.raises(ValueError, match="is the limbo"):
            room(place, "pond").destroy()
        assert room(place, "pond").contents


def test_a_room_without_a_world_drops_its_contents_nowhere() -> None:
    hall = Room()
    coin = Thing(place=hall)
    hall.destroy()
    assert coin.place is None


async def test_a_destroyed_door_leaves_its_way_open_and_its_rooms_readable(mud: OpenMud) -> None:
    async with mud(game) as place:
        the(place, "gate").destroy()
        assert (room(place, "green").doors, room(place, "barn").doors) == ({}, {})
        await place.store.saved()
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        assert again.store.quarantined == {}
        assert set(room(again, "green").exits) == {"north", "east"}
