"""Players light lamps, eat, and fight."""

from __future__ import annotations

from trio_mud.mudlib import lasting_world, world
from trio_mud.mudlib.creatures import SluiceRat
from trio_mud.mudlib.things import OilLamp, is_dark
from trio_mud.mudlib.villager import Villager
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.world import Container, Room, World

from ..conftest import ComeIn
from ..test_login import PASSWORD, answers, newcomer


async def beside_the_rat(valley: Mud, come_in: ComeIn, name: str) -> Player:
    """Return a player at the open door of the sluice room."""
    player = await come_in(valley, name)
    (door,) = World.of(valley.server).get(Room, "race").doors.values()
    door.is_open = True
    await player.type("n", "n", "n", "w")
    await player.sees("The Race")
    await player.catches_up()
    return player


async def test_a_lamp_lights_the_dark_until_it_burns_out(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        (rat,) = valley.store.all(SluiceRat)
        rat.destroy()
        ann = await beside_the_rat(valley, come_in, "Ann")
        World.of(valley.server).make("lamp", World.of(valley.server).get(Room, "race"))
        await ann.type("take lamp", "w", "light lamp", "look", "look lamp")
        await ann.sees("It is as dark as inside a bell.")
        await ann.sees("You light the brass lamp.")
        await ann.sees("A vault of wet brick")
        await ann.sees("It burns with a small blue flame.")
        await ann.type("light lamp")
        await ann.sees("The brass lamp burns already.")
        await ann.catches_up()
        await valley.pass_time(598)
        await ann.sees_nothing()
        await ann.sees("The brass lamp gutters", within=3)
        await ann.type("look", "light lamp")
        await ann.sees("It is as dark as inside a bell.")
        await ann.sees("There is not a drop of oil in the brass lamp.")


async def test_a_lamp_that_is_put_out_saves_its_oil(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        lamp = World.of(valley.server).make("lamp", World.of(valley.server).start)
        assert isinstance(lamp, OilLamp)
        await ann.type("take lamp", "light lamp")
        await ann.sees("You light")
        await valley.pass_time(400)
        await ann.type("douse lamp", "douse lamp")
        await ann.sees("You put out the brass lamp.")
        await ann.sees("The brass lamp is not lit.")
        assert 190 < lamp.oil <= 200
        await valley.pass_time(1000)
        assert 190 < lamp.oil <= 200


async def test_a_lamp_burns_on_after_a_crash_and_not_while_its_player_is_away(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await answers(ann, "n", "n", "e", "take lamp", "light lamp")
        await valley.pass_time(300)
        await valley.store.saved()
        await valley.kill()
    async with mud(lasting_world, storage=valley.storage) as valley:
        await valley.pass_time(1000)
        ann = await valley.player()
        await answers(ann, "Ann", PASSWORD)
        await ann.sees("The brass lamp gutters", within=400)


async def test_a_rat_fights_those_who_come_and_falls_in_the_end(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await beside_the_rat(valley, come_in, "Ann")
        await ann.type("w")
        await ann.sees("The sluice rat comes at you along the wall!", within=5)
        await ann.sees("sluice rat hits you.", within=3)
        await ann.sees("The sluice rat turns over, and the river takes it.", within=20)
        await ann.type("health")
        await ann.sees("of 20 drops of life.")
        (body,) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        assert body.health < 20
        await valley.pass_time(300)
        assert body.health == 20


async def test_a_rat_whose_texts_have_braces_and_tags_fights_and_falls_like_any_other(
    mud: OpenMud, come_in: ComeIn
) -> None:
    async with mud(world) as valley:
        (rat,) = valley.store.all(SluiceRat)
        rat.snarls, rat.squeaks, rat.health = "It bares its {teeth}", "{</b>", 1
        ann = await beside_the_rat(valley, come_in, "Ann")
        await ann.type("west")
        await ann.sees("It bares its {teeth}")
        await ann.sees("{</b>")
        assert list(valley.store.all(SluiceRat)) == []


async def test_who_flees_is_out_of_the_fight(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await beside_the_rat(valley, come_in, "Ann")
        await ann.type("w", "kill rat", "kill rat", "flee")
        await ann.sees("You go for sluice rat!")
        await ann.sees("You are busy with that already.")
        await ann.sees("You run!")
        await ann.sees("The Race")
        await ann.catches_up()
        await valley.pass_time(60)
        await ann.sees_nothing()


async def test_who_falls_wakes_up_at_the_start_without_belongings(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        (rat,) = valley.store.all(SluiceRat)
        rat.strength = 50
        ann = await beside_the_rat(valley, come_in, "Ann")
        jar = World.of(valley.server).make("minute", World.of(valley.server).get(Room, "race"))
        await ann.type("take jar", "w")
        await ann.sees("You wake up somewhere else.", within=10)
        await ann.sees("Toll Green")
        await ann.type("health")
        await ann.sees("You have 20 of 20 drops of life.")
        assert jar.place is World.of(valley.server).get(Room, "sluice")


async def test_a_fight_ends_with_a_restart_and_wounds_stay(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        (body,) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        body.place = World.of(valley.server).get(Room, "sluice")
        await answers(ann, "kill rat")
        await ann.sees("hits you", within=5)
        await valley.store.saved()
        health = body.health
        await valley.kill()
    async with mud(lasting_world, storage=valley.storage) as valley:
        (rat,) = valley.store.all(SluiceRat)
        assert rat.foe is None
        rat.destroy()
        ann = await valley.player()
        await answers(ann, "Ann", PASSWORD, "health")
        assert f"You have {health} of 20" in ann.screen
        await valley.pass_time(300)
        await ann.type("health")
        await ann.sees("You have 20 of 20")


async def test_programs_are_told_each_wound(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await valley.player(gmcp=("Char",))
        await ann.type("Ann")
        await ann.sees("You can go")
        (body,) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        body.place = World.of(valley.server).get(Room, "sluice")
        await ann.type("kill rat")
        await ann.sees("hits you", within=5)
        await ann.catches_up()
        assert ("Char.Vitals", {"hp": 18, "maxhp": 20}) in ann.gmcp


async def test_programs_are_told_where_a_fallen_player_wakes_up(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        (rat,) = valley.store.all(SluiceRat)
        rat.strength = 50
        ann = await valley.player(gmcp=("Room",))
        await ann.type("Ann")
        await ann.sees("You can go")
        bob = await come_in(valley, "Bob")
        (body, _) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        body.place = World.of(valley.server).get(Room, "sluice")
        await ann.type("kill rat")
        await ann.sees("Toll Green", within=10)
        await ann.catches_up()
        rooms = [data for package, data in ann.gmcp if package == "Room.Info"]
        assert len(rooms) == 2
        assert rooms[0] == rooms[1]
        await bob.sees("Ann sits up in the grass and looks surprised.")


async def test_a_lamp_in_a_closed_box_lights_nothing(mud: OpenMud) -> None:
    async with mud(world) as valley:
        sluice = World.of(valley.server).get(Room, "sluice")
        drawer = World.of(valley.server).make("drawer", sluice)
        lamp = World.of(valley.server).make("lamp", drawer)
        assert isinstance(lamp, OilLamp)
        assert isinstance(drawer, Container)
        lamp.light()
        assert is_dark(sluice)
        drawer.is_open = True
        assert not is_dark(sluice)
