"""How long one has to wait after wrong passwords."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.accounts import Penalties
from trio_mud.accounts.penalties import MOST_STORED

ANN, BOB = ("account", "ann"), ("account", "bob")
HOUR = 3600.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock, **settings: int) -> Penalties:
    return Penalties(clock=clock, **settings)


def test_the_third_failure_costs_15_seconds_and_each_further_one_the_double_up_to_600() -> None:
    clock = Clock()
    penalties, waits = made(clock), []
    for _ in range(10):
        penalties.fail(ANN)
        waits.append(penalties.wait(ANN))
        clock.now += penalties.wait(ANN)
    assert waits == [0, 0, 15, 30, 60, 120, 240, 480, 600, 600]


def test_others_do_not_wait_and_of_several_keys_the_longest_wait_counts() -> None:
    clock = Clock()
    penalties = made(clock)
    for _ in range(4):
        penalties.fail(ANN)
    assert penalties.wait(BOB) == 0
    assert penalties.wait(BOB, ANN) == penalties.wait(ANN) == 30
    assert penalties.wait() == 0


def test_failures_are_forgotten_600_seconds_after_the_pause() -> None:
    clock = Clock()
    penalties = made(clock)
    for _ in range(3):
        penalties.fail(ANN)
    clock.now = 15 + 599
    penalties.fail(ANN)
    assert penalties.wait(ANN) == 30
    clock.now += 30 + 600
    penalties.fail(ANN)
    assert penalties.wait(ANN) == 0


def test_a_right_password_takes_back_its_own_try_and_no_earlier_one() -> None:
    clock = Clock()
    penalties = made(clock)
    for _ in range(3):
        penalties.fail(ANN)
    clock.now = 15
    penalties.fail(ANN)
    penalties.forgive(ANN)
    assert penalties.wait(ANN) == 0
    penalties.fail(ANN)
    assert penalties.wait(ANN) == 30


def test_of_a_hundred_tries_at_once_three_pass() -> None:
    penalties, passed = made(Clock()), 0
    for _ in range(100):
        if penalties.wait(ANN) == 0:
            passed += 1
            penalties.fail(ANN)
    assert passed == 3


@settings(max_examples=200)
@given(st.lists(st.floats(0, 700), min_size=1, max_size=12))
def test_no_rhythm_of_guesses_gets_40_in_an_hour(pauses: list[float]) -> None:
    """After each guess the guesser waits as long as it must, and then as long as it likes."""
    clock = Clock()
    penalties, guesses, turn = made(clock), [], 0
    while clock.now < 3 * HOUR:
        penalties.fail(ANN)
        guesses.append(clock.now)
        clock.now += penalties.wait(ANN) + pauses[turn % len(pauses)] * (turn % 3 == 2)
        turn += 1
    assert all(sum(start <= guess < start + HOUR for guess in guesses) < 40 for start in guesses)


def test_the_table_is_bounded_and_forgets_the_oldest_first() -> None:
    penalties = made(Clock(), max_entries=100)
    for number in range(1000):
        for _ in range(4):
            penalties.fail(("address", f"{number}"))
    assert len(penalties) == 100
    assert penalties.wait(("address", "899")) == 0
    assert penalties.wait(("address", "900")) == 30


def test_a_pause_goes_on_after_a_restart_whatever_the_clock_is_then() -> None:
    before, after = Clock(), Clock()
    before.now, after.now = 5000.0, 100.0
    old, new = made(before), made(after)
    for _ in range(5):
        old.fail(ANN)
    old.fail(BOB)
    before.now += 20
    new.load(old.dump())
    assert new.wait(ANN) == 40
    after.now += 40
    new.fail(ANN)
    assert new.wait(ANN) == 120


def test_no_more_is_stored_than_can_be_written_in_a_moment() -> None:
    clock = Clock()
    penalties = made(clock)
    for number in range(MOST_STORED + 500):
        penalties.fail(("address", f"{number}"))
    assert len(penalties.dump()) == MOST_STORED
    assert penalties.dump()[-1][0] == ("address", f"{MOST_STORED + 499}")
    clock.now = 601
    assert penalties.dump() == []
