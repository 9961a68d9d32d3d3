"""A board with notes on it: what guests leave for each other to read, as long as the world lasts, or its database."""

from __future__ import annotations

from dataclasses import dataclass

from trio_mud import Markup, join, markup
from trio_mud.storage import Record

from .quoting import quote

__all__ = ["LONGEST_NOTE", "MOST_LINES", "MOST_NOTES", "Board", "Note"]

MOST_NOTES = 20  # a new one takes the pin of the oldest
MOST_LINES = 12  # of one note
LONGEST_NOTE = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote, and when."""

    author: str
    date: str
    text: str


class Board(Record, family="board", resident=True):
    """The notes of one room, the oldest first, never more than there are pins."""

    notes: tuple[Note, ...] = ()

    def pin(self, note: Note) -> None:
        """Put a note up; if all pins are taken, the oldest note goes."""
        self.notes = (*self.notes, note)[-MOST_NOTES:]

    def show(self, width: int | None) -> Markup:
        """All there is to read, in lines of at most `width` columns; what somebody wrote is marked line by line."""
        shown = [
            markup(
                "<b>{author}</b>, on {date}:\n{text}",
                author=note.author,
                date=note.date,
                text=quote(note.text, width),
            )
            for note in self.notes
        ]
        return join("\n\n", shown) if shown else markup("There is nothing on the board but pins.")
