"""The almanac counts hours into days, seasons and years."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.mudlib.almanac import Date, Season, date_after, ordinal

YEAR = (Season("Mud", 2), Season("Dust", 3))


@pytest.mark.parametrize(
    ("hours", "date"),
    [
        (0, Date(1, "Mud", 1)),
        (3, Date(1, "Mud", 1)),
        (4, Date(2, "Mud", 1)),
        (7, Date(2, "Mud", 1)),
        (8, Date(1, "Dust", 1)),
        (19, Date(3, "Dust", 1)),
        (20, Date(1, "Mud", 2)),
        (4 * 5 * 99 + 8, Date(1, "Dust", 100)),
    ],
)
def test_hours_make_days_and_days_make_seasons(hours: int, date: Date) -> None:
    assert date_after(hours, 4, YEAR) == date


@given(st.integers(0, 10**6), st.integers(1, 24), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_a_day_later_it_is_another_date_and_within_the_day_it_is_not(hours: int, a_day: int, days: list[int]) -> None:
    seasons = [Season(f"season {number}", length) for number, length in enumerate(days)]
    first = hours - hours % a_day
    date = date_after(hours, a_day, seasons)
    assert date == date_after(first, a_day, seasons) == date_after(first + a_day - 1, a_day, seasons)
    assert date != date_after(first + a_day, a_day, seasons)
    assert 1 <= date.day <= days[int(date.season.split()[1])]


def test_a_date_is_read_as_a_sentence_has_it() -> None:
    assert str(Date(22, "Mud", 3)) == "the 22nd day of Mud in the year 3"


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (111, "111th"),
    ],
)
def test_a_place_in_a_row_has_its_ending(number: int, word: str) -> None:
    assert ordinal(number) == word
