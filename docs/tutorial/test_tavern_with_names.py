from tavern_with_names import hooks


async def sit_down(tavern, name, **where):
    guest = await tavern.player(**where)
    await guest.sees("By what name?")
    await guest.type(name)
    await guest.sees(f"Sit down, {name}.")
    return guest


async def test_who_sits_at_the_table_sees_who_comes_in(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        await sit_down(tavern, "Bob")
        await ann.sees("Bob comes in from the cold.")


async def test_a_name_is_asked_for_until_it_is_free(mud):
    async with mud(hooks) as tavern:
        await sit_down(tavern, "Ann")
        bob = await tavern.player()
        await bob.type("ann", "x2", "bob")
        await bob.sees("Ann sits at the table already.")
        await bob.sees("One word of letters, please")
        await bob.sees("Sit down, Bob.")


async def test_what_is_typed_after_the_name_is_said_at_the_table(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        bob = await tavern.player()
        await bob.type("Bob", "good evening")
        await ann.sees("Bob: good evening")


async def test_the_doorkeeper_remembers_the_chair(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        brute = await tavern.player(address="192.0.2.66")
        assert "The doorkeeper remembers you, and the chair.\n" == await brute.sees_the_end()
        await ann.sees_nothing()


async def test_nobody_stares_who_never_gave_a_name(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        shy = await tavern.player()
        await shy.vanish()
        await ann.sees_nothing()


async def test_a_silent_visitor_is_shown_out_after_a_minute(mud):
    async with mud(hooks) as tavern:
        shy = await tavern.player()
        await shy.sees("By what name?")
        await shy.sees("You have not said a word.", within=61)
        await shy.sees_the_end()
