"""Text for players: cleaning, markup, wrapping and rendering for each client.

A `str` is always plain text: no part of it can become an escape, a colour, a tag or a sound. Markup is a separate
type. Encoding and line endings are handled by the telnet engine.

    cleaning    removes control characters from player input and from every str
    markup      templates and links; based on styles, colours, links and sounds
    wrapping    breaks lines to the width of a window, as a list of edits
    paging      splits text into pages that fit a window
    transliteration   replaces characters that a client's charset lacks
    rendering   the last step: converts text for one kind of client
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
