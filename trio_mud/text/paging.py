"""Paging: splits a long text into pages that fit a window. The game asks the player to turn them."""

from .markup import Markup, Span, Text, markup
from .styles import PLAIN
from .wrapping import wrap


def pages(text: Text, columns: int | None, rows: int) -> list[Markup]:
    """Split a text into pages, wrapped to a window. Each page leaves one row for the question after it.

    In a dialog::

        for page in pages(book, connection.client.rendering.width, connection.client.size.rows):
            connection.write(page)
            if await dialog.ask("-- more --") == "q":
                break

    Args:
        text: The text. Blank lines at its end are dropped.
        columns: The width the text will be rendered with, so that it is not wrapped twice; None for no limit.
        rows: The height of the window.

    Returns:
        At least one page. Sounds play with the first.
    """
    whole = wrap(markup("{text}", text=text), columns)
    lines = _lines(whole)
    while len(lines) > 1 and not lines[-1]:
        del lines[-1]
    height = max(rows - 1, 1)
    found = [_page(lines[at : at + height]) for at in range(0, len(lines), height)]
    return [Markup(found[0].spans, whole.sounds), *found[1:]]


def _lines(text: Markup) -> list[list[Span]]:
    lines: list[list[Span]] = [[]]
    for piece, style in text.spans:
        first, *others = piece.split("\n")
        lines[-1] += [(first, style)] if first else []
        lines += [[(other, style)] if other else [] for other in others]
    return lines


def _page(lines: list[list[Span]]) -> Markup:
    """Join lines to one text."""
    page = list(lines[0])
    for line in lines[1:]:
        page += [("\n", PLAIN), *line]
    return Markup(tuple(page))
