"""The town clock runs from before the first player until after the last."""

from town_clock import clock, hooks


async def test_the_clock_strikes_while_the_town_is_open(mud):
    async with mud(hooks, services=[clock]) as town:
        ann = await town.player()
        await town.pass_time(20)
        await ann.type("clock")
        await ann.sees("has struck 2")
