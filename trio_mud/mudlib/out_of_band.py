"""What goes to guests' programs beside the text, by GMCP and MSDP: for maps, chat windows, lists of who is here.

Each message goes only to programs that said they take it, so nobody needs to be asked.
What a guest should know stands in the text, too: most programs take nothing else.

Source: the packages Char, Room and Comm.Channel as the games of Iron Realms use them, and Mudlet's mapper after them;
the common variables of MSDP
"""

from __future__ import annotations

from collections.abc import Iterable

from trio_mud import Text

from .guest import Guest
from .room import Location

__all__ = ["report", "tell_arrival", "tell_departure", "tell_name", "tell_room", "tell_speech"]


def tell_name(guest: Guest) -> None:
    """Tell the program of a guest who comes in, or comes back, who they are."""
    guest.gmcp("Char.Name", person(guest))


def tell_room(guest: Guest) -> None:
    """Tell a guest's program where they are, and who else is there."""
    room = guest.room
    about = {
        "num": room.number,
        "name": room.name,
        "area": guest.valley.name,
        "environment": "indoors" if room.indoors else "outdoors",
        "exits": exits(room),
    }
    guest.gmcp("Room.Info", about)
    guest.gmcp("Room.Players", [person(other) for other in room.guests if other is not guest])
    report(guest)


def tell_arrival(guest: Guest) -> None:
    """Tell the programs of those who are there already that somebody has come."""
    for other in guest.room.guests:
        if other is not guest:
            other.gmcp("Room.AddPlayer", person(guest))


def tell_departure(guest: Guest, room: Location) -> None:
    """Tell the programs of those who are still there that somebody has gone."""
    for other in room.guests:
        other.gmcp("Room.RemovePlayer", guest.name)


def tell_speech(listeners: Iterable[Guest], channel: str, talker: Guest, text: Text) -> None:
    """Give their programs what they read anyway, for a window of its own."""
    heard = {"channel": channel, "talker": talker.name, "text": str(text)}
    for listener in listeners:
        listener.gmcp("Comm.Channel.Text", heard)


def report(guest: Guest) -> None:
    """Give the variables of MSDP their values; those that their program asked for and that changed are sent."""
    if guest.connection is not None:
        guest.connection.msdp("CHARACTER_NAME", guest.name)
        guest.connection.msdp("ROOM_NAME", guest.room.name)
        guest.connection.msdp("ROOM_EXITS", exits(guest.room))


def person(guest: Guest) -> dict[str, str]:
    """Somebody, as these packages describe people."""
    return {"name": guest.name, "fullname": guest.name}


def exits(room: Location) -> dict[str, int]:
    """The ways out by their short names, and the numbers of the rooms they lead to."""
    return {way.short: goal.number for way, goal in room.exits.items()}
