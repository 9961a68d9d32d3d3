"""Rendering: converts a text for one kind of client.

This is the last check before output. The result contains no control character except newline and tab, and no escape
that this package did not make. For clients that interpret them, it contains no tag and no sound typed by a player.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from .cleaning import break_triggers, clean_text, triggers
from .edits import Edit, edit_spans, edit_text
from .links import escape_mxp
from .markup import Markup, Span, Text
from .styles import PLAIN, RESET, Style
from .transliteration import transliterate
from .wrapping import breaks


class Rendering(NamedTuple):
    """A kind of client. Clients with equal renderings can share rendered text, so it is used as a key."""

    colours: int = 0  # 0 for none, 8, 16, 256 or 1 << 24; numbers between count as the lower one
    width: int | None = None  # columns of a line; None if the client wraps
    links: bool = False  # OSC 8
    mxp: bool = False  # agreed, and locked to mode 5 (open), in which < and & must be escaped
    sounds: bool = False  # MSP is agreed
    charset: str = "utf-8"  # a Python codec; what it lacks is transliterated


DEAFEST: Final = Rendering()


def render(text: Text, rendering: Rendering | int = DEAFEST) -> str:
    """Convert text to a `str` that may be sent to a client.

    The only control characters in the result are newline, tab and, if the client supports them, escapes for the
    colours, styles and links of markup. Each escape is closed at the end and before each newline.

    Args:
        text: A str, which is cleaned, or Markup, which is clean.
        rendering: The kind of client; a number means a client with that many colours and nothing else.
    """
    if isinstance(text, str) and text.isascii() and text.isprintable():  # the common case, which needs no changes
        if isinstance(rendering, int):
            return text
        if not rendering.mxp and not rendering.sounds and (rendering.width is None or len(text) <= rendering.width):
            return text
    if isinstance(rendering, int):
        rendering = Rendering(rendering)
    return _render_str(text, rendering) if isinstance(text, str) else _render_markup(text, rendering)


def _render_str(text: str, rendering: Rendering) -> str:
    text = transliterate(clean_text(text), rendering.charset)
    if rendering.sounds:
        text = break_triggers(text)
    if rendering.width is not None:
        text = edit_text(text, breaks(text, rendering.width))
    return escape_mxp(text) if rendering.mxp else text


def _render_markup(text: Markup, rendering: Rendering) -> str:
    colours, width, links, mxp, sounds, charset = rendering
    spans: Sequence[Span] = text.spans
    if not (links or mxp):
        spans = _with_addresses(spans)
    if charset != "utf-8":
        spans = [(transliterate(piece, charset), style) for piece, style in spans]
    if sounds:
        spans = edit_spans(spans, [Edit(at, at, " ") for at in triggers(_plain(spans))])
    if width is not None:
        edits = breaks(_plain(spans), width)
        spans = edit_spans(spans, edits) if edits else spans
    if mxp:
        spans = [(escape_mxp(piece), style) for piece, style in spans]
    played = [f"{escape_mxp(trigger) if mxp else trigger}\n" for trigger in text.sounds] if sounds else []
    if colours < 8 and not (links or mxp):
        return "".join(played) + _plain(spans)
    return "".join(
        [*played, *[_styled(piece, style, rendering) if style is not PLAIN else piece for piece, style in spans]]
    )


def _styled(text: str, style: Style, rendering: Rendering) -> str:
    """Switch a style on and off in each line separately, so that text in between is not styled."""
    before = style.escape(rendering.colours)
    after = RESET if before else ""
    if style.link is not None and (rendering.links or rendering.mxp):
        opened, closed = style.link.osc8 if rendering.links else style.link.mxp
        before, after = opened + before, after + closed
    if not before:
        return text
    if "\n" not in text:
        return f"{before}{text}{after}"
    return "\n".join([f"{before}{line}{after}" if line else "" for line in text.split("\n")])


def _with_addresses(spans: Sequence[Span]) -> Sequence[Span]:
    """Show the address of each web link whose text does not contain it, as text in the style around it."""
    if not [True for _, style in spans if style.link is not None]:
        return spans
    shown: list[Span] = []
    for link, linked in groupby(spans, lambda span: span[1].link):
        run = list(linked)
        shown += run
        if link is not None and link.address and link.address not in _plain(run):
            shown.append((f" ({link.address})", PLAIN))
    return [(_plain(run), looks) for looks, run in groupby(shown, _looks)]


def _looks(span: Span) -> Style:
    """Return the style of a span in clients without links."""
    style = span[1] if span[1].link is None else span[1]._replace(link=None)
    return PLAIN if style == PLAIN else style


def _plain(spans: Iterable[Span]) -> str:
    return "".join([text for text, _ in spans])
