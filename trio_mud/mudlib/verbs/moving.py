"""Moving: from room to room, and out of the valley."""

from collections.abc import Callable

from trio_mud import markup
from trio_mud.commands import Commands, Mistake

from ..directions import Direction
from ..guest import Guest
from ..out_of_band import tell_arrival, tell_departure, tell_room
from .looking import show_room

__all__ = ["commands"]

commands = Commands[Guest](help_verbs=())


@commands.verb("go", "walk")
def go(who: Guest, where: Direction) -> None:
    """Go through one of the ways out.

    go north, or only north, or n, if you are in a hurry. Nobody else here is.
    """
    here, there = who.room, who.room.exits.get(where)
    if there is None:
        raise Mistake(f"There is no way {where.value} from here.")
    who.move_to(there)
    here.tell(markup("<b>{name}</b> goes {where}.", name=who.name, where=where.value))
    there.tell(markup("<b>{name}</b> comes {whence}.", name=who.name, whence=where.opposite.origin), but=who)
    tell_departure(who, here)
    tell_arrival(who)
    show_room(who)
    tell_room(who)


def walker(where: Direction) -> Callable[[Guest], None]:
    """The command of one direction. It has no docstring, so that `help` lists `go` alone and not ten ways."""

    def walk(who: Guest) -> None:
        go(who, where)

    return walk


for direction in Direction:
    commands.verb(*direction.verbs)(walker(direction))


@commands.verb("quit", abbreviated=False)
def leave(who: Guest) -> None:
    """Leave the valley."""
    who.session.leave("The road takes you up and over the rise. Behind you the clock goes on counting.")
