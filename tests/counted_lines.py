"""The lines of players who count aloud, at servers in other processes: each is to be answered once, in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class CountedLines:
    """The lines of one player.

    Attributes:
        sent: The greatest number that was sent.
        answered: The greatest number that was answered.
        doubled: Answers to numbers that were answered before.
        skipped: Numbers without an answer, of which a greater one was answered.
    """

    sent: int = 0
    answered: int = 0
    doubled: int = 0
    skipped: int = 0

    def note_answer(self, number: int) -> bool:
        """Take note of an answer; return False if its number, or a greater one, was answered before."""
        if number <= self.answered:
            self.doubled += 1
            return False
        self.skipped += number - self.answered - 1
        self.answered = number
        return True
