"""The lines of a TOML file at which its keys stand; Python's parser does not report them.

Used by `sources`, for error texts and for `trio-mud config`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

__all__ = ["lines_of"]

MOST_LINES = 200  # of one value; the keys after a longer one get no line


def lines_of(text: str) -> dict[str, int]:
    """Return the first line of each key of a TOML text that is valid, with its tables: `{"limits.max_line": 3}`.

    A statement ends with a line, and no proper part of it that ends with a line is valid: so each statement is parsed
    by itself, below the header of its table.
    """
    found: dict[str, int] = {}
    header, statement, first = "", "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        if not statement:
            first = number
        statement += line + "\n"
        try:
            table = tomllib.loads(header + statement)
        except (tomllib.TOMLDecodeError, RecursionError):
            if number - first >= MOST_LINES:
                break
            continue
        if statement.lstrip().startswith("["):
            header = statement
        for key in _keys(table):
            found.setdefault(key, first)
        statement = ""
    return found


def _keys(table: Mapping[str, object], above: str = "") -> Iterator[str]:
    """Yield the keys of a table and of the tables in it."""
    for name, value in table.items():
        yield above + name
        if isinstance(value, dict):
            yield from _keys(value, f"{above}{name}.")
