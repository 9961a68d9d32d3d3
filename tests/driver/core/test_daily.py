"""Daily timers: at the same hour by the wall clock, even if it is changed."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
import trio

from trio_mud import Hooks, Input, MasterServer
from trio_mud.testing import OpenMud

from ..conftest import EventLog, settled

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = 3600, 86400


class Wall:
    """A wall clock that follows the clock of the test until it is set."""

    def __init__(self, server: MasterServer, *when: int) -> None:
        self._ahead = datetime(*when, tzinfo=BERLIN).timestamp() - trio.current_time()  # type: ignore[misc,arg-type]
        server.wall_clock = self.now
        self.seen: list[str] = []

    def now(self) -> float:
        return trio.current_time() + self._ahead

    def set_forward(self, seconds: float) -> None:
        self._ahead += seconds

    def note(self) -> None:
        """The function under test: writes down what the clock shows."""
        self.seen.append(f"{datetime.fromtimestamp(self.now(), BERLIN):%m-%d %H:%M}")


async def test_it_comes_each_day_at_its_time(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 12)
        timer = place.server.daily(time(4, 30), wall.note, tz=BERLIN)
        await trio.sleep(3 * DAY)
        assert wall.seen == ["06-02 04:30", "06-03 04:30", "06-04 04:30"]
        assert timer.is_active
        assert timer.skipped == 0


async def test_its_time_today_is_today_and_just_now_is_tomorrow(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 12)
        place.server.daily(time(12, 1), wall.note, tz="Europe/Berlin")
        place.server.daily(time(12), wall.note, tz="Europe/Berlin")
        await trio.sleep(DAY + 1)
        assert wall.seen == ["06-01 12:01", "06-02 12:00"]


async def test_across_daylight_saving_it_is_the_clock_that_counts(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 3, 27, 12)
        place.server.daily(time(4), wall.note, tz=BERLIN)
        place.server.daily(time(2, 30), wall.note, tz=BERLIN)  # not on the 29th, when clocks jump to three
        await trio.sleep(3 * DAY)
        assert wall.seen == [
            "03-28 02:30",
            "03-28 04:00",
            "03-29 03:00",
            "03-29 04:00",
            "03-30 02:30",
            "03-30 04:00",
        ]


async def test_a_time_that_comes_twice_in_a_night_is_taken_once(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 10, 24, 12)
        start = trio.current_time()
        times: list[float] = []
        place.server.daily(time(2, 30), lambda: times.append(trio.current_time() - start), tz=BERLIN)
        await trio.sleep(2 * DAY)
        assert times == [14.5 * HOUR, 14.5 * HOUR + 25 * HOUR]
        assert wall.seen == []


async def test_a_clock_set_forward_over_it_is_noticed_within_the_hour(mud: OpenMud) -> None:
    """A17: it is late, and it is not missed."""
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        place.server.daily(time(4), wall.note, tz=BERLIN)
        await trio.sleep(7.75 * HOUR)
        wall.set_forward(HOUR)
        await trio.sleep(HOUR)
        assert len(wall.seen) == 1
        assert "06-02 04:00" <= wall.seen[0] <= "06-02 05:45"
        await trio.sleep(2 * DAY)
        assert wall.seen[1:] == ["06-03 04:00", "06-04 04:00"]


async def test_a_clock_set_back_over_it_brings_no_second_one_that_day(mud: OpenMud) -> None:
    """A17."""
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        place.server.daily(time(4), wall.note, tz=BERLIN)
        await trio.sleep(8.25 * HOUR)
        wall.set_forward(-HOUR)
        await trio.sleep(2 * DAY)
        assert wall.seen == ["06-02 04:00", "06-03 04:00"]


async def test_a_clock_set_back_while_it_is_awaited_lets_it_wait_longer(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        place.server.daily(time(4), wall.note, tz=BERLIN)
        await trio.sleep(7.99 * HOUR)
        wall.set_forward(-HOUR)
        await trio.sleep(DAY)
        assert wall.seen == ["06-02 04:00"]


async def test_a_machine_that_slept_for_days_wakes_to_one_of_them(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        timer = place.server.daily(time(4), wall.note, tz=BERLIN)
        await trio.sleep(1)
        wall.set_forward(5 * DAY)
        await trio.sleep(2 * HOUR)
        assert len(wall.seen) == 1
        assert timer.skipped == 4


async def test_a_wall_clock_that_runs_slow_makes_nothing_early(mud: OpenMud) -> None:
    """And the waiting is not a spin: it ends with a look a millisecond."""
    async with mud(Hooks()) as place:
        looks = 0
        begin, start = datetime(2026, 6, 1, 20, tzinfo=BERLIN).timestamp(), trio.current_time()

        def slow() -> float:
            nonlocal looks
            looks += 1
            return begin + (trio.current_time() - start) * 0.999

        place.server.wall_clock = slow
        times: list[float] = []
        place.server.daily(time(4), lambda: times.append(slow() - begin), tz=BERLIN)
        await trio.sleep(9 * HOUR)
        assert times == [pytest.approx(8 * HOUR, abs=0.002)]
        assert times[0] >= 8 * HOUR
        assert looks < 100


async def test_other_timers_do_not_look_at_the_wall(mud: OpenMud) -> None:
    """A17."""
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        ticks: list[float] = []
        start = trio.current_time()
        place.server.every(600, lambda: ticks.append(trio.current_time() - start))
        for change in (HOUR, -HOUR, -HOUR, HOUR, DAY, -DAY):
            await trio.sleep(500)
            wall.set_forward(change)
        await trio.sleep(10)
        assert ticks == [600 * k for k in range(1, 6)]


async def test_it_takes_its_turn_and_holds_nobody_up(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        Wall(place.server, 2026, 6, 1, 3, 59, 30)

        async def sweep() -> None:
            await trio.sleep(3)

        place.server.daily(time(4), sweep, tz=BERLIN)
        player = await place.player()
        await trio.sleep(31)
        await player.type("look")
        await settled()
        assert [event.line for event in witness.events if isinstance(event, Input)] == ["look"]


async def test_one_that_fails_comes_again_tomorrow(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    async with mud(Hooks(), allow_errors=True) as place:
        Wall(place.server, 2026, 6, 1, 20)

        def fail() -> None:
            raise LookupError("the broom")

        place.server.daily(time(4), fail, tz=BERLIN)
        await trio.sleep(2 * DAY)
        assert place.server.counters["hooks failed"] == 2
    assert "the broom" in caplog.text


async def test_one_that_is_cancelled_comes_no_more(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        wall = Wall(place.server, 2026, 6, 1, 20)
        timer = place.server.daily(time(4), wall.note, tz=BERLIN)
        await trio.sleep(DAY)
        timer.cancel()
        await trio.sleep(3 * DAY)
        assert wall.seen == ["06-02 04:00"]
        assert not timer.is_active
        assert len(place.server._context.timers) == 0


async def test_it_ends_with_the_server(mud: OpenMud) -> None:
    seen: list[str] = []
    async with mud(Hooks()) as place:
        server = place.server
        server.daily(time(13), lambda: seen.append("too late"), tz="UTC")
    await trio.sleep(3 * DAY)
    assert seen == []
    assert len(server._context.timers) == 0


async def test_a_mud_of_the_kit_begins_at_noon_of_the_first_of_january_2000(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        times: list[float] = []
        place.server.daily(time(0), lambda: times.append(trio.current_time()), tz="UTC")
        await trio.sleep(2 * DAY)
        assert times == [DAY / 2, DAY * 3 / 2]


async def test_a_zone_that_does_not_exist_is_told_of_at_once(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        with pytest.raises(ValueError, match="no time zone 'Middle/Earth'"):
            place.server.daily(time(4), lambda: None, tz="Middle/Earth")
        with pytest.raises(ValueError, match="pass it as tz"):
            place.server.daily(time(4, tzinfo=BERLIN), lambda: None)


async def test_the_wall_clock_is_the_machines_if_nobody_says_otherwise() -> None:
    assert abs(MasterServer(Hooks()).wall_clock() - datetime.now(BERLIN).timestamp()) < 60


async def test_one_whose_wall_clock_fails_is_named_in_the_log(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    def ring() -> None:
        raise NotImplementedError("it never comes")

    def broken() -> float:
        raise OSError("no clock")

    async with mud(Hooks(), allow_errors=True) as town:
        timer = town.server.daily(time(3), ring)
        town.server.wall_clock = broken
        await town.pass_time(7200)
        assert not timer.is_active
    assert "ring at" in caplog.records[0].getMessage()
