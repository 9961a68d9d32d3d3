from datetime import UTC, datetime

import trio
from lamplighter import hooks

from trio_mud import Limits


# a night
async def test_lamps_burn_from_evening_to_morning(mud):
    async with mud(
        hooks, limits=Limits(first_input_timeout=None)
    ) as street:  # it is noon in UTC, and one o'clock in Berlin
        ann = await street.player()
        await ann.sees("lamp to lamp", within=5.5 * 3600 + 1)
        await ann.type("look")
        await ann.sees("The lamps burn.")
        await trio.sleep(12 * 3600)
        await ann.type("look")
        await ann.sees("The lamps are out.")


# a summer
async def test_in_summer_too_it_is_half_past_six(mud):
    async with mud(hooks, limits=Limits(first_input_timeout=None)) as street:
        ann = await street.player()
        shift = datetime(2026, 7, 1, 16, 29, tzinfo=UTC).timestamp() - trio.current_time()
        street.server.wall_clock = lambda: trio.current_time() + shift
        await ann.sees("lamp to lamp", within=2 * 3600)
