"""The office, as its operators use it."""

from office import hooks


async def test_an_operator_counts_and_warns_the_players(mud):
    async with mud(hooks) as place:
        ann = await place.player()
        assert await place.admin("players") == "1 players\n"
        await place.admin("warn The mill opens late today.")
        await ann.sees("The mill opens late today.")
