"""The inn with accounts, over a restart."""

from accounts_at_work import game


async def test_a_purse_is_there_after_a_restart(mud):
    async with mud(game) as place:
        ann = await place.player()
        for question, line in (("Name: ", "new"), ("be? ", "Ann"), ("New", "open sesame"), ("again", "open sesame")):
            await ann.sees(question)
            await ann.type(line)
        await ann.sees("Welcome, Ann.")
        await ann.type("dig", "quit")
        await ann.sees_the_end()

    async with mud(game, storage=place.storage) as place:
        ann = await place.player()
        await ann.sees("Name: ")
        await ann.type("ann")
        await ann.sees("Password: ")
        await ann.type("open sesame")
        await ann.sees("Welcome, Ann.")
        await ann.type("gold")
        await ann.sees("You have 1 gold.")
