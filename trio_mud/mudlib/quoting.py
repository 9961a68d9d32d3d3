"""Quoting: what a player wrote, shown so that nobody takes it for something else.

Text can imitate: blanks push it to where a line is broken, and the next line looks like somebody else's.
Who uses it: the verbs of talking, and the board.
"""

from __future__ import annotations

import re

from trio_mud import wrap

__all__ = ["close_up", "quote"]

MARK = "  | "  # before each line of a quotation; lines that are broken off later share its indentation

# Whatever Unicode counts as a blank, and letters and signs that show nothing: a Braille cell without dots, fillers of
# Hangul.
_BLANKS = re.compile("[\\s\u2800\u115f\u1160\u3164\uffa0]+")


def close_up(words: str) -> str:
    """The words with one space between each two, whatever stood there."""
    return _BLANKS.sub(" ", words).strip()


def quote(text: str, width: int | None) -> str:
    """Each line of a text behind a mark, and broken to fit.

    Args:
        text: Of one or more lines.
        width: Columns for line and mark; None for as long as a line is.
    """
    room = None if width is None else max(width - len(MARK), 1)
    lines = wrap(text.expandtabs(), room).split("\n")
    return "\n".join(f"{MARK}{line}" for line in lines)
