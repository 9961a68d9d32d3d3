"""Timers: exact, without drift or bursts, and cancelled with their owner."""

from __future__ import annotations

import gc
import math
import time
import weakref
from functools import partial

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Connect, Connection, Disconnect, Hooks, Input, Limits, MasterServer, Timer
from trio_mud.driver.core.thread import HomeThread
from trio_mud.driver.core.timers import SHORTEST_PERIOD, Timers
from trio_mud.testing import OpenMud

from ..conftest import EventLog, first_connection, settled, waits


async def test_after_calls_once_at_its_moment(mud: OpenMud) -> None:
    times: list[float] = []
    async with mud(Hooks()) as place:
        timer = place.server.after(2.5, lambda: times.append(trio.current_time()))
        assert timer.is_active
        await trio.sleep(100)
        assert not timer.is_active
    assert times == [2.5]


async def test_the_kth_tick_comes_at_k_periods_however_long_each_takes(mud: OpenMud) -> None:
    """A16: no accumulation."""
    times: list[float] = []

    async def tick() -> None:
        times.append(trio.current_time())
        await trio.sleep(0.75)

    async with mud(Hooks()) as place:
        place.server.every(1, tick)
        await trio.sleep(10.5)
    assert times == [float(k) for k in range(1, 11)]


@pytest.mark.unmeasured
async def test_ticks_do_not_drift_in_ten_thousand_periods(mud: OpenMud) -> None:
    times: list[float] = []
    async with mud(Hooks()) as place:
        start = trio.current_time()
        timer = place.server.every(0.1, lambda: times.append(trio.current_time()))
        await trio.sleep(1000.05)
        timer.cancel()
    assert len(times) == 10_000
    assert times[-1] - start == pytest.approx(1000, abs=1e-9)


@pytest.mark.slow
async def test_ticks_do_not_drift_in_ten_million_seconds(mud: OpenMud) -> None:
    """A16: not even by what additions round; a period of 997.1 is no sum of powers of two."""
    times: list[float] = []
    async with mud(Hooks()) as place:
        start = trio.current_time()
        place.server.every(997.1, lambda: times.append(trio.current_time()))
        for _ in range(1000):
            await trio.sleep(10_000)
    assert times == [start + 997.1 + k * 997.1 for k in range(10_029)]


@pytest.mark.unmeasured
async def test_a_storm_of_timers_delays_a_line_by_one_tick_of_each_at_most(mud: OpenMud) -> None:
    """A15: also when each of them is due again before the last one has ticked."""
    hooks, order = Hooks(), []
    hooks.on(Input)(lambda event: order.append(event.line))
    async with mud(hooks, limits=Limits(batch_size=16)) as place:
        player = await place.player()
        for number in range(1000):
            place.server.every(1, partial(order.append, number))
        for _ in range(20):
            await trio.sleep(1)  # everything is due now
            order.clear()
            await player.type("look")
            await settled()
            assert order.index("look") <= 1000
            assert len(order) <= 1001


async def test_a_timer_that_is_always_due_leaves_a_turn_to_everybody(mud: OpenMud) -> None:
    """A15: it gives itself another delay of zero whenever it is called."""
    hooks, ticks, waited = Hooks(), [0], []

    @hooks.on(Input)
    def count(event: Input) -> None:
        waited.append(ticks[0])

    async with mud(hooks) as place:
        player = await place.player()

        def again() -> None:
            ticks[0] += 1
            if ticks[0] < 5000:
                place.server.after(0, again)

        for _ in range(3):
            place.server.after(0, again)
        await player.type("look")
        await settled()
    assert waited[0] < 50
    assert ticks[0] >= 5000


async def test_late_ticks_are_skipped_and_counted_never_made_up_for(mud: OpenMud) -> None:
    times: list[float] = []

    async def tick() -> None:
        times.append(trio.current_time())
        await trio.sleep(2.5)

    async with mud(Hooks()) as place:
        timer = place.server.every(1, tick)
        await trio.sleep(10.25)
        assert times == [1.0, 3.5, 6.0, 8.5]  # at most one waits; the others fall out
        due, handled, waiting = 10, len(times), 1
        assert timer.skipped == due - handled - waiting


@pytest.mark.parametrize(("slept", "skipped", "to_the_next"), [(60.5, 59, 0.5), (5, 4, 1)])
def test_a_clock_that_jumps_causes_no_burst(slept: float, skipped: int, to_the_next: float) -> None:
    """A18: a suspended machine wakes up to one tick, not sixty; by whole periods too."""
    clock = trio.testing.MockClock()
    times: list[float] = []

    async def main() -> None:
        server = MasterServer(Hooks())
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [])
            timer = server.every(1, lambda: times.append(trio.current_time()))
            await settled()
            clock.jump(slept)
            await settled()
            assert times == [slept]
            assert timer.skipped == skipped
            clock.jump(to_the_next)
            await settled()
            assert times == [slept, slept + to_the_next]
            server.shutdown()

    trio.run(main, clock=clock)


