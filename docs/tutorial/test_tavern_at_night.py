import trio
from tavern_at_night import hooks


async def sit_down(tavern, name):
    guest = await tavern.player()
    await guest.sees("By what name?")
    await guest.type(name)
    await guest.catches_up()
    return guest


async def test_ale_takes_five_seconds(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        ordered = trio.current_time()
        await ann.type("ale")
        await ann.sees("The landlord puts an ale before Ann.")
        assert ordered + 5 == trio.current_time()


async def test_nobody_serves_a_guest_who_has_gone_home(mud):
    async with mud(hooks) as tavern:
        ann, bob = await sit_down(tavern, "Ann"), await sit_down(tavern, "Bob")
        await ann.type("ale", "quit")
        await bob.sees("Ann goes home.")
        await trio.sleep(60)
        await bob.sees_nothing()


async def test_a_lost_guest_is_carried_upstairs_in_the_end(mud):
    async with mud(hooks) as tavern:
        ann, bob = await sit_down(tavern, "Ann"), await sit_down(tavern, "Bob")
        await ann.vanish()
        await bob.sees("Ann stares into the fire, unblinking.")
        await bob.sees("The landlord carries Ann upstairs.", within=121)


async def test_a_guest_who_comes_back_in_time_has_only_dozed(mud):
    async with mud(hooks) as tavern:
        ann, bob = await sit_down(tavern, "Ann"), await sit_down(tavern, "Bob")
        await ann.vanish()
        await bob.sees("Ann stares into the fire, unblinking.")
        await trio.sleep(100)
        ann = await tavern.player()
        await ann.type("Ann")
        await ann.sees("You must have dozed off.")
        await bob.sees("Ann blinks.")
        await trio.sleep(100)
        await bob.sees_nothing()


async def test_a_quit_typed_before_the_link_goes_is_a_quit(mud):
    async with mud(hooks) as tavern:
        ann, bob = await sit_down(tavern, "Ann"), await sit_down(tavern, "Bob")
        await ann.type("quit")
        await ann.hang_up()
        await bob.sees("Ann goes home.")


async def test_the_house_closes_when_the_last_log_has_burnt(mud):
    async with mud(hooks) as tavern:
        ann = await sit_down(tavern, "Ann")
        await ann.sees("A log falls into the embers.", within=601)
        await ann.sees("A log falls into the embers.", within=601)
        await ann.sees("The fire is out, and so are you. Good night!", within=601)
        await ann.sees_the_end()
        await tavern.server.closed.wait()
