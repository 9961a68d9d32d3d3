"""The rooms of the valley: by day, by night, and what can be seen in them."""

from __future__ import annotations

from zlib import crc32

from trio_mud.commands import matches
from trio_mud.world import Room

from .sky import hour_of

__all__ = ["Spot", "detail_of", "is_indoors", "open_ways", "room_number", "text_of"]


class Spot(Room):
    """A room of the valley.

    Attributes:
        night: What is seen besides when it is dark outside.
        is_indoors: True if it has a roof.
        is_dark: True if nothing can be seen in it without a lamp.
        details: What the text mentions and players may look at, by the word for it.
    """

    night: str = ""
    is_indoors: bool = False
    is_dark: bool = False
    details: dict[str, str] = {}  # noqa: RUF012  a Record copies it


def is_indoors(room: Room) -> bool:
    """Return True if the room has a roof."""
    return isinstance(room, Spot) and room.is_indoors


def text_of(room: Room) -> str:
    """Return the text of a room at this hour."""
    if isinstance(room, Spot) and room.night and hour_of(room.world).is_dark:
        return f"{room.text} {room.night}"
    return room.text


def detail_of(room: Room, words: str) -> str:
    """Return the text of what the room's text mentions and these words mean; "" if they mean nothing there."""
    details = room.details if isinstance(room, Spot) else {}
    found = matches(words, details)
    return details[found[0]] if len(found) == 1 else ""


def open_ways(room: Room) -> list[str]:
    """Return the ways out that no closed door bars."""
    return [way for way in room.exits if way not in room.doors or room.doors[way].is_open]


def room_number(room: Room) -> int:
    """Return the number by which players' programs know a room, above 0.

    They keep their maps for years, so it depends on the key of the room, and not on its line in the map.
    """
    return crc32((room.template or room.key).encode()) % 0x7FFF_FFFF + 1  # Mudlet's rooms have numbers of 32 bits
