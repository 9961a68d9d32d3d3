"""Letters: mail for players, who may be away.

A mailbox belongs to one character, has its key, and is in memory only while it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trio_mud.commands import Mistake
from trio_mud.storage import Record, Store

from .social_phrases import SOCIAL_PHRASES

__all__ = ["LONGEST_LETTER", "MOST_LETTERS", "Letter", "Mailbox", "deliver", "open_mailbox"]

MOST_LETTERS = 100  # in one mailbox
LONGEST_LETTER = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter.

    Attributes:
        name: The writer's name.
        date: When it was written, in the words of the game.
        text: Lines of the writer, to be quoted.
        is_read: True if its owner has read it.
    """

    name: str
    date: str
    text: str
    is_read: bool = False


class Mailbox(Record, family="mailbox"):
    """The letters to one character, the oldest first."""

    letters: tuple[Letter, ...] = ()

    @property
    def is_full(self) -> bool:
        """True if it takes no further letter."""
        return len(self.letters) >= MOST_LETTERS

    @property
    def unread(self) -> int:
        """Return the number of letters that are not read."""
        return sum(not letter.is_read for letter in self.letters)

    def put(self, letter: Letter) -> None:
        """Add a letter.

        Raises:
            ValueError: The mailbox is full.
        """
        if self.is_full:
            raise ValueError(f"{self!r} is full: ask `is_full` first")
        self.letters = (*self.letters, letter)

    def open(self, number: int) -> Letter:
        """Return the letter of this number, counted from 1, and mark it as read.

        Raises:
            Mistake: There is none.
        """
        letter = self._at(number)
        if not letter.is_read:
            self.letters = (*self.letters[: number - 1], replace(letter, is_read=True), *self.letters[number:])
        return letter

    def discard(self, number: int) -> Letter:
        """Remove the letter of this number, and return it.

        Raises:
            Mistake: There is none.
        """
        letter = self._at(number)
        self.letters = (*self.letters[: number - 1], *self.letters[number:])
        return letter

    def _at(self, number: int) -> Letter:
        if not 1 <= number <= len(self.letters):
            raise Mistake(SOCIAL_PHRASES.no_letter.format(number=number))
        return self.letters[number - 1]


async def open_mailbox(store: Store, key: str) -> Mailbox:
    """Return the mailbox of the character with this key; an empty one is stored when a letter is delivered.

    Use it before the next `await`: a mailbox that nothing refers to is forgotten once it is saved.

    Raises:
        UnreadableRecord: Its row is quarantined.
    """
    found = await store.load(Mailbox, key)
    # Another task may have delivered the first letter while this one waited.
    return found or store.get(Mailbox, key) or Mailbox(key=key)


def deliver(store: Store, mailbox: Mailbox, letter: Letter) -> None:
    """Put a letter into a mailbox that was just opened.

    Raises:
        ValueError: The mailbox is full.
    """
    mailbox.put(letter)
    if store.get(Mailbox, mailbox.key) is None:
        store.add(mailbox)
