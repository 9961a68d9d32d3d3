"""Text for players: what is plain, what is markup, and how both become what a client shows.

A `str` is plain text, always: no part of it can become an escape, a colour, a tag or a sound.  Markup is a type of
its own.  Charset and line ends are the telnet engine's.

    cleaning    what players type, and every str
    markup      templates, links; styles, colours, links and sounds are what it is made of
    wrapping    lines that fit a window; edits are how
    paging      pages that do
    transliteration   what a client's charset lacks
    rendering   the last step: a text as one kind of client reads it
"""

from .cleaning import clean_line, clean_text
from .markup import Markup, Text, join, link, markup
from .paging import pages
from .rendering import Rendering, render
from .sounds import music, sound
from .wrapping import wrap

__all__ = [
    "Markup",
    "Rendering",
    "Text",
    "clean_line",
    "clean_text",
    "join",
    "link",
    "markup",
    "music",
    "pages",
    "render",
    "sound",
    "wrap",
]
