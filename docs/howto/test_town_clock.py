"""The town clock runs from before the first player until after the last."""

import trio
from town_clock import clock, hooks

from trio_mud.testing import open_mud


async def test_the_clock_strikes_while_the_town_is_open(autojump_clock):
    async with open_mud(hooks, services=[clock]) as town:
        ann = await town.player()
        await trio.sleep(20)
        await ann.type("clock")
        await ann.sees("has struck 2")
