"""A suggestion for a name that does not exist.

Used for commands of the program, for keys of the configuration, of maps and of the benchmark's scripts, for names of
a module, and for attributes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest", "nearest_names"]


def nearest_names(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Return at most `count` of the known names, those most similar to `name` first; none if none is similar."""
    return difflib.get_close_matches(name, list(known), n=count)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x' or 'y'?` for the known names most similar to `name`, or "" without any."""
    close = nearest_names(name, known, 2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
