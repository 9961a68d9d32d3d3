"""Things: one place each, contents derived from it, owners, messages."""

from __future__ import annotations

import copy
import itertools

import pytest

from trio_mud.testing import OpenMud
from trio_mud.world import Container, Room, Thing, World

from .village import Cottager, game, lantern_of, room, the


def test_contents_follow_from_places() -> None:
    sack, box, coin = Container(name="sack"), Container(name="box"), Thing(name="coin")
    coin.place = sack
    sack.place = box
    assert (box.contents, sack.contents) == ((sack,), (coin,))
    assert set(box.all_inside) == {sack, coin}
    coin.place = box
    assert sack.contents == ()
    coin.place = None
    assert box.contents == (sack,)


def test_a_place_given_to_the_class_counts_at_once() -> None:
    box = Container()
    coin = Thing(place=box)
    assert box.contents == (coin,)


@pytest.mark.parametrize("depth", [0, 1, 50])
def test_a_cycle_is_refused_and_changes_nothing(depth: int) -> None:
    boxes = [Container(name=f"box {number}") for number in range(depth + 1)]
    for inner, outer in itertools.pairwise(boxes):
        inner.place = outer
    with pytest.raises(ValueError, match="which is inside it"):
        boxes[-1].place = boxes[0]
    assert boxes[-1].place is None
    assert boxes[-1] not in boxes[0].contents


def test_a_place_is_a_thing() -> None:
    with pytest.raises(TypeError, match="must be a thing, not 'the hall'"):
        Thing().place = "the hall"  # type: ignore[assignment]


def test_a_copy_is_nowhere_and_empty() -> None:
    box = Container(name="box", place=Room())
    Thing(place=box)
    twin = copy.copy(box)
    assert (twin.name, twin.place, twin.contents) == ("box", None, ())
    assert len(box.contents) == 1


def test_the_room_of_a_thing_is_found_at_any_depth() -> None:
    hall = Room()
    coin = Thing(place=Container(place=Container(place=hall)))
    assert coin.room is hall
    assert hall.room is hall
    assert Thing().room is None


def test_closed_containers_are_out_of_reach() -> None:
    hall = Room()
    who = Thing(place=hall)
    box = Container(name="box", place=hall)
    coin = Thing(name="coin", place=box)
    assert list(who.in_reach()) == [box, coin]
    box.is_open = False
    assert list(who.in_reach()) == [box]


async def test_belongings_come_and_go_with_their_traveller(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        green = room(place, "green")
        (body,) = [thing for thing in green.contents if isinstance(thing, Cottager)]
        sack = World.of(place.server).make("sack", body)
        lantern_of(place).place = sack
        await ann.type("save")
        await ann.sees("Saved.")
        await ann.vanish()
        await place.pass_time(5)
        assert not any(isinstance(thing, Cottager) for thing in green.contents)
        assert [thing for thing in place.store.all(Thing) if thing.template == "lantern"] == []
        rows = {key: row.owner for (_, key), row in place.storage.rows.items()}
        assert list(rows.values()).count("cottager 10.0.0.1") == 3
        await place.player(address="10.0.0.1")
        lantern = lantern_of(place)
        assert lantern.owner is not None
        assert lantern.owner.key == "cottager 10.0.0.1"
        assert lantern.room is green


async def test_a_dropped_thing_stays_when_its_former_owner_leaves(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        sack = World.of(place.server).make("sack", body)
        pebble = World.of(place.server).make("pebble", sack)
        await ann.type("save")
        await ann.sees("Saved.")
        sack.place = room(place, "barn")
        await ann.vanish()
        await place.pass_time(5)
        assert pebble in place.store.all(Thing)
    async with mud(game, storage=place.storage) as again:
        (sack_again,) = [thing for thing in room(again, "barn").contents if isinstance(thing, Container)]
        assert [thing.template for thing in sack_again.contents] == ["pebble"]


async def test_loading_a_traveller_shows_no_ghost(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        await ann.vanish()
        await place.pass_time(5)
        loaded = await place.store.load(Cottager, "cottager 10.0.0.1")
        assert loaded is not None
        assert loaded not in room(place, "green").contents
        loaded.place = room(place, "barn")
        assert loaded not in room(place, "barn").contents


async def test_what_falls_from_the_destroyed_stays(mud: OpenMud) -> None:
    async with mud(game) as place:
        barn = room(place, "barn")
        sentry, key = the(place, "sentry"), the(place, "latchkey")
        assert key.place is sentry
        sentry.destroy()
        assert key.place is barn
        assert sentry not in barn.contents
        with pytest.raises(ValueError, match="it was destroyed"):
            key.place = sentry
        with pytest.raises(LookupError, match="is in no world"):
            _ = sentry.world
    async with mud(game, storage=place.storage) as again:
        assert the(again, "latchkey").place is room(again, "barn")
        assert [thing for thing in again.store.all(Thing) if thing.template == "sentry"] == []


async def test_one_call_shows_an_event_to_actor_target_and_room(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann, bob, cid = [await place.player(address=f"10.0.0.{number}") for number in (1, 2, 3)]
        one, two, _ = place.store.all(Cottager)
        one.act(
            "You nod to {target}.", "{actor} nods to {target}.", target=two, to_target="{actor} nods to <b>you</b>."
        )
        await ann.sees("You nod to 10.0.0.2.")
        await bob.sees("10.0.0.1 nods to you.")
        await cid.sees("10.0.0.1 nods to 10.0.0.2.")
        for player in (ann, bob, cid):
            await player.sees_nothing()


async def test_words_of_an_event_are_no_markup(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        (one,) = place.store.all(Cottager)
        one.act("You say: {words}", "", words="<b>{actor}</b>")
        await ann.sees("You say: <b>{actor}</b>")


async def test_an_actor_may_be_its_own_target(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        (one,) = place.store.all(Cottager)
        one.act("You scratch yourself.", "{actor} scratches.", target=one, to_target="never")
        await ann.sees("You scratch yourself.")
        await ann.sees_nothing()
