"""The verbs that most games have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import pytest

from trio_mud import Admitted, Hooks, Input, SessionEnded
from trio_mud.commands import Commands
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.world import Container, Game, Room, StandardVerbs, Thing, Traveller, VerbPhrases, World

from . import village
from .village import MAP, Cottager, Sentry, room, the

commands = Commands[Cottager]()
commands.include(StandardVerbs())


@commands.verb("drop")
def drop(who: Cottager) -> None:
    """Keep everything."""
    who.write("You would rather not.")


def game_of(table: Commands[Cottager]) -> Game:
    """Return the game of the village, in which what players type is a command of this table."""
    hooks = Hooks()

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        assert event.connection.session is not None
        body = event.connection.session.body
        assert isinstance(body, Cottager)
        return table.run(body, event.line)

    for event_type in (Admitted, SessionEnded):
        for function in village.hooks.functions_for(event_type):
            hooks.on(event_type)(function)
    return Game(hooks, maps=(MAP,))


STANDARD: Commands[Cottager] = StandardVerbs()


class Played:
    """A village with two villagers on its green."""

    def __init__(self, mud: Mud, ann: Player, bob: Player) -> None:
        self.mud, self.ann, self.bob = mud, ann, bob
        self.world = World.of(mud.server)
        self.hero, self.other = sorted(mud.store.all(Cottager), key=lambda villager: villager.key)
        self.hero.name, self.other.name = "Ann", "Bob"

    async def types(self, line: str) -> str:
        """Type a line as Ann, and return the answer."""
        await self.ann.catches_up()
        await self.ann.type(line)
        return (await self.ann.catches_up()).rstrip("\n")

    async def bob_reads(self) -> str:
        return (await self.bob.catches_up()).rstrip("\n")


@asynccontextmanager
async def played(mud: OpenMud, table: Commands[Cottager] = STANDARD) -> AsyncGenerator[Played]:
    async with mud(game_of(table)) as place:
        ann, bob = await place.player(address="192.0.2.1"), await place.player(address="192.0.2.2")
        await ann.catches_up()
        await bob.catches_up()
        yield Played(place, ann, bob)


# Looking


async def test_look_shows_name_text_exits_and_things(mud: OpenMud) -> None:
    async with played(mud) as it:
        assert await it.types("look") == (
            "The Green\nGrass, and a pump.\nExits: north (closed), east.\nYou see brass lantern and Bob."
        )


async def test_a_room_without_exits_says_so(mud: OpenMud) -> None:
    async with played(mud) as it:
        room(it.mud, "green").exits = {}
        assert "There is no way out." in await it.types("l")


async def test_equal_things_are_counted_and_many_are_summed_up(mud: OpenMud) -> None:
    async with played(mud) as it:
        for number in range(60):
            it.world.add(Thing(name=f"straw {number}", place=it.hero.place))
        it.world.make("pebble", it.hero)
        it.world.make("pebble", it.hero)
        assert await it.types("i") == "You carry pebble (2)."
        assert (await it.types("look")).endswith("straw 47 and 12 more.")


async def test_a_thing_shows_its_text_whether_it_is_open_and_what_is_in_it(mud: OpenMud) -> None:
    async with played(mud) as it:
        sack = it.world.make("sack", it.hero)
        assert await it.types("look sack") == "It is empty."
        it.world.make("pebble", sack)
        assert await it.types("look in sack") == "In it: pebble."
        sack.text = "Patched twice."
        await it.types("close sack")
        assert await it.types("look at sack") == "Patched twice.\nThe jute sack is closed."
        assert await it.types("look gate") == "The oak gate is closed."
        assert await it.types("look bob") == "You see nothing special about Bob."


async def test_an_empty_inventory_is_answered(mud: OpenMud) -> None:
    async with played(mud) as it:
        assert await it.types("inventory") == "You carry nothing."


async def test_a_game_changes_the_view_of_a_room(mud: OpenMud) -> None:
    class Terse(StandardVerbs):
        def describe_room(self, who: Traveller, room: Room) -> str:
            return f"<{room}>"

    async with played(mud, Terse()) as it:
        assert await it.types("look") == "<The Green>"
        assert await it.types("go east") == "<The Pond>"


# Going


async def test_a_direction_is_a_verb_and_both_rooms_see_who_goes(mud: OpenMud) -> None:
    async with played(mud) as it:
        it.other.place = room(it.mud, "pond")
        assert (await it.types("e")).startswith("The Pond")
        assert await it.bob_reads() == "Ann comes in."
        assert (await it.types("go w")).startswith("The Green")
        assert await it.bob_reads() == "Ann leaves west."


async def test_an_exit_with_a_name_of_its_own_is_found_by_its_beginning(mud: OpenMud) -> None:
    async with played(mud) as it:
        green, pond = room(it.mud, "green"), room(it.mud, "pond")
        green.exits = {**green.exits, "ladder": pond, "ladies": pond}
        assert await it.types("go lad") == "Do you mean ladder or ladies?"
        assert (await it.types("go ladd")).startswith("The Pond")


async def test_there_is_no_way_where_there_is_none_or_a_door_is_closed(mud: OpenMud) -> None:
    async with played(mud) as it:
        assert await it.types("south") == "You cannot go south."
        assert await it.types("north") == "The oak gate is closed."
        assert it.hero.place is room(it.mud, "green")


async def test_a_body_without_a_room_is_answered(mud: OpenMud) -> None:
    async with played(mud) as it:
        it.hero.place = None
        assert await it.types("look") == "You are nowhere."
        assert await it.types("e") == "You are nowhere."


# Moving things


async def test_what_is_taken_is_carried_and_what_is_dropped_lies_there(mud: OpenMud) -> None:
    async with played(mud) as it:
        lantern = the(it.mud, "lantern")
        assert await it.types("get lantern") == "You take the brass lantern."
        assert await it.bob_reads() == "Ann takes the brass lantern."
        assert lantern.place is it.hero
        assert await it.types("take lantern") == 'You see no "lantern" here.'
        assert await it.types("drop my lantern") == "You drop the brass lantern."
        assert await it.bob_reads() == "Ann drops the brass lantern."
        assert lantern in room(it.mud, "green").contents
        assert await it.types("drop lantern") == 'You have no "lantern".'


async def test_a_second_thing_of_a_kind_is_taken_although_one_is_carried(mud: OpenMud) -> None:
    async with played(mud) as it:
        pebbles = [it.world.make("pebble", it.hero.place) for _ in range(3)]
        assert await it.types("take pebble") == "You take the pebble."
        assert await it.types("take 2.pebble") == "You take the pebble."
        assert [pebble.place is it.hero for pebble in pebbles] == [True, False, True]


async def test_take_all_leaves_what_stays_there_and_what_is_in_boxes(mud: OpenMud) -> None:
    async with played(mud) as it:
        sack = it.world.make("sack", it.hero.place)
        pebble = it.world.make("pebble", sack)
        assert await it.types("take all") == "You take the brass lantern.\nYou take the jute sack."
        assert pebble.place is sack
        assert await it.types("take all") == "There is nothing to take."
        assert await it.types("take pebble") == "You take the pebble out of the jute sack."


@pytest.mark.parametrize("what", ["bob", "gate"])
async def test_a_fixed_thing_cannot_be_taken(mud: OpenMud, what: str) -> None:
    async with played(mud) as it:
        assert (await it.types(f"take {what}")).startswith("You cannot take ")


async def test_a_door_of_the_map_cannot_be_taken_even_if_it_is_not_fixed(mud: OpenMud) -> None:
    async with played(mud) as it:
        gate, sack = the(it.mud, "gate"), it.world.make("sack", it.hero.place)
        gate.is_fixed = False
        assert await it.types("take gate") == "You cannot take oak gate."
        gate.place = sack
        assert await it.types("take sack") == "You cannot take jute sack."
        assert await it.types("take all") == "You take the brass lantern."


async def test_what_can_be_taken_is_found_before_what_cannot(mud: OpenMud) -> None:
    async with played(mud) as it:
        it.other.name = "Pebble"
        pebble = it.world.make("pebble", it.hero.place)
        assert it.hero.place is not None
        assert it.hero.place.contents.index(it.other) < it.hero.place.contents.index(pebble)
        assert await it.types("take pebble") == "You take the pebble."
        assert pebble.place is it.hero
        assert await it.types("take pebble") == "You cannot take Pebble."


async def test_a_box_is_filled_and_emptied_while_it_is_open(mud: OpenMud) -> None:
    async with played(mud) as it:
        sack = it.world.make("sack", it.hero)
        for _ in range(2):
            it.world.make("pebble", it.hero)
        assert await it.types("put all in sack") == "\n".join(["You put the pebble into the jute sack."] * 2)
        assert await it.bob_reads() == "\n".join(["Ann puts the pebble into the jute sack."] * 2)
        assert len(sack.contents) == 2
        await it.types("close sack")
        assert await it.types("take all from sack") == "The jute sack is closed."
        assert await it.types("take pebble") == 'You see no "pebble" here.'
        assert await it.types("put pebble in sack") == "The jute sack is closed."
        await it.types("open sack")
        assert await it.types("take all from sack") == "\n".join(["You take the pebble out of the jute sack."] * 2)
        assert await it.types("put pebble") == "Usage: put THINGS in BOX"


async def test_a_box_fits_neither_into_itself_nor_into_what_is_in_it(mud: OpenMud) -> None:
    async with played(mud) as it:
        sack = it.world.make("sack", it.hero)
        purse = it.world.add(Container(name="purse", place=sack))
        assert await it.types("put sack in purse") == "The jute sack does not fit into the purse."
        assert await it.types("put sack in sack") == "The jute sack does not fit into the jute sack."
        assert (sack.place, purse.place) == (it.hero, sack)


async def test_a_gift_is_shown_to_the_giver_the_receiver_and_the_others(mud: OpenMud) -> None:
    async with played(mud) as it:
        pebble, sentry = it.world.make("pebble", it.hero), the(it.mud, "sentry")
        assert isinstance(sentry, Sentry)
        assert await it.types("give pebble to bob") == "You give the pebble to Bob."
        assert await it.bob_reads() == "Ann gives you the pebble."
        assert pebble.place is it.other
        it.world.make("pebble", it.hero)
        sentry.place = it.hero.place
        assert await it.types("give pebble to sentry") == "You give the pebble to old sentry."
        assert await it.bob_reads() == "Ann gives the pebble to old sentry."
        assert await it.types("give pebble to lantern") == "You cannot do that with brass lantern."


async def test_one_command_moves_a_bounded_number_of_things(mud: OpenMud) -> None:
    async with played(mud) as it:
        for _ in range(60):
            it.world.make("pebble", it.hero.place)
        await it.types("take all.pebble")
        assert len(it.hero.contents) == 50
        await it.types("take all.pebble")
        await it.types("drop all")
        assert len(it.hero.contents) == 10


# Doors


async def test_a_door_takes_its_key_and_both_sides_see_it_move(mud: OpenMud) -> None:
    async with played(mud) as it:
        it.other.place = room(it.mud, "barn")
        assert await it.types("open gate") == "The oak gate is locked."
        assert await it.types("unlock gate") == "You have no key for the oak gate."
        the(it.mud, "latchkey").place = it.hero
        assert await it.types("lock gate") == "The oak gate is locked."
        assert await it.types("unlock gate") == "You unlock the oak gate."
        assert await it.types("unlock gate") == "The oak gate is not locked."
        assert await it.types("open gate") == "You open the oak gate."
        assert await it.bob_reads() == "The oak gate opens."
        assert await it.types("open gate") == "The oak gate is open."
        assert await it.types("lock gate") == "The oak gate is open."
        assert await it.types("look gate") == "The oak gate is open."
        assert await it.types("shut gate") == "You close the oak gate."
        assert await it.bob_reads() == "The oak gate closes."
        assert await it.types("close gate") == "The oak gate is closed."
        assert await it.types("lock gate") == "You lock the oak gate."
        assert await it.types("open lantern") == "You cannot do that with brass lantern."


async def test_no_thing_without_a_template_opens_a_door_without_a_key(mud: OpenMud) -> None:
    async with played(mud) as it:
        the_gate = room(it.mud, "green").doors["north"]
        the_gate.opened_by = ""
        it.world.add(Thing(name="twig", place=it.hero))
        assert await it.types("unlock gate") == "You have no key for the oak gate."


# The table


async def test_a_verb_of_the_game_is_used_instead(mud: OpenMud) -> None:
    async with played(mud, commands) as it:
        assert await it.types("drop") == "You would rather not."
        assert "Keep everything." in await it.types("help")


async def test_all_sentences_and_directions_can_be_replaced(mud: OpenMud) -> None:
    table = StandardVerbs(
        VerbPhrases(no_way="Dort geht es nicht hin.", not_here="Hier ist kein {words}."), directions={"ost": ("o",)}
    )
    async with played(mud, table) as it:
        green = room(it.mud, "green")
        green.exits = {"ost": room(it.mud, "pond")}
        assert await it.types("go x") == "Dort geht es nicht hin."
        assert await it.types("take x") == "Hier ist kein x."
        assert (await it.types("o")).startswith("The Pond")


def test_every_verb_but_the_directions_has_help() -> None:
    table = StandardVerbs()
    table.check()
    listed = [command.verbs[0] for command in table if command.summary]
    assert listed == ["close", "drop", "give", "go", "inventory", "lock", "look", "open", "put", "take", "unlock"]
