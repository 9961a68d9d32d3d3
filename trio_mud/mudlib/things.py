"""The things of the valley: none of them lasts, and a lamp gives light until it burns out."""

from __future__ import annotations

from typing import Final

from trio_mud.world import Container, Room, Thing

from .phrases import PHRASES
from .spot import Spot

__all__ = ["Fleeting", "Loaf", "OilLamp", "is_dark"]

SPENT: Final = 600.0  # seconds until a lamp without oil is gone


class Fleeting(Thing):
    """A thing that is gone after a while, so that the valley does not fill up with what its resets make.

    Attributes:
        lasts: The seconds for which it is there, from when it was made.
    """

    lasts: float = 86_400.0  # seconds

    def on_attach(self) -> None:
        super().on_attach()
        if not self.due:  # it is new
            self.after(self.lasts, self.vanish)

    def vanish(self) -> None:
        """Be gone."""
        self.destroy()


class OilLamp(Fleeting):
    """A lamp that burns out, also while no server runs in between.

    Attributes:
        oil: The seconds for which it burns, from when it was lit.
        is_lit: True while it burns.
    """

    oil: float = 600.0  # seconds
    is_lit: bool = False

    def light(self) -> None:
        """Begin to burn."""
        self.is_lit = True
        self.after(self.oil, self.burn_out)

    def put_out(self) -> None:
        """Stop burning; the oil that is left burns another time."""
        self.oil = self.time_left(self.burn_out) or 0.0
        self.cancel(self.burn_out)
        self.is_lit = False

    def burn_out(self) -> None:
        """Stop burning, because the oil is used up, and show it."""
        self.oil, self.is_lit = 0.0, False
        self.after(SPENT, self.vanish)
        if self.room is not None:
            self.room.tell(PHRASES.lamp_dies.format(lamp=self))


class Loaf(Fleeting):
    """Something to eat.

    Attributes:
        heals: The health that it gives.
    """

    lasts: float = 3600.0  # seconds; the mice of the valley see to that
    heals: int = 8


def is_dark(room: Room) -> bool:
    """Return True if nothing can be seen in a room: it has no light of its own, and no lamp burns in it."""
    if not (isinstance(room, Spot) and room.is_dark):
        return False
    lit = [thing for thing in room.all_inside if isinstance(thing, OilLamp) and thing.is_lit]
    return not any(is_seen(lamp) for lamp in lit)


def is_seen(thing: Thing) -> bool:
    """Return True if no closed container is around a thing."""
    at = thing.place
    while at is not None:
        if isinstance(at, Container) and not at.is_open:
            return False
        at = at.place
    return True
