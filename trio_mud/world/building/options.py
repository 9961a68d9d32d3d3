"""The bounds of building."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["BuildingOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingOptions:
    """The bounds of building.

    Raises:
        ValueError: A bound is no whole number above 0.
    """

    max_rooms: int = 10_000
    """Rooms of the world; past it none is dug."""

    max_things: int = 100_000
    """Things in the world; past it none is made or dug."""

    max_name: int = 60
    """Characters of a name."""

    max_text: int = 8192
    """Bytes of a description, and of any other text."""

    max_items: int = 50
    """Items of a field that has several."""

    max_undo: int = 10
    """Acts of one builder that can be undone."""

    max_shown: int = 64 * 1024
    """Bytes of an export that a builder may read; a longer one is only written to a file."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or not 0 < value < 2**31:
                raise ValueError(f"{field.name} = {value!r}: write a whole number, such as {field.default}")
