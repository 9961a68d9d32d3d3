"""The creatures of the valley."""

from __future__ import annotations

import re
from typing import Final

from trio_mud import Text
from trio_mud.world import Being, every

from .directions import origin_of
from .spot import open_ways
from .villager import Villager

__all__ = ["Creature", "Heron", "SluiceRat"]

TEMPER: Final = 4.0  # seconds until a rat attacks


class Creature(Being):
    """A creature that players meet.

    Attributes:
        here: What is seen of it in a room.
    """

    here: str = ""


class Heron(Creature):
    """A bird that walks through the valley, is seen to come and go, and answers to a word.

    It goes by no chance: in each room it takes the way out after the one it took last time.
    Such a walk comes through every room in the end, and the same map always has the same one.

    Attributes:
        goes: What is seen when it leaves, with `{where}` as in "north".
        comes: What is seen when it comes, with `{whence}` as in "from the south".
        hears: The beginning of a word that it answers.
        answers: What is seen then.
        taken: How often it has left each room.
    """

    goes: str
    comes: str
    hears: str
    answers: str
    taken: dict[str, int] = {}  # noqa: RUF012  a Record copies it

    @every(70)  # seconds; it is not to keep step with the hours
    def wander(self) -> None:
        """Go to the next room, and be seen there and here."""
        here = self.room
        ways = open_ways(here) if here else []
        if here is None or not ways:
            return
        number = self.taken.get(here.key, 0)
        way = ways[number % len(ways)]
        self.taken = {**self.taken, here.key: number + 1}
        here.tell(self.goes.replace("{where}", way))
        self.place = here.exits[way]
        here.exits[way].tell(self.comes.replace("{whence}", origin_of(way)))

    def notice(self, words: str) -> None:
        """Answer, if these words, said or done in front of it, have its word in them."""
        if self.room is not None and re.search(rf"\b{re.escape(self.hears)}", words, re.IGNORECASE):
            self.room.tell(self.answers)


class SluiceRat(Creature):
    """A creature that defends its place: it attacks a player who stays.

    Attributes:
        snarls: What is seen when it attacks.
        squeaks: What is seen when it dies.
    """

    snarls: str
    squeaks: str

    def hear(self, text: Text) -> None:
        """Prick up its ears: something happens here."""
        if self.foe is None and self.time_left(self.bristle) is None:
            self.after(TEMPER, self.bristle)

    def bristle(self) -> None:
        """Attack a player in the room, unless it is fighting."""
        if self.foe is None and self.room is not None:
            for thing in self.room.contents:
                if isinstance(thing, Villager):
                    self.attack(thing)
                    self.room.tell(self.snarls)
                    return

    def strike(self, foe: Being) -> None:
        super().strike(foe)
        if isinstance(foe, Villager):
            foe.hurt()

    def die(self) -> None:
        if self.room is not None:
            self.room.tell(self.squeaks)  # builders set it: no template, in which a brace has a meaning
        self.destroy()
