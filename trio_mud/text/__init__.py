"""Text for players: what is plain, what is markup, and how both become what a terminal shows.

A `str` is plain text, always: no part of it can become an escape or a colour.  Markup is a type of its own.
Imports nothing but the standard library.  Charset and line ends are the telnet engine's; wrapping is not done here.
"""

from .cleaning import clean_line, clean_text
from .markup import Markup, markup

Text = str | Markup


def render(text: Text, colours: int) -> str:
    """Turn text into what may be sent to a terminal that shows this many colours.

    The only control characters in the result are newline, tab and, in markup with at least 8 colours, the escapes
    that switch colour and style, each switched off again.

    Args:
        text: A str, which is cleaned, or Markup, which is clean.
        colours: 0 for none, 8, 16, 256 or 1 << 24; numbers between count as the lower one.
    """
    if isinstance(text, str):
        return text if text.isprintable() else clean_text(text)
    return text.render(colours)


__all__ = ["Markup", "Text", "clean_line", "clean_text", "markup", "render"]
