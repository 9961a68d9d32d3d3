"""A creature that wanders through the valley, is seen to come and go, and answers to a word.

It goes by no chance: in each room it takes the way out after the one it took last time.
Such a walk comes through every room in the end, and the same map always has the same one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .directions import Direction
    from .maps import CreaturePlan
    from .room import Location

__all__ = ["Creature"]


class Creature:
    """One beast, in one room. Made by the `Valley`.

    Attributes:
        room: Where it is.
    """

    def __init__(self, plan: CreaturePlan, room: Location) -> None:
        self._plan = plan
        self._taken: dict[Location, int] = {}  # how often it has left each room
        self.room = room

    @property
    def pace(self) -> float:
        """Seconds it stays in a room."""
        return self._plan.pace

    @property
    def here(self) -> str:
        """What is seen of it by who looks around."""
        return self._plan.here

    def wander(self) -> None:
        """Go to the next room, and be seen there and here."""
        here, ways = self.room, list(self.room.exits)
        if not ways:
            return
        way = ways[self._taken.get(here, 0) % len(ways)]
        self._taken[here] = self._taken.get(here, 0) + 1
        self.room = here.exits[way]
        here.tell(_seen(self._plan.goes, way))
        self.room.tell(_seen(self._plan.comes, way))

    def notice(self, words: str) -> None:
        """Answer, if these words, said or done in front of it, have its word in them."""
        if re.search(rf"\b{re.escape(self._plan.hears)}", words, re.IGNORECASE):
            self.room.tell(self._plan.answers)


def _seen(sentence: str, way: Direction) -> str:
    return sentence.replace("{where}", way.value).replace("{whence}", way.opposite.origin)
