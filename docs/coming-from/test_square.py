from square import Dog, Sweeper, game


async def come_in(place, name):
    player = await place.player()
    await player.type(name)
    await player.sees("Exits: ")
    return player


async def test_a_corpse_has_the_belongings_until_the_dog_eats_it(mud):
    async with mud(game) as town:
        ann = await come_in(town, "Ann")
        await ann.type("north", "kill sweeper")
        await ann.sees("old sweeper dies.", within=10)
        await ann.type("take broom", "south")
        await ann.sees("You take the broom out of the corpse of old sweeper.")
        (dog,) = town.store.all(Dog)
        ann_body = town.server.sessions.get("ann").body
        dog.place = ann_body.room.exits["north"]
        await ann.type("north")
        await ann.sees("stray dog devours the corpse of old sweeper.", within=11)


async def test_a_corpse_that_is_left_alone_crumbles_also_after_a_restart(mud):
    async with mud(game) as town:
        ann = await come_in(town, "Ann")
        await ann.type("north", "kill sweeper")
        await ann.sees("old sweeper dies.", within=10)
        await town.pass_time(200)
    async with mud(game, storage=town.storage) as town:
        ann = await come_in(town, "Ann")
        await ann.sees("The corpse of old sweeper crumbles to dust.", within=101)
        await ann.type("look")
        await ann.sees("broom")


async def test_the_sweeper_picks_up_rubbish_and_resets_bring_more(mud):
    async with mud(game) as town:
        ann = await come_in(town, "Ann")
        await ann.type("north")
        await ann.sees("old sweeper picks up the empty bottle.", within=21)
        await ann.sees("old sweeper picks up the empty bottle.", within=101)


async def test_the_watchman_helps_who_is_attacked_in_sight(mud):
    async with mud(game) as town:
        ann = await come_in(town, "Ann")
        (sweeper,) = town.store.all(Sweeper)
        await ann.type("east")
        await ann.sees("The East Gate")
        sweeper.place = town.server.sessions.get("ann").body.room
        await ann.type("kill sweeper")
        await ann.sees("tall watchman shouts: In the name of the council!", within=4)
        await ann.sees("tall watchman hits you.", within=4)
        await town.pass_time(900)
        assert len(list(town.store.all(Sweeper))) == 1
