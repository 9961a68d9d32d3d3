"""Players take, drop, put, give, open and lock."""

from __future__ import annotations

import pytest

from trio_mud.mudlib import lasting_world, world
from trio_mud.mudlib.things import Loaf, OilLamp
from trio_mud.mudlib.verbs.handling import MOST_CARRIED
from trio_mud.mudlib.villager import Villager
from trio_mud.testing import Mud, OpenMud
from trio_mud.world import Room, Thing, World

from ..conftest import ComeIn, reads
from ..test_login import PASSWORD, answers, newcomer

SWIFT_WAY = {"workshop": ("n", "n", "e"), "bakehouse": ("n", "n", "w"), "archive": ("n", "n", "ne")}


def lamps(valley: Mud) -> list[OilLamp]:
    return list(valley.store.all(OilLamp))


def room_of(valley: Mud, key: str) -> Room:
    return World.of(valley.server).get(Room, key)


async def test_a_thing_is_taken_carried_and_dropped_before_the_eyes_of_others(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        for player in (ann, bob):
            await player.type(*SWIFT_WAY["workshop"])
            await player.sees("The Float-Maker's Bench")
        await ann.sees("Lying about: ")
        await ann.type("take lamp", "i")
        await ann.sees("You take the brass lamp.")
        await ann.sees("You carry: brass lamp.")
        await bob.sees("Ann takes the brass lamp.")
        await ann.type("west", "drop lamp", "look")
        await ann.sees("You drop the brass lamp.")
        await ann.sees("Lying about: brass lamp.")
        (lamp,) = lamps(valley)
        assert lamp.place is room_of(valley, "square")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("take me", 'You see no "me" here.'),
        ("take bob", "You cannot take Bob."),
        ("take geese", 'You see no "geese" here.'),
        ("drop lamp", 'You have no "lamp".'),
        ("put lamp in bowl", 'You see no "bowl" here.'),
        ("give lamp to bob", 'You have no "lamp".'),
        ("open bob", "You cannot do that with Bob."),
        ("light bob", "You cannot do that with Bob."),
        ("eat bob", "You cannot do that with Bob."),
        ("kill bob", "You cannot do that with Bob."),
        ("kill me", 'You see no "me" here.'),
        ("flee", "You are not in a fight."),
    ],
)
async def test_what_cannot_be_done_is_answered(mud: OpenMud, come_in: ComeIn, line: str, answer: str) -> None:
    async with mud(world) as valley:
        ann, _ = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await ann.type(line)
        assert answer in await reads(ann)


async def test_a_drawer_holds_what_is_put_in_it_and_shows_it_when_it_is_open(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(*SWIFT_WAY["archive"], "look drawer", "take float from drawer", "open drawer", "look in drawer")
        await ann.sees("The oak drawer is closed.")
        await ann.sees("The oak drawer is closed.")
        await ann.sees("You open the oak drawer.")
        await ann.sees("In it you see: cork float.")
        await ann.type("take float from drawer", "put float in drawer", "take drawer", "put drawer in drawer")
        await ann.sees("You take the cork float out of the oak drawer.")
        await ann.sees("You put the cork float into the oak drawer.")
        await ann.sees("You cannot take oak drawer.")


async def test_who_carries_too_much_takes_no_more(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        here = World.of(valley.server).start
        for _ in range(MOST_CARRIED + 1):
            World.of(valley.server).make("float", here)
        await ann.type("take all.float", "take float")
        await ann.sees("You take the cork float.")
        await ann.sees("The cork float is one thing too many for Ann.")
        (body,) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        assert len(body.contents) == MOST_CARRIED


async def test_a_gift_is_refused_by_those_who_cannot_take_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        World.of(valley.server).make("float", World.of(valley.server).start)
        await ann.type("take float", "give float to bob")
        await bob.sees("Ann gives you the cork float.")
        await bob.vanish()
        await ann.sees("Bob stops in the middle of a breath")
        World.of(valley.server).make("float", World.of(valley.server).start)
        await ann.type("take float", "give float to bob")
        await ann.sees("Bob is absent in mind, and takes nothing.")


async def test_what_a_guest_carries_falls_when_they_go(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        World.of(valley.server).make("minute", World.of(valley.server).start)
        await ann.type("take jar", "quit")
        await ann.sees_the_end()
        bob = await come_in(valley, "Bob")
        assert "Lying about: jar with a minute." in bob.screen


async def test_a_locked_door_needs_its_key_and_both_sides_see_it_move(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(*SWIFT_WAY["archive"], "up", "take key", "down", "sw", "n", "w")
        await ann.sees("You can go east, down or west (closed).")
        await ann.type("w", "open door", "unlock door", "open door", "w")
        await ann.sees("The iron door is closed.")
        await ann.sees("The iron door is locked.")
        await ann.sees("You unlock the iron door.")
        await ann.sees("You open the iron door.")
        await ann.sees("It is as dark as inside a bell.")
        await ann.type("drop key", "close door", "lock door")
        await ann.sees("You close the iron door.")
        await ann.sees("You have no key for the iron door.")


async def test_what_is_carried_or_dropped_is_kept_over_a_restart_and_a_crash(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await answers(ann, *SWIFT_WAY["workshop"], "take lamp", "take float", "w", "drop float")
        await valley.store.saved()
        await valley.kill()
    async with mud(lasting_world, storage=valley.storage) as valley:
        assert "cork float" in [thing.name for thing in room_of(valley, "square").contents]
        assert not any(isinstance(thing, OilLamp) for thing in room_of(valley, "square").contents)
        ann = await valley.player()
        await answers(ann, "Ann", PASSWORD, "i", "quit")
        assert "You carry: brass lamp." in ann.screen
    async with mud(lasting_world, storage=valley.storage) as valley:
        ann = await valley.player()
        await answers(ann, "Ann", PASSWORD, "i")
        assert "You carry: brass lamp." in ann.screen
        names = [thing.name for thing in valley.store.all(Thing) if thing.template == "lamp"]
        assert len(names) == 1


async def test_the_rooms_fill_up_again_and_loaves_do_not_last(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(*SWIFT_WAY["bakehouse"], "take all.loaf", "eat loaf")
        await ann.sees("You eat the warm loaf.")
        await valley.pass_time(601)
        assert len([thing for thing in room_of(valley, "bakehouse").contents if isinstance(thing, Loaf)]) == 2
        await valley.pass_time(3600)
        await ann.type("i")
        await ann.sees("You carry nothing.")


async def test_ten_thousand_things_in_a_room_are_counted_not_listed(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        here = World.of(valley.server).start
        for number in range(10_000):
            World.of(valley.server).make("float", here, name=f"float {number}")
        await ann.type("look")
        seen = await ann.catches_up()
        assert "9950 more" in seen
        assert len(seen) < 2000
