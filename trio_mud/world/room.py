"""Places: rooms with exits, doors between them, and containers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from trio_mud import Text, broadcast

from .thing import Thing

__all__ = ["Container", "Door", "Room"]


class Container(Thing):
    """A thing that other things can be in.

    Attributes:
        is_open: True if its contents can be seen and reached.
    """

    is_open: bool = True


class Door(Thing):
    """A door between two rooms. It is one record, and both rooms name it, so both sides open and close at once.

    Attributes:
        is_open: True if the way is free.
        is_locked: True if it takes a key to open it.
        opened_by: The template of its key.
    """

    is_fixed: bool = True
    is_open: bool = False
    is_locked: bool = False
    opened_by: str = ""

    def on_detach(self) -> None:
        """Leave open ways where it was, and let what it holds fall."""
        world: Any = self._world
        super().on_detach()
        if world is not None:
            for room in world.store.all(Room):
                if self in room.doors.values():
                    room.doors = {way: other for way, other in room.doors.items() if other is not self}


class Room(Thing):
    """A place with exits.

    Attributes:
        exits: The rooms that can be reached, by direction.
        doors: The doors on the way, by direction.
    """

    is_fixed: bool = True
    exits: dict[str, Room] = {}  # noqa: RUF012  a Record copies it
    doors: dict[str, Door] = {}  # noqa: RUF012

    def tell(self, text: Text, *, exclude: Collection[Thing] = ()) -> None:
        """Show a text to all in the room; it is rendered once for each kind of client."""
        connections, hearers = [], []
        for thing in self._inside:
            if thing in exclude:
                continue
            connection = thing._connection()
            if connection is not None:
                connections.append(connection)
            elif type(thing).hear is not Thing.hear:
                hearers.append(thing)
        if connections:
            broadcast(text, to=connections)
        for thing in hearers:
            if thing.place is self:  # one that heard it before may have moved or destroyed it
                thing._hear(text)

    def on_detach(self) -> None:
        """Close the exits that lead to it, and let its contents fall into the limbo."""
        world = self._world
        super().on_detach()
        if world is not None:
            for room in world.store.all(Room):
                if self in room.exits.values():
                    room.exits = {way: other for way, other in room.exits.items() if other is not self}
                    room.doors = {way: door for way, door in room.doors.items() if way in room.exits}

    def _is_room(self) -> bool:
        return True

    def _neighbours(self) -> Iterator[Thing]:
        yield from self._inside
        yield from dict.fromkeys(self.doors.values())

    def _place_of_contents(self) -> Thing | None:
        if self._world is None:
            return None
        limbo: Room = self._world.limbo
        if limbo is self:
            raise ValueError(f"{self!r} is the limbo, where lost things go, and cannot be destroyed")
        return limbo
