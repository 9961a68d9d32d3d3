"""The clock of the valley: a room that strikes the hours, in all the others as well.

Its next hour is a due call, kept by the name of its method. So it goes on after a restart, and by the new code after a
reload.
"""

from __future__ import annotations

from trio_mud.world import Room

from .sky import hour_of, until_next_hour
from .spot import Spot, is_indoors
from .villager import villagers_in

__all__ = ["WaterClock"]


class WaterClock(Spot, kind="water-clock"):
    """The room with the clock."""

    def wind(self) -> None:
        """Let it strike each hour; has no effect if it does."""
        if not self.due:
            self.after(until_next_hour(self.world), self.strike)

    def strike(self) -> None:
        """Let all players notice that an hour begins."""
        hour = hour_of(self.world)
        for room in self.world.store.all(Room):
            for who in villagers_in(room):
                who.write(hour.indoors if is_indoors(room) else hour.outdoors)
        self.after(until_next_hour(self.world), self.strike)
