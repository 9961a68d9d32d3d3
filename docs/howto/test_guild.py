"""The guild hall: its owner is made on the console, and rules from then on."""

from guild import game


async def test_the_owner_of_the_hall_mutes_a_guest(mud):
    async with mud(game) as hall:
        ann, bob = await hall.player(), await hall.player()
        for player, name in ((ann, "Ann"), (bob, "Bob")):
            for line in ("new", name, "open sesame", "open sesame"):
                await player.catches_up()
                await player.type(line)
        await ann.type("mute bob 10m shouting")
        await ann.sees('There is no command "mute".')

        await hall.admin("role ann owner")
        await ann.type("mute bob 10m shouting")
        await ann.sees("Bob is muted until")
        await bob.type("say HELLO")
        await bob.sees("You may not speak to others just now. shouting")
        await ann.type("smite bob")
        await bob.sees("Lightning strikes Bob!")
