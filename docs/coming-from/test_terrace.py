from terrace import game


async def come_in(place, name):
    player = await place.player()
    await player.type(name)
    await player.sees("Exits: ")
    return player


async def test_one_guest_sits_on_a_chair_and_stays_there_over_a_restart(mud):
    async with mud(game) as house:
        ann, bob = await come_in(house, "Ann"), await come_in(house, "Bob")
        await ann.type("sit on chair", "out")
        await ann.sees("You sit down on the wicker chair.")
        await ann.sees("You have to stand up first.")
        await bob.type("sit chair")
        await bob.sees("Ann sits there.")
    async with mud(game, storage=house.storage) as house:
        ann, bob = await come_in(house, "Ann"), await come_in(house, "Bob")
        await bob.type("sit chair")
        await bob.sees("Ann sits there.")
        await ann.type("stand", "out")
        await ann.sees("The Terrace")
        await bob.type("sit chair")
        await bob.sees("You sit down")


async def test_a_seat_is_lost_if_it_was_taken_meanwhile(mud):
    async with mud(game) as house:
        ann, bob = await come_in(house, "Ann"), await come_in(house, "Bob")
        await ann.type("sit chair")
        await ann.sees("You sit down")
        house.server.sessions.get("ann").leave()
        await ann.sees_the_end()
        await bob.type("sit chair")
        await bob.sees("You sit down")
        ann = await come_in(house, "Ann")
        await ann.type("stand")
        await ann.sees("You are standing already.")


async def test_the_weather_is_seen_outside_alone(mud):
    async with mud(game) as house:
        ann, bob = await come_in(house, "Ann"), await come_in(house, "Bob")
        await ann.type("out")
        await ann.sees("Clouds come over the hill.", within=301)
        await ann.sees("A few drops fall.", within=301)
        await bob.sees("Ann leaves out.")
        await bob.sees_nothing()
