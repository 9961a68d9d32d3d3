"""A time of day has one moment on every date, in every zone there is."""

from __future__ import annotations

import time as machine
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.driver.core.calendar import DAY, Daily, moment_of, zone_of

ZONES = sorted(available_timezones())
DATES = st.dates(date(1970, 1, 2), date(2100, 12, 30))
TIMES = st.times().map(lambda clock: clock.replace(microsecond=clock.microsecond // 1000 * 1000))
BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")


def shown(moment: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)


def local(zone: ZoneInfo, *when: int) -> float:
    return datetime(*when, tzinfo=zone).timestamp()  # type: ignore[misc,arg-type]


@given(st.sampled_from(ZONES), DATES, TIMES)
@example("Europe/Berlin", date(2026, 3, 29), time(2, 30))
@example("Europe/Berlin", date(2026, 10, 25), time(2, 30))
@example("America/St_Johns", date(2006, 10, 29), time(0, 0, 30))  # its clocks were changed at 0:01
@example("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15))  # by half an hour
@example("Pacific/Apia", date(2011, 12, 30), time(12))  # a date that never came
@example("Africa/Casablanca", date(2026, 3, 22), time(2, 30))
def test_it_is_the_first_moment_at_which_the_clock_shows_it_or_has_jumped_over_it(
    name: str, day: date, clock: time
) -> None:
    zone, wanted = ZoneInfo(name), datetime.combine(day, clock)
    moment = moment_of(day, clock, zone)
    at, just_before = shown(moment, zone), shown(moment - 0.001, zone)
    assert at >= wanted > just_before
    if at != wanted:  # jumped over: it is the very moment of the jump
        assert at - just_before > timedelta(minutes=1)
    for earlier in (1800, 3600, 7200):
        assert shown(moment - earlier, zone) != wanted


@given(st.sampled_from(ZONES), DATES, TIMES)
def test_the_moments_of_dates_come_in_their_order(name: str, day: date, clock: time) -> None:
    zone = ZoneInfo(name)
    moments = [moment_of(day + n * DAY, clock, zone) for n in range(-1, 2)]
    assert moments == sorted(moments)


def test_a_time_that_clocks_jump_over_is_when_they_jump() -> None:
    jump = local(BERLIN, 2026, 3, 29, 3)
    for minute in (0, 1, 30, 59):
        assert moment_of(date(2026, 3, 29), time(2, minute), BERLIN) == jump
    assert moment_of(date(2026, 3, 29), time(1, 59), BERLIN) == jump - 60
    assert moment_of(date(2026, 3, 29), time(3, 1), BERLIN) == jump + 60


def test_of_a_time_that_comes_twice_it_is_the_first() -> None:
    first = moment_of(date(2026, 10, 25), time(2, 30), BERLIN)
    assert shown(first, BERLIN) == shown(first + 3600, BERLIN) == datetime(2026, 10, 25, 2, 30)
    assert moment_of(date(2026, 10, 25), time(2, 30, fold=1), BERLIN) == first


def test_a_date_that_never_came_is_the_moment_at_which_it_was_left_out() -> None:
    assert moment_of(date(2011, 12, 30), time(18), APIA) == local(APIA, 2011, 12, 31)


@pytest.mark.parametrize("name", ["CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "EST5EDT,M3.2.0,M11.1.0"])
def test_the_machines_own_zone_is_as_good_as_a_named_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"C": BERLIN, "U": ZoneInfo("UTC"), "E": ZoneInfo("America/New_York")}[name[0]]
    monkeypatch.setenv("TZ", name)
    machine.tzset()
    try:
        for n in range(365):
            for hour in range(5):
                day, clock = date(2026, 1, 1) + n * DAY, time(hour, 30)
                assert moment_of(day, clock, None) == moment_of(day, clock, named)
    finally:
        monkeypatch.undo()
        machine.tzset()


def test_a_zone_is_known_by_its_name_or_is_one() -> None:
    assert zone_of("Europe/Berlin") is BERLIN
    assert zone_of(BERLIN) is BERLIN
    assert zone_of(None) is None


@pytest.mark.parametrize("name", ["Middle/Earth", "", "../../etc/passwd", "/etc/passwd", "Europe", "a\0b"])
def test_a_zone_that_nobody_knows_is_told_of(name: str) -> None:
    with pytest.raises(ValueError, match=r"there is no time zone .*: write one like"):
        zone_of(name)


# Each date once


@given(st.sampled_from(ZONES), DATES, TIMES, st.lists(st.floats(1, 3 * 86400), max_size=40))
def test_while_the_clock_goes_on_every_date_is_counted_once_and_none_early(
    name: str, day: date, clock: time, pauses: list[float]
) -> None:
    zone = ZoneInfo(name)
    now = datetime.combine(day, time(12), zone).timestamp()
    daily = Daily(clock, zone, now)
    began, counted = now, 0
    for pause in pauses:
        due = daily.due
        now += pause
        count = daily.look(now)
        assert (count > 0) == (due <= now)
        counted += count
        assert daily.due > now or daily.due == due  # the latter where a date was left out
    near = [moment_of(day + n * DAY, clock, zone) for n in range(-2, 130)]
    assert abs(counted - sum(began < moment <= now for moment in near)) <= 1 - (name != "Pacific/Apia")


@given(st.sampled_from(ZONES), DATES, TIMES, st.lists(st.floats(-7200, 7200), max_size=60))
def test_however_the_clock_is_set_by_hours_no_date_is_due_twice(
    name: str, day: date, clock: time, steps: list[float]
) -> None:
    """A17."""
    zone = ZoneInfo(name)
    now = datetime.combine(day, clock, zone).timestamp() - 3600
    daily = Daily(clock, zone, now)
    highest = moment_of(day - DAY, clock, zone)
    for step in steps:
        now += step
        if daily.look(now):
            due = max(moment_of(day + n * DAY, clock, zone) for n in range(-8, 8) if _is_past(day, n, clock, zone, now))
            assert due > highest
            highest = due


def _is_past(day: date, n: int, clock: time, zone: ZoneInfo, now: float) -> bool:
    return moment_of(day + n * DAY, clock, zone) <= now


def test_a_clock_set_forward_over_it_makes_it_due_and_whole_dates_count_as_skipped() -> None:
    daily = Daily(time(4), BERLIN, local(BERLIN, 2026, 6, 1, 3, 30))
    assert daily.look(local(BERLIN, 2026, 6, 1, 4, 30)) == 1
    assert daily.look(local(BERLIN, 2026, 6, 4, 12)) == 3
    assert daily.due == local(BERLIN, 2026, 6, 5, 4)


def test_a_clock_set_back_over_it_does_not_make_it_due_again() -> None:
    daily = Daily(time(4), BERLIN, local(BERLIN, 2026, 6, 1, 3, 30))
    assert daily.look(local(BERLIN, 2026, 6, 1, 4)) == 1
    for hour in (3, 4, 5):
        assert daily.look(local(BERLIN, 2026, 6, 1, hour)) == 0
    assert daily.due == local(BERLIN, 2026, 6, 2, 4)


def test_a_clock_set_back_before_it_was_ever_due_lets_it_come_sooner() -> None:
    daily = Daily(time(4), BERLIN, local(BERLIN, 2030, 6, 1, 5))
    assert daily.look(local(BERLIN, 2026, 6, 1, 3)) == 0
    assert daily.due == local(BERLIN, 2026, 6, 1, 4)


def test_years_by_which_the_clock_was_wrong_are_not_waited_for() -> None:
    daily = Daily(time(4), BERLIN, local(BERLIN, 2026, 6, 1, 3))
    daily.look(local(BERLIN, 2036, 6, 1, 5))
    assert daily.look(local(BERLIN, 2026, 6, 1, 12)) == 0
    assert daily.due == local(BERLIN, 2026, 6, 2, 4)
