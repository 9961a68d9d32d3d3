from mill import game


async def come_in(place, name, *, new=True):
    player = await place.player()
    if new:
        await player.type("new", name, *["open sesame"] * 2)
    else:
        await player.type(name, "open sesame")
    await player.sees("Exits: ")
    return player


async def test_a_sack_that_was_taken_is_there_after_a_restart(mud):
    async with mud(game) as mill:
        ann = await come_in(mill, "Ann")
        await ann.type("go in", "take sack", "go out", "quit")
        await ann.sees("You take the sack of flour.")
        await ann.sees_the_end()
    async with mud(game, storage=mill.storage) as mill:
        ann = await come_in(mill, "Ann", new=False)
        await ann.type("inventory", "drop sack", "inventory")
        await ann.sees("You carry sack of flour.")
        await ann.sees("You drop the sack of flour.")
        await ann.sees("You carry nothing.")


async def test_the_rat_bites_first_and_dies_in_the_end(mud):
    async with mud(game) as mill:
        ann = await come_in(mill, "Ann")
        await ann.type("go in", "go down")
        await ann.sees("grey rat leaps at you!", within=11)
        await ann.sees("grey rat hits you.", within=3)
        await ann.type("kill rat")
        await ann.sees("grey rat dies.", within=10)
        await mill.pass_time(600)
        await ann.type("look")
        await ann.sees("grey rat")


async def test_all_read_the_channel_in_every_room(mud):
    async with mud(game) as mill:
        ann, bob = await come_in(mill, "Ann"), await come_in(mill, "Bob")
        await ann.type("go in", "chat hello", "who")
        await bob.sees("[chat] Ann: hello")
        await ann.sees("Here are Ann and Bob.")


async def test_what_cannot_be_done_is_answered(mud):
    async with mud(game) as mill:
        ann = await come_in(mill, "Ann")
        await ann.type("go up", "drop sack", "go in", "go down", "take rat")
        await ann.sees("You cannot go up.")
        await ann.sees('You have no "sack".')
        await ann.sees("You cannot take grey rat.")
