"""Deadlines count from the next time that is passed in."""

import math

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet.deadlines import Deadlines


def test_without_deadlines_there_is_nothing_to_wait_for() -> None:
    deadlines = Deadlines()
    assert deadlines.next is None
    assert list(deadlines.expire(1.0)) == []
    assert 1 not in deadlines


def test_a_deadline_is_counted_from_the_next_tick() -> None:
    deadlines = Deadlines()
    deadlines.start(1, 2.0)
    assert deadlines.next == -math.inf
    assert 1 in deadlines
    assert list(deadlines.expire(10.0)) == []
    assert deadlines.next == 12.0
    assert 1 in deadlines
    assert list(deadlines.expire(11.9)) == []
    assert list(deadlines.expire(12.0)) == [1]
    assert deadlines.next is None
    assert 1 not in deadlines


def test_a_deadline_of_nothing_passes_at_the_next_tick() -> None:
    deadlines = Deadlines()
    deadlines.start(1, 0.0)
    assert list(deadlines.expire(5.0)) == [1]


def test_the_earliest_comes_first() -> None:
    deadlines = Deadlines()
    deadlines.start(1, 5.0)
    deadlines.start(2, 3.0)
    list(deadlines.expire(0.0))
    assert deadlines.next == 3.0
    deadlines.start(3, 1.0)
    assert deadlines.next == -math.inf
    assert list(deadlines.expire(3.0)) == [2]
    assert deadlines.next == 4.0


def test_a_stopped_deadline_does_not_pass() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        deadlines.start(1, 5.0)
        deadlines.start(2, 5.0)
        deadlines.stop(1)
        deadlines.stop(1)
        deadlines.stop(99)
        assert 1 not in deadlines
        assert list(deadlines.expire(0.0)) == []
        deadlines.stop(99)
    deadlines.start(1, 5.0)
    list(deadlines.expire(0.0))
    deadlines.stop(1)
    deadlines.stop(2)
    assert deadlines.next is None


def test_one_that_is_restarted_is_counted_from_its_restart() -> None:
    deadlines = Deadlines()
    deadlines.start(1, 5.0)
    list(deadlines.expire(0.0))
    deadlines.start(1, 5.0)
    assert list(deadlines.expire(5.0)) == []
    assert deadlines.next == 10.0


def test_what_is_done_about_one_may_stop_or_renew_another_of_the_same_moment() -> None:
    deadlines = Deadlines()
    for key in (1, 2, 3):
        deadlines.start(key, 5.0)
    list(deadlines.expire(0.0))
    passed = deadlines.expire(5.0)
    assert next(passed) == 1
    deadlines.stop(2)
    deadlines.start(3, 5.0)
    assert list(passed) == []
    assert 3 in deadlines

    deadlines.start(4, 1.0)
    list(deadlines.expire(6.0))
    passed = deadlines.expire(100.0)
    first = next(passed)
    deadlines.stop(7 - first)
    assert list(passed) == []


def test_a_copy_goes_its_own_way() -> None:
    deadlines = Deadlines()
    deadlines.start(1, 5.0)
    fresh = deadlines.copy()
    list(deadlines.expire(0.0))
    running = deadlines.copy()
    deadlines.stop(1)
    assert (fresh.next, running.next, deadlines.next) == (-math.inf, 5.0, None)
    assert deadlines.copy().next is None


_steps = st.lists(st.tuples(st.sampled_from(["start", "stop", "tick"]), st.integers(1, 3), st.floats(0, 10)))


@given(_steps)
def test_each_passes_once_and_not_before_its_time(steps: list[tuple[str, int, float]]) -> None:
    deadlines, now = Deadlines(), 0.0
    started: dict[int, tuple[float, float | None]] = {}  # seconds, and the first tick after it
    for step, key, seconds in steps:
        if step == "start":
            deadlines.start(key, seconds)
            started[key] = (seconds, None)
        elif step == "stop":
            deadlines.stop(key)
            started.pop(key, None)
        else:
            now += seconds
            started = {key: (wait, now if since is None else since) for key, (wait, since) in started.items()}
            passed = {key for key, (wait, since) in started.items() if since is not None and since + wait <= now}
            assert sorted(deadlines.expire(now)) == sorted(passed)
            started = {key: value for key, value in started.items() if key not in passed}
        assert {key for key in range(4) if key in deadlines} == set(started)


def test_copies_share_their_dicts_until_one_of_them_changes() -> None:
    first = Deadlines()
    first.start(1, 5.0)
    first.start(2, 3.0)
    second, third = first.copy(), first.copy()
    assert first.fresh is second.fresh
    list(second.expire(10.0))
    list(third.expire(20.0))
    assert (first.next, second.next, third.next) == (-math.inf, 13.0, 23.0)
    second.stop(2)
    third.start(4, 1.0)
    assert [key in second for key in (1, 2, 4)] == [True, False, False]
    assert [key in third for key in (1, 2, 4)] == [True, True, True]
    assert [key in first for key in (1, 2, 4)] == [True, True, False]
    assert list(second.expire(15.0)) == [1]
    assert list(third.expire(24.0)) == [2]
    assert list(third.expire(25.0)) == [1, 4]
    assert list(first.expire(0.0)) == []
    assert first.next == 3.0


@given(st.booleans(), st.lists(st.integers(0, 9)), st.sets(st.integers(0, 5)))
def test_following_answers_stops_the_same_deadlines_as_stopping_each(
    is_counted: bool, restarted: list[int], answered: set[int]
) -> None:
    before = Deadlines()
    for key in range(6):
        before.start(key, 2.0 + key % 2)
    after = before.copy()
    for key in answered:
        after.stop(key)
    one, other = before.copy(), before.copy()
    for deadlines in (one, other):
        if is_counted:
            list(deadlines.expire(100.0))
        for key in restarted:
            deadlines.start(key, 1.5)
    one.follow(before, after)
    for key in answered:
        other.stop(key)
    assert one.next == other.next
    assert [list(one.expire(now)) for now in (101.0, 102.5, 103.0, 110.0)] == [
        list(other.expire(now)) for now in (101.0, 102.5, 103.0, 110.0)
    ]
    assert [key for key in range(6) if key in before] == list(range(6))
