"""Moving: from room to room, and out of the valley."""

from collections.abc import Callable
from typing import Annotated

from trio_mud import markup
from trio_mud.commands import Commands, Mistake

from ..directions import DIRECTIONS, origin_of, way_out
from ..out_of_band import tell_arrival, tell_departure, tell_room
from ..phrases import PHRASES
from ..villager import Villager
from .looking import show_room

__all__ = ["commands"]

commands = Commands[Villager](help_verbs=())


@commands.verb("go", "walk")
def go(who: Villager, where: Annotated[str, way_out]) -> None:
    """Go through one of the ways out.

    go north, or only north, or n, if you are in a hurry. Nobody else here is.
    """
    here, there = who.here, who.here.exits.get(where)
    if there is None:
        raise Mistake(PHRASES.no_way.format(way=where))
    door = here.doors.get(where)
    if door is not None and not door.is_open:
        raise Mistake(PHRASES.is_closed.format(door=door))
    who.place = there
    here.tell(markup("<b>{name}</b> goes {where}.", name=who.name, where=where))
    there.tell(markup("<b>{name}</b> comes {whence}.", name=who.name, whence=origin_of(where)), exclude=[who])
    tell_departure(who, here)
    tell_arrival(who)
    show_room(who)
    tell_room(who)


def walker(where: str) -> Callable[[Villager], None]:
    """Return the command of one direction. It has no docstring, so that `help` lists `go` alone and not ten ways."""

    def walk(who: Villager) -> None:
        go(who, where)

    return walk


for direction, short in DIRECTIONS.items():
    commands.verb(direction, short)(walker(direction))


@commands.verb("quit", abbreviated=False)
def leave(who: Villager) -> None:
    """Leave the valley."""
    assert who.session is not None, f"{who!r} types without a session"
    who.session.leave("The road takes you up and over the rise. Behind you the clock goes on counting.")
