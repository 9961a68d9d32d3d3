"""Curves as SVG, for the pages on performance: drawn from JSON, so that they can be drawn again.

    python tests/bench/figures.py docs/topics/figures/growth.json

The colours are mid-tones that stand out from a white page and from a nearly black one, and nothing is filled behind
them. So one file serves both themes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 76, 130, 44, 56  # pixels around the plot
INK, GRID = "#80858c", "#80858c"
COLOURS = {
    "driver": "#d9672f",
    "trio": "#3f8fd6",
    "asyncio": "#4d9e57",
    "uvloop": "#a678cf",
    "twisted": "#b58a1c",
    "telnetlib3": "#d0628f",
}
ELSE = "#80858c"

Curve = Sequence[tuple[float, float]]


class Picture(NamedTuple):
    """One picture: a curve for each server."""

    name: str  # of the file
    title: str
    across: str  # what lies on the axis, with its unit
    up: str
    curves: Mapping[str, Curve]


def svg(figure: Picture) -> str:
    """The picture; across it is logarithmic, up it begins at nothing."""
    points = [point for curve in figure.curves.values() for point in curve]
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    ticks = nice(max(y for _, y in points))
    top = ticks[-1]
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        share = math.log(x / least) / math.log(most / least) if most > least else 0.5
        return LEFT + wide * share, TOP + high * (1 - y / top)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(figure.title)}</title>",
        _text(LEFT, 24, figure.title, size=15, weight=600),
        _text(LEFT + wide / 2, HEIGHT - 12, figure.across, anchor="middle"),
        f'<g transform="translate(18 {TOP + high / 2}) rotate(-90)">{_text(0, 0, figure.up, anchor="middle")}</g>',
    ]
    for tick in ticks:
        _, y = at(least, tick)
        lines.append(_line((LEFT, y), (LEFT + wide, y), GRID, 1 if tick == 0 else 0.35))
        lines.append(_text(LEFT - 8, y + 4, f"{tick:,g}", anchor="end"))
    for x_value in steps(least, most):
        x, _ = at(x_value, 0)
        lines.append(_line((x, TOP + high), (x, TOP + high + 5), INK, 1))
        lines.append(_text(x, TOP + high + 20, f"{x_value:,g}", anchor="middle"))
    ends: list[float] = []
    for name, curve in sorted(figure.curves.items(), key=lambda item: -item[1][-1][1]):
        colour = COLOURS.get(name, ELSE)
        places = [at(x, y) for x, y in sorted(curve)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        label = max(places[-1][1] + 4, ends[-1] + 17) if ends else places[-1][1] + 4  # none over another
        ends.append(label)
        lines.append(_text(LEFT + wide + 12, label, name, colour=colour, weight=600))
    return "\n".join([*lines, "</svg>\n"])


def nice(most: float) -> list[float]:
    """Four to six round numbers from nothing to a little above `most`."""
    if most <= 0:
        return [0, 1]
    rough = most / 5
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    return [round(step * number, 10) for number in range(math.ceil(most / step * 0.999) + 1)]


def steps(least: float, most: float) -> list[float]:
    """Powers of ten within, and the ends where they are far enough from those."""
    powers = [10.0**power for power in range(math.ceil(math.log10(least)), math.floor(math.log10(most)) + 1)]
    ends = [end for end in (least, most) if all(abs(math.log10(end / power)) > 0.2 for power in powers)]
    return sorted({*powers, *ends})


def draw(path: Path) -> list[Path]:
    """Draw each figure of the JSON file at `path` beside it."""
    drawn = []
    for name, told in json.loads(path.read_text(encoding="utf-8"))["figures"].items():
        curves = {server: [(x, y) for x, y in curve] for server, curve in told["curves"].items() if curve}
        if curves:
            drawn.append(path.parent / f"{name}.svg")
            picture = svg(Picture(name, told["title"], told["across"], told["up"], curves))
            drawn[-1].write_text(picture, encoding="utf-8")
    return drawn


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: int = 400, colour: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}">{escape(text)}</text>'
    )


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, opacity: float) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-opacity="{opacity}"/>'
    )


if __name__ == "__main__":
    for each in draw(Path(sys.argv[1])):
        print(each)
