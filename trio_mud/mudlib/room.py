"""A room: a place to be, with ways out of it and people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio_mud import Text

if TYPE_CHECKING:
    from .board import Board
    from .directions import Direction
    from .guest import Guest
    from .maps import RoomPlan

__all__ = ["Location"]


class Location:
    """One place of a valley. Made by the `Valley`, which also joins its exits to other rooms.

    Attributes:
        number: By which players' programs know it.
        exits: The rooms it leads to.
        guests: Who is here, in the order they came.
        board: Where notes can be left; None if there is no board.
    """

    def __init__(self, plan: RoomPlan, number: int, board: Board | None = None) -> None:
        self._plan = plan
        self.number = number
        self.exits: dict[Direction, Location] = {}
        self.guests: list[Guest] = []
        self.board = board

    @property
    def name(self) -> str:
        """What it is called."""
        return self._plan.name

    @property
    def indoors(self) -> bool:
        """Whether it has a roof."""
        return self._plan.indoors

    def text(self, *, dark: bool) -> str:
        """What is to be seen."""
        return f"{self._plan.text} {self._plan.night}" if dark and self._plan.night else self._plan.text

    def tell(self, text: Text, *, but: Guest | None = None) -> None:
        """Show a text to everybody here."""
        for guest in self.guests:
            if guest is not but:
                guest.hear(text)
