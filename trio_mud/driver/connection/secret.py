"""Secrets: typed text that no log and no traceback may show.

Used by dialogs, whose hidden answers are secrets, and by the code that compares or hashes them.
"""

from __future__ import annotations


class Secret(str):
    """A `str` whose `repr` is dots. It is compared, sliced and encoded as any other.

    A slice or a changed copy of it is a plain `str`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'•••'"
