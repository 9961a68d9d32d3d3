from manor import Guard, Lamp, game

from trio_mud.world import Thing


async def come_in(place, name):
    player = await place.player()
    await player.sees("By what name?")
    await player.type(name)
    await player.sees("The ")
    await player.catches_up()
    return player


async def test_a_lamp_burns_out_also_after_a_crash(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        await ann.type("take lamp", "light lamp")
        await ann.sees("You light the brass lamp.")
        await manor.pass_time(60)
        await manor.kill()
    async with mud(game, storage=manor.storage) as manor:
        ann = await come_in(manor, "Ann")
        await ann.sees_nothing()
        await ann.sees("The brass lamp flickers and dies.", within=130)
        await ann.type("light lamp")
        await ann.sees("It is dry.")


async def test_the_door_takes_the_key_of_the_guard(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        await ann.type("go down")
        await ann.sees("The oak trapdoor is closed.")
        await ann.type("open trapdoor")
        await ann.sees("The oak trapdoor is locked.")
        await ann.type("go east", "attack guard")
        await ann.sees("old guard dies.", within=20)
        await ann.type("take key", "west", "unlock trap", "open trap", "down")
        await ann.sees("You take the iron key.")
        await ann.sees("You open the oak trapdoor.")
        await ann.sees("The Cellar")
        await ann.type("quit")
        await ann.sees_the_end()
    async with mud(game, storage=manor.storage) as manor:
        ann = await come_in(manor, "ann")
        await ann.type("drop all")
        await ann.sees("You drop the iron key.")
        assert not list(manor.store.all(Guard))


async def test_the_guard_walks_unless_it_fights(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        await ann.sees("old guard trudges in.", within=31)
        await ann.type("attack guard")
        await ann.sees("old guard hits you.", within=3)
        await ann.type("go east")
        await ann.sees("old guard trudges in.", within=60)


async def test_a_new_lamp_comes_when_the_first_was_taken_away(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        await ann.type("take lamp")
        await ann.sees("You take")
        await manor.pass_time(1000)
        assert len([thing for thing in manor.store.all(Thing) if isinstance(thing, Lamp)]) == 2


async def test_what_cannot_be_done_is_answered(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        for line, answer in (
            ("light trapdoor", "You cannot do that with oak trapdoor."),
            ("take trapdoor", "You cannot take oak trapdoor."),
            ("take lmap", 'You see no "lmap" here. Did you mean lamp?'),
            ("attack lamp", "You cannot do that with brass lamp."),
            ("flee", "You have no reason to."),
            ("loko", 'There is no command "loko". Did you mean look or lock?'),
        ):
            await ann.type(line)
            await ann.sees(answer)


async def test_a_sword_cuts_a_wound_heals_and_who_flees_lives(mud):
    async with mud(game) as manor:
        ann = await come_in(manor, "Ann")
        hall = manor.server.sessions.get("ann").body.room
        hall.doors["down"].is_locked, hall.doors["down"].is_open = False, True
        (guard,) = manor.store.all(Guard)
        guard.place = hall.exits["down"]
        await ann.type("down", "take sword", "attack guard")
        await ann.sees("You cut old guard.", within=3)
        assert guard.health == 13
        await ann.sees("old guard hits you.", within=3)
        await ann.type("flee")
        await ann.sees("You run!")
        await ann.sees("The Hall")
        await manor.pass_time(160)
        assert guard.health == 20
