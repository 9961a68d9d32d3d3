"""The sky over the valley: the hours of its days, counted by the time of the world.

World time stands still while no server runs, so the date goes on where it stopped.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from trio_mud.world import World

from .almanac import Date, Season, date_after

__all__ = ["HOURS", "HOUR_LENGTH", "Hour", "date_of", "hour_of", "until_next_hour"]

HOUR_LENGTH: Final = 900.0  # seconds of world time
ROUNDING: Final = 0.01  # seconds; a timer may end just before its time


class Hour(NamedTuple):
    """A part of the day: whether it is dark, and what is noticed when it begins, under the sky and under a roof."""

    name: str
    is_dark: bool
    outdoors: str
    indoors: str


HOURS: Final = (
    Hour(
        "morning",
        False,
        "The sun clears the eastern ridge, and every roof in the valley begins to steam.",
        "One long note comes down from the clock: morning. The shutters draw a bright ladder on the floor.",
    ),
    Hour(
        "afternoon",
        False,
        "The great bucket tips. Its note rolls over the valley, and the shadows turn to face the other way.",
        "Two notes from the clock, a little apart: afternoon.",
    ),
    Hour(
        "dusk",
        True,
        "The light goes up the eastern slope like water leaving a bath. Someone, somewhere, hangs out a lamp.",
        "Three notes from the clock. The corners of the room come closer: dusk.",
    ),
    Hour(
        "night",
        True,
        "Night comes down the valley and puts a star on every drop that falls from the clock.",
        "The clock lets fall a single drop, louder than any bell: night.",
    ),
)
SEASONS: Final = (Season("Thaw", 28), Season("Flood", 21), Season("Medlar", 28), Season("Stillwater", 35))


def hour_of(world: World) -> Hour:
    """Return the part of the day it is."""
    return HOURS[_hours(world) % len(HOURS)]


def date_of(world: World) -> Date:
    """Return the day of the season, and the year."""
    return date_after(_hours(world), len(HOURS), SEASONS)


def until_next_hour(world: World) -> float:
    """Return the seconds until the next part of the day begins."""
    return (_hours(world) + 1) * HOUR_LENGTH - world.clock.now


def _hours(world: World) -> int:
    """Return the hours that have passed since the first morning."""
    return int((world.clock.now + ROUNDING) // HOUR_LENGTH)
