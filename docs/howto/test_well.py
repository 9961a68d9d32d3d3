import time

import trio
from well import hooks

from trio_mud import Limits, Reason


# an hour
async def test_a_dry_well_has_water_again_after_an_hour(mud):
    async with mud(hooks) as village:
        ann = await village.player()
        await ann.type("draw", "draw", "draw")
        await ann.sees("The bucket comes up dry.")
        await trio.sleep(3600)
        await ann.type("draw")
        await ann.sees("The bucket comes up full.")


# a week
async def test_a_week_of_hours_passes_in_no_time(mud):
    async with mud(hooks) as village:
        await trio.sleep(7 * 24 * 3600)
        assert 2 + 7 * 24 - 1 <= village.server.world.buckets


# a thread
def measure_depth():
    time.sleep(0.01)  # as a slow disk would
    return 7


async def test_no_virtual_time_passes_while_a_thread_works(mud):
    async with mud(hooks):
        start = trio.current_time()
        assert await trio.to_thread.run_sync(measure_depth) == 7
        assert start == trio.current_time()


# the driver's own deadlines
async def test_who_never_types_is_shown_out(mud):
    async with mud(hooks, limits=Limits(first_input_timeout=60)) as village:
        ann = await village.player()
        await ann.sees("You have not said a word.", within=61)
        await ann.sees_the_end()


# a failure
async def test_a_well_that_is_not_there_costs_one_command(mud):
    async with mud(hooks, allow_errors=True) as village:
        ann = await village.player()
        village.server.world = None
        await ann.type("draw")
        await ann.sees("Something went wrong")
        assert [type(error) for error in village.errors] == [AssertionError]


# a slow line
async def test_a_slow_line_delays_the_answer(mud):
    async with mud(hooks) as village:
        ann = await village.player(latency=1.5)
        start = trio.current_time()
        await ann.type("draw")
        await ann.sees("The bucket comes up full.")
        assert start + 3 == trio.current_time()


# who reads nothing
async def test_a_player_who_stops_reading_is_lost_in_the_end(mud):
    limits = Limits(write_stall_timeout=30, command_rate=None)
    async with mud(hooks, limits=limits) as village:
        ann, bob = await village.player(capacity=256), await village.player()
        await bob.type("draw")
        ann.stop_reading()
        await ann.type(*["draw"] * 20)
        await trio.sleep(31)
        assert Reason.LINKDEATH.value in "".join(village.server.counters)
        await bob.type("look")
        await bob.sees("The well does not answer.")
