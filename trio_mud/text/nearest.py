"""A suggestion for a name that does not exist.

Used by the configuration and the benchmark's scripts, for keys, and by the loader, for names of a module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x' or 'y'?` for the known names most similar to `name`, or "" without any."""
    close = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
