"""The calendar: the moment at which a time of day comes on a date, whatever the clocks of a zone do.

Pure arithmetic. A moment is a POSIX timestamp in seconds, a zone of None is the machine's own; no clock is asked here.
Who uses it: `timers.DailyTimer`.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)


def zone_of(name: tzinfo | str | None) -> tzinfo | None:
    """The zone of this name, such as "Europe/Berlin"; anything but a name is one already.

    Raises:
        ValueError: This machine knows no zone of that name.
    """
    if not isinstance(name, str):
        return name
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # the latter two for what could be no name
        raise ValueError(f'there is no time zone {name!r}: write one like "Europe/Berlin" or "UTC"') from error


def moment_of(day: date, clock: time, zone: tzinfo | None) -> float:
    """When the clocks of the zone first show this time of this date, or would if they did not jump over it.

    A time that comes twice: the first. One that does not come: the moment of the jump.
    """
    # PEP 495: of a time that comes twice, fold 0 is the first. One that does not come is read by the offset
    # before the jump in fold 0, so that it lies behind the jump, and by that after it in fold 1, so before.
    wanted = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    moment = wanted.replace(tzinfo=zone).timestamp()
    before = wanted.replace(tzinfo=zone, fold=1).timestamp()
    if before >= moment:
        return moment
    first, last = math.floor(before), math.ceil(moment)  # clocks jump at whole seconds
    while last - first > 1:
        middle = (first + last) // 2
        if _shown_at(middle, zone) < wanted:
            first = middle
        else:
            last = middle
    return last


class Daily:
    """Every date has one moment; each comes once, in order, whatever happens to the clock that is looked at.

    Set forward past the moment, the date is due when somebody looks; whole dates jumped over are counted as one.
    Set back, a date that has been is not due again; but what was set back by more than a day was wrong before,
    and those dates are forgotten.
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
        """The clock shows `now`: how many dates have become due since the last look."""
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
        """The first date whose moment is still to come."""
        day = self._date_at(now)
        while self._moment_of(day) <= now:
            day += DAY
        return day

    def _date_at(self, moment: float) -> date:
        return _shown_at(moment, self._zone).date()

    def _moment_of(self, day: date) -> float:
        return moment_of(day, self._clock, self._zone)


def _shown_at(moment: float, zone: tzinfo | None) -> datetime:
    """What a clock of the zone shows then."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
