"""When a periodic call is due: each so many seconds, or daily at a time of the wall clock.

Plain data, checked when it is made. It starts no timer.
Used by `Hooks`, which keeps what a game declares, and by `MasterServer.daily`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from .calendar import zone_of
from .checks import article, check_seconds
from .timers import SHORTEST_PERIOD


@dataclass(frozen=True, slots=True)
class Schedule:
    """The moments of a periodic call. Two that are equal have the same moments if they begin together.

    Attributes:
        period: Seconds between two calls; None if it is daily.
        time: The time of day; None if it is not daily.
        zone: The time zone of a daily call; None is the machine's own.
    """

    period: float | None = None
    time: dt.time | None = None
    zone: dt.tzinfo | None = None


def every_period(seconds: float, where: str) -> Schedule:
    """Return the schedule of a call each so many seconds.

    Raises:
        TypeError: This is not a number.
        ValueError: The period is too short or not finite.
    """
    check_seconds(seconds, where, at_least=SHORTEST_PERIOD)
    return Schedule(seconds)


def daily_at(time: dt.time, tz: dt.tzinfo | str | None, where: str) -> Schedule:
    """Return the schedule of a daily call.

    Raises:
        TypeError: `time` is not a `datetime.time`.
        ValueError: There is no such zone, or `time` has a zone itself.
    """
    if not isinstance(time, dt.time):
        raise TypeError(f"{where} takes a datetime.time, such as time(4, 30), not {article(time)}")
    if time.tzinfo is not None:
        raise ValueError(f"{time!r} has a time zone itself: leave it out there, and pass it as tz")
    return Schedule(time=time, zone=zone_of(tz))
