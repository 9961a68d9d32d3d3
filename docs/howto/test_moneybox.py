from moneybox import Box, game


async def come_in(bank, name):
    player = await bank.player()
    await player.sees("By what name?")
    await player.type(name)
    return player


# a restart
async def test_a_box_is_there_after_a_restart(mud):
    async with mud(game) as bank:
        ann = await come_in(bank, "Ann")
        await ann.type("lend bob")
        await ann.sees("Written down.")
    async with mud(game, storage=bank.storage) as bank:
        ann = await come_in(bank, "Ann")
        await ann.sees("Your box holds 10 coins.")
        assert bank.store.get(Box, "ann").debtors == ["bob"]


# a crash
async def test_a_gift_that_was_saved_survives_a_crash(mud):
    async with mud(game) as bank:
        ann, bob = await come_in(bank, "Ann"), await come_in(bank, "Bob")
        await ann.type("give bob 3", "save")
        await ann.sees("It is in the books.")
        await bob.type("give ann 1")
        await bob.sees("Given.")
        await bank.kill()  # less than a second later
    async with mud(game, storage=bank.storage) as bank:
        await (await come_in(bank, "Ann")).sees("7 coins")
        await (await come_in(bank, "Bob")).sees("13 coins")


# more
async def test_a_gift_is_whole_whenever_the_crash_comes(mud):
    async with mud(game) as bank:
        ann, bob = await come_in(bank, "Ann"), await come_in(bank, "Bob")
        await ann.type("give bob 3")
        await ann.sees("Given.")
        await bank.kill()
    async with mud(game, storage=bank.storage) as bank:
        ann, bob = await come_in(bank, "Ann"), await come_in(bank, "Bob")
        await ann.catches_up()
        await bob.catches_up()
        assert sum(box.coins for box in bank.store.all(Box)) == 20


async def test_a_gift_to_a_stranger_or_of_too_much_costs_nothing(mud):
    async with mud(game) as bank:
        ann = await come_in(bank, "Ann")
        await ann.type("give nobody 3", "give ann 11")
        await ann.sees("That cannot be done.")
        await ann.sees("Give NAME 3")
        assert bank.store.get(Box, "ann").coins == 10


async def test_neighbours_are_found_by_their_town(mud):
    async with mud(game) as bank:
        ann, bob = await come_in(bank, "Ann"), await come_in(bank, "Bob")
        await ann.type("move Ys", "quit")
        await ann.sees_the_end()
        await bank.pass_time(5)
        await bob.type("move Ys")
        await bob.sees("ann, bob live in Ys.")
