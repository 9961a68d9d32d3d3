from kept_tavern import Guest, game


async def sit_down(tavern, name):
    guest = await tavern.player()
    await guest.sees("By what name?")
    await guest.type(name)
    return guest


async def test_the_landlord_remembers_over_a_night(mud):
    async with mud(game) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("Welcome, Ann. You owe 0 ales.")
        await ann.type("ale", "ale", "tell of a wolf")
        await ann.sees("tells a tale")
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("Welcome back, Ann. You owe 2 ales.")
        assert tavern.store.get(Guest, "Ann").tales == ["of a wolf"]


async def test_a_debt_struck_out_in_ink_stays_so_if_the_roof_falls_in(mud):
    async with mud(game) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.type("ale", "pay")
        await ann.sees("in ink")
        await ann.type("ale")
        await ann.sees("puts an ale before Ann")
        await tavern.kill()
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("You owe 0 ales.")


async def test_the_fire_burns_on_from_where_it_was(mud):
    async with mud(game) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("The fire has 3 logs.")
        await ann.sees("A log falls into the embers.", within=601)
        await ann.type("wood", "wood")
        await ann.catches_up()
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("The fire has 4 logs.")
