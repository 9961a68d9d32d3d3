"""A board with notes on it, which players leave for each other."""

from __future__ import annotations

from dataclasses import dataclass

from trio_mud import Markup, join, markup
from trio_mud.world import Thing

from .quoting import quote

__all__ = ["LONGEST_NOTE", "MOST_LINES", "MOST_NOTES", "Board", "Note"]

MOST_NOTES = 20  # a new one takes the pin of the oldest
MOST_LINES = 12  # of one note
LONGEST_NOTE = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, its author, and the date on it."""

    author: str
    date: str
    text: str


class Board(Thing):
    """The notes of one board, the oldest first, never more than there are pins."""

    is_fixed: bool = True
    notes: tuple[Note, ...] = ()

    def pin(self, note: Note) -> None:
        """Put a note up; if all pins are taken, the oldest note goes."""
        self.notes = (*self.notes, note)[-MOST_NOTES:]

    def show(self, width: int | None) -> Markup:
        """Return all that there is to read, in lines of at most `width` columns; each line of a note is marked."""
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
