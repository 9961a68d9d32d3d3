from tavern import hooks


async def test_a_lost_guest_stares(mud):
    async with mud(hooks) as tavern:
        ann, bob = await tavern.player(), await tavern.player()
        await ann.vanish()
        await bob.sees("stares into the fire")
