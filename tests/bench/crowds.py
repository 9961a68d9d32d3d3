"""Crowds: the cost of a long line to many players, each with another window size.

Two figures, each with a bound (`bounds.py` checks them):

- CPU of rendering a line of 4 KiB for one window of sixty, by kind of text.
- CPU of a server for one such line to sixty players, up to the bytes in their sockets, with the window widths of
  `WINDOWS`.

Both run in this process.
"""

from __future__ import annotations

import logging
import time
from functools import partial

import trio
import trio.testing

from tests.bench.bounds import BoundRow
from trio_mud import Hooks, Input, Limits, markup
from trio_mud.testing import open_mud
from trio_mud.text import Rendering, render

SIZE = 4096  # bytes of a line
CROWD = 60
WINDOWS = 40  # different widths
NARROWEST = 60  # columns

MOST_RENDERING = 1.5  # ms
MOST_CROWD = 30.0  # ms

PIECES = {
    "words in ASCII": "look at me ",
    "one word in ASCII": "a",
    "ideographs": "\u6f22",
    "tabs and Greek": "\t\u03b1",
    "tabs and ASCII": "\ta",
    "Korean": "\ud55c\uad6d\uc5b4 ",
    "flags": "\U0001f1e9\U0001f1ea",
    "marks": "e\u0301\u0301 ",
}


def line_of(piece: str) -> str:
    """4 KiB of it."""
    return (piece * SIZE).encode()[:SIZE].decode(errors="ignore")


def rendering(piece: str) -> float:
    """Milliseconds of CPU for one window."""
    text = markup('<b>{name}</b> says, "<green>{words}</green>"', name="Ann", words=line_of(piece))
    began = time.process_time()
    for width in range(NARROWEST, NARROWEST + CROWD):
        render(text, Rendering(16, width))
    return 1e3 * (time.process_time() - began) / CROWD


def crowd(piece: str) -> float:
    """Return milliseconds of CPU for all receivers of one line."""
    return trio.run(partial(_crowd, line_of(piece)))


async def _crowd(words: str) -> float:
    logging.getLogger("trio_mud").setLevel(logging.ERROR)
    took: list[float] = []
    hooks = Hooks()

    @hooks.on(Input)
    def say(event: Input) -> None:
        server = event.connection.server
        began = time.process_time()
        text = markup('<b>{name}</b> says, "<green>{words}</green>"', name="Ann", words=words)
        for listener in server.connections:
            listener.write(text)
        server._host.flush()
        took.append(1e3 * (time.process_time() - began))

    async with open_mud(hooks, limits=Limits(first_input_timeout=None)) as place:
        players = [await place.player(columns=NARROWEST + number % WINDOWS, rows=24) for number in range(CROWD)]
        for _ in range(3):
            await players[0].type("say it")
            await trio.testing.wait_all_tasks_blocked()
    return min(took)


ROWS = [
    *[
        BoundRow(
            f"rendering of {name}, 4 KiB for one of {CROWD} windows",
            "ms CPU",
            MOST_RENDERING,
            partial(rendering, piece),
        )
        for name, piece in PIECES.items()
    ],
    *[
        BoundRow(
            f"4 KiB of {name}, heard by {CROWD} in {WINDOWS} kinds of windows",
            "ms CPU",
            MOST_CROWD,
            partial(crowd, piece),
        )
        for name, piece in PIECES.items()
        if name in ("words in ASCII", "ideographs", "tabs and Greek")
    ],
]
