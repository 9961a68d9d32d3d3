"""Figures that must hold: a table of rows, each measured and compared with its bound.

    python tests/bench/run.py --bounds                 all rows
    python tests/bench/run.py --bounds NAW,typist      the rows whose names contain one of these

The exit status is 1 if a figure exceeds its bound. A figure is measured up to three times until it holds, because a
busy machine only ever makes it larger.
To add rows, write a module with a list `ROWS` and name it in `run.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

ATTEMPTS = 3


class BoundRow(NamedTuple):
    """One figure and its bound."""

    name: str
    unit: str
    most: float
    measure: Callable[[], float]


def check(rows: Iterable[BoundRow], say: Callable[[str], None]) -> bool:
    """Measure the rows one by one; return whether every figure is within its bound."""
    holds = True
    say("| what | figure | at most | unit | |\n|---|---|---|---|---|")
    for row in rows:
        figure = row.measure()
        for _ in range(ATTEMPTS - 1):
            if figure > row.most:
                figure = min(figure, row.measure())
        verdict = "" if figure <= row.most else "**exceeded**"
        say(f"| {row.name} | {figure:.3g} | {row.most:g} | {row.unit} | {verdict} |")
        holds = holds and not verdict
    return holds


def chosen(rows: Iterable[BoundRow], words: str) -> list[BoundRow]:
    """Return the rows whose names contain one of the comma-separated words; all if there are none."""
    wanted = [word for word in words.split(",") if word]
    return [row for row in rows if not wanted or any(word in row.name for word in wanted)]
