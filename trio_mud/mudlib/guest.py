"""A guest of the valley: a name, a body in a room, and the session that speaks for them.

It is the `body` of its session, and the actor of every command.
So it outlives a dead link, for as long as the session waits; a session without a connection is a body and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio_mud import Client, Connection, Dialog, Session, Text, wrap

from .preferences import Resident, apply, apply_all

if TYPE_CHECKING:
    from .room import Location
    from .valley import Valley

__all__ = ["Guest", "page_width"]

PAGE = 79  # columns; longer lines of prose are hard to follow, however wide the window is


class Guest:
    """Somebody who has told their name. Made at the door; `Valley.enter` gives the body its place.

    Attributes:
        session: Their stay, set as soon as it has begun.
        is_absent: Whether the others have seen their link die, and not yet seen them return.
            Not the same as having no connection: what is seen follows in its turn.
        resident: What is kept of them; None for a guest without an account.
        draft: A note that they have begun and not pinned up; "" if there is none.
    """

    session: Session

    def __init__(self, name: str, valley: Valley, resident: Resident | None = None) -> None:
        self.name = name
        self.valley = valley
        self.room: Location = valley.start
        self.resident = resident
        self.is_absent = False
        self.draft = ""

    def __str__(self) -> str:
        return self.name

    @property
    def connection(self) -> Connection | None:
        """What they see the valley through; None while their link is dead."""
        return self.session.connection

    @property
    def client(self) -> Client:
        """The program of a guest who has just typed something, and so has one."""
        connection = self.connection
        assert connection is not None, f"{self.name} types without a connection"
        return connection.client

    @property
    def listens(self) -> bool:
        """Whether a screen reader reads to them: they want words, in as few lines as there are sentences."""
        return self.connection is not None and self.connection.client.screen_reader

    @property
    def columns(self) -> int | None:
        """The columns of their window; None if it is not known, or nobody looks at it."""
        return self.connection.client.rendering.width if self.connection is not None else None

    def write(self, text: Text, /) -> bool:
        """Show them a text, in lines no wider than a page; while their link is dead it is kept for their return."""
        connection = self.connection
        # Who knows how wide the window will be to which they return?
        return self.session.write(text if connection is None else wrap(text, page_width(connection)))

    def hear(self, text: Text) -> None:
        """Let them notice what happens around them, as `write` does, in lines as wide as their window.

        Through the session, and not by `broadcast`: a link may be dead before anybody knows, and nothing is lost then.
        """
        self.session.write(text)

    def read(self, text: Text) -> None:
        """Let them read a long text: a page at a time, if they look at a window and it does not fit there."""

        async def turn_pages(dialog: Dialog) -> None:
            await dialog.page(wrap(text, page_width(dialog.connection)))
            self.prompt()

        if self.connection is not None:
            self.connection.start_dialog(turn_pages)

    def gmcp(self, package: str, data: object) -> None:
        """Tell their program something, if it takes such messages. Nobody keeps these: a return tells all anew."""
        if self.connection is not None:
            self.connection.gmcp(package, data)

    def prompt(self) -> None:
        """Show them that it is their turn. Who listens knows it by the silence."""
        if self.connection is not None and not self.listens:
            self.connection.prompt("> ")

    def prefer(self, name: str, choice: str) -> None:
        """Choose how the valley is shown, from now on and after each return.

        Raises:
            ValueError: There is no such charset.
        """
        apply(self.client, name, choice)
        if self.resident is not None:
            setattr(self.resident, name, choice)

    def come_in(self) -> None:
        """Show the valley as they have chosen, on the link they have just come by."""
        if self.resident is not None and self.connection is not None:
            apply_all(self.connection.client, self.resident)

    def move_to(self, room: Location) -> None:
        """Be in another room. Nobody is told."""
        self.room.guests.remove(self)
        self.room = room
        room.guests.append(self)


def page_width(connection: Connection) -> int | None:
    """How many columns prose may take there; None for a screen reader, which would stop at each line's end."""
    if connection.client.screen_reader:
        return None
    return min(connection.client.rendering.width or PAGE, PAGE)
