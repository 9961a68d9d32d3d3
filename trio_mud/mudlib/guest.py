"""A guest of the valley: a name, the room they are in, and the connection that speaks for them.

It is the `body` of its connection, and the actor of every command.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from trio_mud import Connection, Text

if TYPE_CHECKING:
    from .room import Room
    from .valley import Valley

__all__ = ["Guest"]

NARROWEST, WIDEST = 20, 80  # columns; prose wider than a page is hard to read


class Guest:
    """Somebody who has come in and told their name. Made by `Valley.enter`."""

    def __init__(self, name: str, connection: Connection, valley: Valley, room: Room) -> None:
        self.name = name
        self.connection = connection
        self.valley = valley
        self.room = room

    def write(self, text: Text, /) -> bool:
        """Show them a text; a plain one is wrapped to their window first."""
        if isinstance(text, str):
            width = max(NARROWEST, min(self.connection.client.size.columns, WIDEST)) - 1  # some wrap in the last column
            text = "\n".join(textwrap.fill(line, width) if len(line) > width else line for line in text.split("\n"))
        return self.connection.write(text)

    def move_to(self, room: Room) -> None:
        """Be in another room. Nobody is told."""
        self.room.guests.remove(self)
        self.room = room
        room.guests.append(self)
