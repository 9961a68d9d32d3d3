"""Beings, which fight by rounds, and travellers."""

from __future__ import annotations

from trio_mud import Hooks, Input
from trio_mud.testing import OpenMud
from trio_mud.world import Being, FightPhrases, Game, World

from .village import MAP, Cottager, Sentry, game, lantern_of, room, the


async def test_a_class_of_beings_has_sentences_of_its_own(mud: OpenMud) -> None:
    class Ogre(Sentry):
        sentences = FightPhrases(others_hit="{actor} thumps {target}.", target_hit="{actor} thumps you.")

    async with mud(game) as place:
        ann = await place.player()
        (hero,) = place.store.all(Cottager)
        ogre = World.of(place.server).add(Ogre(name="ogre", place=hero.place))
        ogre.attack(hero)
        await ann.sees("ogre thumps you.", within=3)


async def test_a_player_who_has_left_is_not_beaten(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        (hero,) = place.store.all(Cottager)
        sentry, lantern = the(place, "sentry"), lantern_of(place)
        assert isinstance(sentry, Sentry)
        sentry.beat, sentry.place, sentry.strength = [room(place, "green")], hero.place, 8
        lantern.place = hero
        sentry.attack(hero)
        await ann.hang_up()
        await place.pass_time(20)
        assert (sentry.foe, hero.health, lantern.place) == (None, 20, hero)


async def test_a_rule_that_raises_costs_one_round(mud: OpenMud) -> None:
    class Clumsy(Sentry):
        rounds: int = 0

        def strike(self, foe: Being) -> None:
            self.rounds += 1
            if self.rounds == 1:
                raise RuntimeError("as asked")
            super().strike(foe)

    async with mud(game, allow_errors=True) as place:
        ann = await place.player()
        (hero,) = place.store.all(Cottager)
        clumsy = World.of(place.server).add(Clumsy(name="clumsy sentry", place=hero.place))
        clumsy.attack(hero)
        await ann.sees("clumsy sentry hits you.", within=5)


async def test_who_does_not_fight_has_no_call_due(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player()
        (hero,) = place.store.all(Cottager)
        sentry = the(place, "sentry")
        assert isinstance(sentry, Sentry)
        assert (hero.due, sentry.due) == ((), ())
        sentry.beat, sentry.place = [room(place, "green")], hero.place
        hero.attack(sentry)
        assert [name for name, _ in hero.due] == ["fight"]
        hero.foe = sentry.foe = None
        await place.pass_time(5)
        assert (hero.due, sentry.due, hero.health) == ((), (), 20)


async def test_a_fight_goes_by_rounds_and_ends_with_a_death(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        (hero,) = place.store.all(Cottager)
        sentry, key = the(place, "sentry"), the(place, "latchkey")
        assert isinstance(sentry, Sentry)
        sentry.place, sentry.strength, sentry.beat = hero.place, 1, [room(place, "green")]
        hero.attack(sentry)
        assert sentry.foe is hero
        await place.pass_time(2)
        await ann.sees("hits you.")
        assert (sentry.health, hero.health) == (17, 19)
        await place.pass_time(12)
        await ann.sees("old sentry dies.")
        assert hero.foe is None
        assert key.place is room(place, "green")
        assert sentry not in room(place, "green").contents


async def test_a_fight_ends_when_one_of_them_walks_away(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player()
        (hero,) = place.store.all(Cottager)
        sentry = the(place, "sentry")
        assert isinstance(sentry, Sentry)
        sentry.place = hero.place
        hero.attack(sentry)
        hero.place = room(place, "pond")
        await place.pass_time(10)
        assert (hero.foe, sentry.foe, sentry.health, hero.health) == (None, None, 20, 20)


async def test_a_traveller_who_dies_wakes_up_at_the_start_without_belongings(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player()
        (hero,) = place.store.all(Cottager)
        barn = room(place, "barn")
        pebble = World.of(place.server).make("pebble", hero)
        hero.place, hero.health = barn, 3
        sentry = the(place, "sentry")
        assert isinstance(sentry, Sentry)
        sentry.attack(hero)
        await place.pass_time(4)
        await ann.sees("You die.")
        assert hero.place is room(place, "green")
        assert (hero.health, pebble.place) == (20, barn)


async def test_a_guest_fights_and_leaves_nothing_but_belongings(mud: OpenMud) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def enter(event: Input) -> None:
        event.connection.server.sessions.enter(event.line, event.connection, body=Cottager(name=event.line), grace=0)

    async with mud(Game(hooks, maps=(MAP,))) as place:
        ann = await place.player()
        await ann.type("Ann")
        await place.pass_time(0)
        green = room(place, "green")
        (guest,) = [thing for thing in green.contents if isinstance(thing, Cottager)]
        pebble = World.of(place.server).make("pebble", guest)
        sentry = the(place, "sentry")
        assert isinstance(sentry, Sentry)
        sentry.place = green
        guest.attack(sentry)
        await place.pass_time(2)
        await ann.sees("You hit old sentry.")
        await ann.vanish()
        await place.pass_time(5)
        assert guest not in green.contents
        assert pebble.place is green
    assert not any(row.kind == "cottager" for row in place.storage.rows.values())
