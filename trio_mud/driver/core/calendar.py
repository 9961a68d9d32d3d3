"""The calendar: the moment of a time of day on a date, also across changes of daylight saving time (DST).

Pure arithmetic that reads no clock. A moment is a POSIX timestamp in seconds. A zone of None is the machine's own.
Used by `timers.DailyTimer`.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)


def zone_of(name: tzinfo | str | None) -> tzinfo | None:
    """Return the time zone of this name, such as "Europe/Berlin"; a zone is returned unchanged.

    Raises:
        ValueError: This machine has no zone of that name.
    """
    if not isinstance(name, str):
        return name
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # ValueError, OSError: malformed names
        raise ValueError(f'there is no time zone {name!r}: write one like "Europe/Berlin" or "UTC"') from error


def moment_of(day: date, clock: time, zone: tzinfo | None) -> float:
    """Return the moment at which the clocks of the zone show this time on this date.

    At the end of DST a time occurs twice: the first is returned.
    At its start a time is skipped: the moment of the jump is returned.
    """
    # PEP 495: for a time that occurs twice, fold=0 is the first. A skipped time is read with the offset before
    # the jump if fold=0, which gives a moment after the jump, and with the offset after it if fold=1, which
    # gives one before. So the jump lies between the two, and is found by bisection.
    wanted = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    moment = wanted.replace(tzinfo=zone).timestamp()
    before = wanted.replace(tzinfo=zone, fold=1).timestamp()
    if before >= moment:
        return moment
    first, last = math.floor(before), math.ceil(moment)  # transitions are at whole seconds
    while last - first > 1:
        middle = (first + last) // 2
        if _shown_at(middle, zone) < wanted:
            first = middle
        else:
            last = middle
    return last


class Daily:
    """A daily moment that is due once for each date, in order, even if the wall clock is set.

    If the clock is set forward past the moment, the date is due at the next look. Several dates skipped at once
    are due together. If the clock is set back, a date that was due already is not due again. A clock that is set
    back by more than a day was wrong before, so the dates it showed are forgotten.
    """

    __slots__ = ("_clock", "_done", "_next", "_zone")

    def __init__(self, clock: time, zone: tzinfo | None, now: float) -> None:
        self._clock = clock
        self._zone = zone
        self._done: date | None = None  # the last date that was due
        self._next = self._first_after(now)

    @property
    def due(self) -> float:
        """The moment of the next date."""
        return self._moment_of(self._next)

    def look(self, now: float) -> int:
        """Return how many dates have become due since the last look; the wall clock shows `now`."""
        if self.due > now:
            self._mind_a_clock_set_back(now)
            return 0
        latest = max(self._next, self._first_after(now) - DAY)
        count = (latest - self._next).days + 1
        self._done, self._next = latest, latest + DAY
        return count

    def _mind_a_clock_set_back(self, now: float) -> None:
        if self._done is not None and self._date_at(now) < self._done - DAY:
            self._done = None
        earliest = self._first_after(now)
        if self._done is None or earliest > self._done:
            self._next = min(self._next, earliest)

    def _first_after(self, now: float) -> date:
        """Return the first date whose moment is after `now`."""
        day = self._date_at(now)
        while self._moment_of(day) <= now:
            day += DAY
        return day

    def _date_at(self, moment: float) -> date:
        return _shown_at(moment, self._zone).date()

    def _moment_of(self, day: date) -> float:
        return moment_of(day, self._clock, self._zone)


def _shown_at(moment: float, zone: tzinfo | None) -> datetime:
    """Return the date and time that a clock of the zone shows at this moment."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
