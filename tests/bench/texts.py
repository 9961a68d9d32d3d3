"""The bounds of cleaning and wrapping for the most expensive texts: CPU for each KiB of a long line."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from tests.bench.bounds import BoundRow
from trio_mud.text import Rendering, clean_line, markup, render, wrap, wrapping

KIB = 1024  # characters
REPETITIONS = 3
CLEANED, WRAPPED = 300_000, 8_000  # characters; a cost that grows with the square is seen at once
MOST_CLEANING, MOST_WRAPPING = 2.0, 25.0  # ms
UNFINISHED = ("\x1b", "\x1b[", "\x1b]", "\x1b[0", "\x1bP\x1b", "\x9b1;", "\x1b ", "\x9d;", "[ ", "\u0301", "!", "─")
CLUSTERS = ("a", "a ", " ", "河", "「a", "。", "🇩", "👩\u200d", "\u0301", "\u200d", "\t", "e\u0301 ", "\u1161", "! ")


def dearest(work: Callable[[str], object], pieces: tuple[str, ...], size: int) -> float:
    """Return the cost of the most expensive of these, repeated to a line of that size: ms of CPU per KiB."""
    costs = []
    for piece in pieces:
        text, best = piece * (size // len(piece)), float("inf")
        for _ in range(REPETITIONS):
            wrapping._measured.cache_clear()
            began = time.process_time()
            work(text)
            best = min(best, time.process_time() - began)
        costs.append(best / (len(text) / KIB))
    return 1e3 * max(costs)


def wrap_and_render(width: int, text: str) -> None:
    wrap(text, width)
    render(markup("<b>{x}</b>", x=text), Rendering(8, width, mxp=True, sounds=True))


ROWS = [
    BoundRow(
        "cleaning of the dearest of long lines",
        "ms CPU / KiB",
        MOST_CLEANING,
        partial(dearest, clean_line, UNFINISHED, CLEANED),
    ),
    *[
        BoundRow(
            f"wrapping of the dearest of long lines for {width} columns",
            "ms CPU / KiB",
            MOST_WRAPPING,
            partial(dearest, partial(wrap_and_render, width), CLUSTERS, WRAPPED),
        )
        for width in (1, 80)
    ],
]
