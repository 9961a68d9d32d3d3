"""A database in memory that ends with its process, for games under test."""

from __future__ import annotations

from ..storage import Changes, Memory, Stored

__all__ = ["MortalMemory"]


class MortalMemory(Memory):
    """A database in memory whose process can be killed.

    Attributes:
        is_dead: True after a kill: nothing more is written. The store of the killed game does not notice.
    """

    def __init__(self, stored: Stored | None = None) -> None:
        super().__init__(stored)
        self.is_dead = False

    def write(self, changes: Changes) -> None:
        """Store all of it, unless the process was killed."""
        if not self.is_dead:
            super().write(changes)
