"""The picture of a terminal in the README: a session in the bundled world, played in virtual time.

    python -m tests.docs.terminal            fail if the picture is out of date
    python -m tests.docs.terminal --write    draw it

Used by `test_terminal.py`, which compares.
"""

from __future__ import annotations

import argparse
import re
import sys
from html import escape

import trio
import trio.testing

from trio_mud.mudlib import world
from trio_mud.testing import open_mud

from .pages import DOCS

PICTURE = DOCS / "terminal.svg"
TYPED = ("Ann", "north", "say good evening, Bob", "look bob", "quit")
TERMINAL = ("MUDLET", "XTERM-256COLOR", "MTTS 13")

COLUMN, ROW, MARGIN = 8.43, 20, 16  # pixels
PAPER, INK = "#16191d", "#d0d4d8"
DIM = ["#555", "#d9534f", "#5fb35f", "#c9a227", "#5b8fd6", "#b278c9", "#4fb0b0", "#ddd"]
BRIGHT = ["#888", "#ff7a70", "#86dd86", "#f2cf5b", "#86b4f5", "#d6a1ea", "#7fdcdc", "#fff"]
COLOURS = {first + n: colour for first, row in ((30, DIM), (90, BRIGHT)) for n, colour in enumerate(row)}  # by SGR
SGR = re.compile(r"\x1b\[([\d;]*)m")


async def play() -> str:
    """Return the input and output of one player, with the colours as escape sequences."""
    async with open_mud(world) as valley:
        bob = await valley.player()
        await bob.type("Bob", "north")
        ann = await valley.player(terminal=TERMINAL, columns=78, rows=40)
        shown = await ann.catches_up()
        for line in TYPED:
            await trio.sleep(2)
            await ann.type(line)
            shown += f"\x1b[97m{line}\x1b[0m\n{await ann.catches_up()}"
        return shown.strip("\n")


def draw(shown: str) -> str:
    """An SVG with one line of text for each row of the terminal."""
    rows = shown.split("\n")
    width = round(80 * COLUMN + 2 * MARGIN)
    height = len(rows) * ROW + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<title>A terminal in which a player visits the bundled world</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="{INK}" xml:space="preserve">',
    ]
    style = ""
    for number, row in enumerate(rows, 1):
        spans, style = _spans(row, style)
        lines.append(f'<text x="{MARGIN}" y="{number * ROW + MARGIN - 5}">{spans}</text>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _spans(row: str, style: str) -> tuple[str, str]:
    """A row as spans; `style` goes from one row to the next."""
    spans = ""
    for number, part in enumerate(SGR.split(row)):
        if number % 2:
            style = _style(part)
        elif part:
            spans += f"<tspan{style}>{escape(part)}</tspan>"
    return spans, style


def _style(sequence: str) -> str:
    style = ""
    for number in map(int, filter(None, sequence.split(";"))):
        if number == 1:
            style += ' font-weight="bold"'
        elif number in COLOURS:
            style += f' fill="{COLOURS[number]}"'
    return style


def picture() -> str:
    """The picture as it should be now."""
    return draw(trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0)))


def main() -> None:
    """Draw the picture, or fail if it is out of date."""
    parser = argparse.ArgumentParser(description="The picture of a terminal in the README.")
    parser.add_argument("--write", action="store_true", help="draw it")
    if parser.parse_args().write:
        PICTURE.write_text(picture(), encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture():
        sys.exit(f"{PICTURE.name} is out of date: python -m tests.docs.terminal --write draws it")


if __name__ == "__main__":
    main()
