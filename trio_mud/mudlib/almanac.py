"""The almanac: counts hours into days, seasons and years.

It knows no clock; `sky.py` does, and uses it for the date that `time` shows and that stands on notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Date", "Season", "date_after", "ordinal"]


class Season(NamedTuple):
    """A part of the year."""

    name: str
    days: int  # at least 1


@dataclass(frozen=True, slots=True)
class Date:
    """A day. All but the season's name are counted from 1."""

    day: int  # of the season
    season: str
    year: int

    def __str__(self) -> str:
        return f"the {ordinal(self.day)} day of {self.season} in the year {self.year}"


def date_after(hours: int, hours_a_day: int, seasons: Sequence[Season]) -> Date:
    """Return the date when this many hours have passed since the first of the first day.

    Args:
        hours: The hours that have passed.
        hours_a_day: At least 1.
        seasons: Those of a year, in their order; at least one.
    """
    year, day = divmod(hours // hours_a_day, sum(season.days for season in seasons))
    for season in seasons:
        if day < season.days:
            break
        day -= season.days
    return Date(day + 1, season.name, year + 1)


def ordinal(number: int) -> str:
    """Return a number as a place in a row: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