async def test_a_cancelled_timer_ticks_no_more(mud: OpenMud) -> None:
    times: list[float] = []
    async with mud(Hooks()) as place:
        timer = place.server.every(1, lambda: times.append(trio.current_time()))
        await trio.sleep(2.5)
        timer.cancel()
        timer.cancel()
        assert not timer.is_active
        await trio.sleep(10)
    assert times == [1.0, 2.0]


async def test_cancelling_takes_back_even_a_tick_that_waits_for_its_turn(mud: OpenMud, witness: EventLog) -> None:
    ticks: list[str] = []
    witness.hooks.on(Input)(waits(3))
    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        timer = connection.after(1, lambda: ticks.append("tick"))
        await player.type("wait", "look")
        await trio.sleep(2)
        timer.cancel()
        await trio.sleep(10)
    assert ticks == []
    assert [event.line for event in witness.events if isinstance(event, Input)] == ["wait", "look"]


async def test_a_timer_may_cancel_itself(mud: OpenMud) -> None:
    timers: list[Timer] = []
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            timers[0].cancel()

    async with mud(Hooks()) as place:
        timers.append(place.server.every(1, tick))
        await trio.sleep(10)
    assert len(ticks) == 3


async def test_a_connections_timer_takes_its_turn_and_waits_behind_no_line(mud: OpenMud, witness: EventLog) -> None:
    order: list[str] = []

    @witness.hooks.on(Input)
    async def ponder(event: Input) -> None:
        await trio.sleep(1)
        order.append(event.line)

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).after(0.5, lambda: order.append("tick"))
        await player.type("1", "2", "3")
        await trio.sleep(10)
    assert order == ["1", "tick", "2", "3"]


@pytest.mark.parametrize("ending", ["quit", "vanish", "hang up", "abort"])
async def test_a_connections_timers_end_with_it(mud: OpenMud, witness: EventLog, ending: str) -> None:
    ticks: list[float] = []
    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        timers = [
            connection.every(1, lambda: ticks.append(trio.current_time())),
            connection.after(3, lambda: ticks.append(trio.current_time())),
        ]
        await trio.sleep(1.5)
        if ending == "quit":
            connection.quit()
        elif ending == "vanish":
            await player.vanish()
        elif ending == "hang up":
            await player.hang_up()
        else:
            place.server.abort()
        await trio.sleep(10)
        assert not any(timer.is_active for timer in timers)
        assert len(place.server._context.timers) == 0
    assert ticks == [1.0]


async def test_a_timer_set_at_the_door_ticks_after_admission_and_never_after_a_refusal(mud: OpenMud) -> None:
    hooks, order = Hooks(), []

    @hooks.on(Connect)
    async def consider(event: Connect) -> None:
        guest = event.connection
        guest.after(0, lambda: order.append(f"tick of {guest.name}"))
        await trio.sleep(1)
        if guest.number == 2:
            guest.refuse("No.")

    hooks.on(Admitted)(lambda event: order.append(f"admitted {event.connection.name}"))
    async with mud(hooks) as place:
        await place.player()
        await place.player()
        await trio.sleep(5)
    assert order == ["admitted guest-1", "tick of guest-1"]


