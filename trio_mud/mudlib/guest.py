"""A guest of the valley: a name, the room they are in, and the connection that speaks for them.

It is the `body` of its connection, and the actor of every command.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trio_mud import Connection, Dialog, Markup, Text, pages, wrap

if TYPE_CHECKING:
    from .room import Room
    from .valley import Valley

__all__ = ["Guest", "page_width"]

PAGE = 79  # columns; longer lines of prose are hard to follow, however wide the window is


class Guest:
    """Somebody who has come in and told their name. Made by `Valley.enter`."""

    def __init__(self, name: str, connection: Connection, valley: Valley, room: Room) -> None:
        self.name = name
        self.connection = connection
        self.valley = valley
        self.room = room

    @property
    def listens(self) -> bool:
        """Whether a screen reader reads to them: they want words, in as few lines as there are sentences."""
        return self.connection.client.screen_reader

    def write(self, text: Text, /) -> bool:
        """Show them a text, in lines no wider than a page."""
        return self.connection.write(wrap(text, page_width(self.connection)))

    def read(self, text: Text) -> None:
        """Let them read a long text: a page at a time, if they look at a window and it does not fit there."""
        found = pages(text, page_width(self.connection), self.connection.client.size.rows)
        if len(found) == 1 or self.listens:
            self.write(text)
        else:
            self.connection.start_dialog(partial(turn_pages, guest=self, found=found))

    def prompt(self) -> None:
        """Show them that it is their turn. Who listens knows it by the silence."""
        if not self.listens:
            self.connection.prompt("> ")

    def move_to(self, room: Room) -> None:
        """Be in another room. Nobody is told."""
        self.room.guests.remove(self)
        self.room = room
        room.guests.append(self)


async def turn_pages(dialog: Dialog, guest: Guest, found: list[Markup]) -> None:
    """Show page after page, until the last or until somebody has read enough."""
    for page in found[:-1]:
        guest.connection.write(page)
        if await dialog.ask("[Enter reads on, q stops] "):
            break
    else:
        guest.connection.write(found[-1])
    guest.prompt()


def page_width(connection: Connection) -> int | None:
    """How many columns prose may take there; None for a screen reader, which would stop at each line's end."""
    if connection.client.screen_reader:
        return None
    return min(connection.client.rendering.width or PAGE, PAGE)
