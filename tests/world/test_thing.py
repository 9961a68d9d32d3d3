"""Things: one place each, contents derived from it, owners, messages."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import pytest

from trio_mud import Text
from trio_mud.commands import find
from trio_mud.storage import live
from trio_mud.testing import OpenMud
from trio_mud.world import Container, Room, Thing, World

from .village import Cottager, game, lantern_of, room, the


class Listener(Thing):
    """Remembers what it hears, and does what its test wants."""

    heard: list[str] = live(default_factory=list)
    fails: bool = live(default=False)
    acts: Callable[[], object] | None = live()

    def hear(self, text: Text) -> None:
        if self.fails:
            raise RuntimeError("as asked")
        self.heard.append(str(text))
        if self.acts is not None:
            self.acts()


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


async def test_a_traveller_who_leaves_sets_down_the_travellers_it_carries(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        await place.player(address="10.0.0.2")
        one, two = place.store.all(Cottager)
        lantern_of(place).place = two
        two.place = one
        await ann.vanish()
        await place.pass_time(5)
        assert two in room(place, "green").contents
        assert two.world is lantern_of(place).world


async def test_a_traveller_whose_place_was_destroyed_comes_back_at_the_start(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        sack = World.of(place.server).make("sack", room(place, "barn"))
        body.place = sack
        await ann.vanish()
        await place.pass_time(5)
        loaded = await place.store.load(Cottager, body.key)  # it is in memory while its place goes
        sack.destroy()
        await place.player(address="10.0.0.1")
        assert loaded is not None
        assert loaded.place is room(place, "green")
        assert loaded in room(place, "green").contents


async def test_a_room_of_the_map_cannot_be_carried_away(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        sack = World.of(place.server).make("sack", room(place, "green"))
        the(place, "gate").place = sack
        for thing in (room(place, "barn"), sack):
            with pytest.raises(ValueError, match="is a room or a door of a map: <Cottager"):
                thing.place = body
        assert sack in room(place, "green").contents
    async with mud(game, storage=place.storage) as again:
        assert room(again, "barn").place is None


async def test_the_destroyed_is_nowhere(mud: OpenMud) -> None:
    async with mud(game) as place:
        sentry = the(place, "sentry")
        sentry.destroy()
        assert (sentry.place, sentry.room, sentry.contents) == (None, None, ())
        sentry.destroy()


async def test_the_belongings_of_a_removed_traveller_fall_where_it_was(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern_of(place).place = body
        await ann.vanish()
        await place.pass_time(5)
        loaded = await place.store.load(Cottager, body.key)
        assert loaded is not None
        place.store.remove(loaded)
        await place.store.saved()
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        assert lantern_of(again).place is room(again, "green")


async def test_the_belongings_of_a_removed_traveller_who_was_nowhere_are_in_the_limbo(mud: OpenMud) -> None:
    async with mud(game) as place:
        World.of(place.server).add(Cottager(name="Eve"), "eve")
        body = await place.store.hold(Cottager, "eve")
        assert body is not None
        lantern_of(place).place = body
        place.store.remove(body)
        assert lantern_of(place).place is room(place, "pond")


async def test_a_row_is_stored_with_the_owner_of_its_moment(mud: OpenMud) -> None:
    """An owner that is removed while a transaction is encoded is still the owner in that transaction."""
    async with mud(game) as place:
        await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        transaction = place.store.take_changes()
        assert transaction is not None
        place.store.remove(body)
        transaction.encode()
        (row,) = [row for row in transaction.changes().rows if row.key == lantern.key]
        assert row.owner == body.key
        transaction.failed(OSError("not written"))


async def test_a_failing_hear_costs_itself_only(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    async with mud(game, allow_errors=True) as place:
        ann = await place.player()
        world, green = World.of(place.server), room(place, "green")
        deaf, listener = world.add(Listener(name="deaf", place=green)), world.add(Listener(name="ear", place=green))
        deaf.fails = True
        green.tell("Thunder.")
        await ann.sees("Thunder.")
        assert listener.heard == ["Thunder."]
        listener.act("", "", target=deaf, to_target="You are poked.")
    assert "hear of <Listener" in caplog.text


async def test_a_hearer_may_move_and_destroy_things_while_a_text_is_told(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        world, green = World.of(place.server), room(place, "green")
        first, second, third = [world.add(Listener(name=name, place=green)) for name in ("one", "two", "three")]

        def act() -> None:
            second.destroy()
            first.place = room(place, "barn")
            first.acts = None
            green.tell("Bang.")

        first.acts = act
        green.tell("Thunder.")
        await ann.sees("Thunder.")
        await ann.sees("Bang.")
        assert (first.heard, second.heard, third.heard) == (["Thunder."], [], ["Bang.", "Thunder."])
        await ann.sees_nothing()


async def test_hearers_who_answer_each_other_for_ever_cost_their_event(mud: OpenMud) -> None:
    async with mud(game, allow_errors=True) as place:
        world, barn = World.of(place.server), room(place, "barn")
        for name in ("one", "two"):
            parrot = world.add(Listener(name=name, place=barn))
            parrot.acts = lambda: barn.tell("Hello.")
        with pytest.raises(RecursionError):
            barn.tell("Hello.")
        assert len(barn.contents) == 3


async def test_ten_thousand_things_in_one_room_are_told_and_walked(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        world, green = World.of(place.server), room(place, "green")
        pebbles = [world.make("pebble", green) for _ in range(10_000)]
        green.tell("An avalanche.")
        await ann.sees("An avalanche.")
        assert len(green.contents) >= 10_000
        assert find("2.pebble", body.in_reach()) == [pebbles[1]]
        sack = world.make("sack", green)
        for pebble in pebbles:
            pebble.place = sack
        sack.place = body
        await place.store.saved()
        assert sum(row.owner == body.key for row in place.storage.rows.values()) == 10_002


async def test_the_destroyed_cannot_be_moved(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern, green = lantern_of(place), room(place, "green")
        lantern.destroy()
        with pytest.raises(ValueError, match="was destroyed and cannot be moved"):
            lantern.place = green
        assert lantern not in green.contents
        World.of(place.server).add(lantern)
        lantern.place = green
        assert lantern in green.contents


async def test_a_thing_cannot_be_moved_into_another_world(mud: OpenMud) -> None:
    async with mud(game) as place, mud(game) as other:
        lantern = lantern_of(place)
        with pytest.raises(ValueError, match="is in another world"):
            lantern.place = room(other, "green")
        assert lantern in room(place, "green").contents


async def test_a_thing_inside_one_that_cannot_be_loaded_is_in_the_limbo(mud: OpenMud) -> None:
    async with mud(game) as place:
        sack = World.of(place.server).make("sack", room(place, "green"))
        lantern_of(place).place = sack
    row = place.storage.rows["thing", sack.key]
    place.storage.rows["thing", sack.key] = row._replace(kind="renamed")
    async with mud(game, storage=place.storage, allow_errors=True) as again:
        assert lantern_of(again).place is room(again, "pond")
    assert place.storage.rows["thing", sack.key].kind == "renamed"