async def test_a_timer_that_fails_costs_that_tick(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A1: and the log names its owner."""
    ticks: list[int] = []

    def fail() -> None:
        ticks.append(1)
        raise RuntimeError("broken clock")

    async with mud(witness.hooks, allow_errors=True) as place:
        await place.player()
        connection = first_connection(place.server)
        connection.every(1, fail)
        await trio.sleep(3.5)
        assert len(ticks) == 3
        assert connection.ending is None
    first, summary = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert first.startswith("timer fail at ")
    assert first.endswith(" failed for Tick of guest-1 (#1)")
    assert summary.endswith("failed with RuntimeError: repeated 2 times within 10 s")


async def test_a_timer_that_hangs_is_cut_like_every_hook(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(hook_timeout=2), allow_errors=True) as place:
        place.server.every(1, trio.sleep_forever)
        await trio.sleep(10)
        assert place.server.counters["hooks failed"] in (3, 4)


@pytest.mark.parametrize("delay", [-1, -1e-9, math.inf, -math.inf, math.nan])
async def test_a_delay_is_a_finite_number_of_seconds(mud: OpenMud, delay: float) -> None:
    async with mud(Hooks()) as place:
        with pytest.raises(ValueError, match="seconds"):
            place.server.after(delay, lambda: None)


@pytest.mark.parametrize("period", [0, -1, math.inf, math.nan])
async def test_a_period_is_a_positive_number_of_seconds(mud: OpenMud, period: float) -> None:
    async with mud(Hooks()) as place:
        with pytest.raises(ValueError, match="seconds"):
            place.server.every(period, lambda: None)


async def test_a_period_has_a_smallest_length(mud: OpenMud) -> None:
    """A shorter one would keep the loop busy with nothing else."""
    async with mud(Hooks()) as place:
        for period in (1e-20, 1e-6, 0.001, 0.0099):
            with pytest.raises(ValueError, match=r"0\.01 or more"):
                place.server.every(period, lambda: None)
        place.server.every(SHORTEST_PERIOD, lambda: None)
        await trio.sleep(1)


async def test_deadlines_that_are_due_leave_a_turn_to_everybody_after_a_batch() -> None:
    """On a clock that goes on while they pass: the next of a period that short is due as soon as one has passed."""
    passed: list[int] = []
    timers = Timers(16, HomeThread())

    def again() -> None:
        passed.append(1)
        time.sleep(0.0001)
        if len(passed) < 200:
            timers.at(trio.current_time(), again)

    for _ in range(100):
        timers.at(trio.current_time(), again)
    longest, before = 0, 0
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timers.run)
            while len(timers):
                await trio.lowlevel.checkpoint()
                longest, before = max(longest, len(passed) - before), len(passed)
            nursery.cancel_scope.cancel()
    assert len(passed) >= 200
    assert longest <= 2 * 16  # between two steps of a task another one may have two


async def test_a_deadline_that_fails_costs_its_owner_and_no_other(autojump_clock: trio.testing.MockClock) -> None:
    failures: list[BaseException] = []
    passed: list[float] = []

    class Owner:
        def failed(self, error: BaseException) -> None:
            failures.append(error)

    def fail() -> None:
        raise SystemExit("in a deadline")

    timers = Timers(64, HomeThread())
    timers.at(1, fail, Owner())
    timers.at(1, fail)
    timers.at(1, lambda: passed.append(trio.current_time()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run)
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    assert [type(error) for error in failures] == [SystemExit]
    assert passed == [1]


async def test_ticks_of_a_connection_that_never_stop_leave_every_other_turn_to_its_lines(mud: OpenMud) -> None:
    handled: list[str] = []
    hooks = Hooks()

    async def tick() -> None:
        await trio.sleep(0.5)  # longer than the period: one waits at any time

    hooks.on(Admitted)(lambda event: event.connection.every(0.1, tick))
    hooks.on(Input)(lambda event: handled.append(event.line))
    async with mud(hooks) as place:
        player = await place.player()
        await trio.sleep(1)
        await player.type("1", "2", "3", "4")
        await trio.sleep(3)
        assert handled == ["1", "2", "3", "4"]


async def test_timers_due_together_run_in_the_order_they_were_set(mud: OpenMud) -> None:
    order: list[int] = []
    async with mud(Hooks()) as place:
        for number in range(200):
            place.server.after(1, partial(order.append, number))
        await trio.sleep(2)
    assert order == list(range(200))


async def test_cancelled_timers_do_not_pile_up(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        for _ in range(10_000):
            place.server.after(3600, lambda: None).cancel()
        assert len(place.server._context.timers) == 0
        assert len(place.server._context.timers._heap) < 200


async def test_no_timer_ticks_after_the_server_has_closed(mud: OpenMud) -> None:
    ticks: list[str] = []
    hooks = Hooks()
    hooks.on(Disconnect)(lambda event: event.connection.server.after(0, lambda: ticks.append("late")))
    async with mud(hooks) as place:
        player = await place.player()
        place.server.every(0.1, lambda: ticks.append("tick"))
        server = place.server
        server.shutdown()
        await player.sees_the_end()
        await server.closed.wait()
        server.after(0, lambda: ticks.append("later"))
        server.every(1, lambda: ticks.append("later"))
        await trio.sleep(5)
    assert "later" not in ticks
    assert trio.current_time() >= 5


async def test_ten_thousand_timers_cost_one_heap_and_not_one_task(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        before = trio.lowlevel.current_statistics().tasks_living
        for number in range(5000):
            place.server.after(number + 1, lambda: None)
            place.server.every(number + 1, lambda: None)
        await settled()
        assert trio.lowlevel.current_statistics().tasks_living == before
        assert len(place.server._context.timers) == len(place.server._context.timers._heap) == 10_000


async def test_a_timer_of_a_connection_that_ended_meanwhile_is_never_started(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection: Connection = first_connection(place.server)
        connection.quit()
        assert not connection.every(1, lambda: None).is_active
        await settled()
        assert not connection.after(1, lambda: None).is_active


async def test_a_call_that_comes_when_it_is_due_has_skipped_none_and_leaves_nothing_with_its_owner(
    mud: OpenMud,
) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        timers = [connection.after(1, lambda: None) for _ in range(3)]
        await trio.sleep(2)
        assert [timer.skipped for timer in timers] == [0, 0, 0]
        assert not connection._timers


async def test_a_cancelled_deadline_keeps_its_owner_alive_no_longer(mud: OpenMud) -> None:
    """The entry stays in the heap until it is due, which may be an hour after its connection has ended."""
    ended: list[weakref.ref[Connection]] = []
    hooks = Hooks()
    hooks.on(Connect)(lambda event: ended.append(weakref.ref(event.connection)))
    async with mud(hooks, limits=Limits(first_input_timeout=3600)) as place:
        player = await place.player()
        await player.hang_up()
        await settled()
        await trio.sleep(10)
        gc.collect()
        assert ended[0]() is None
