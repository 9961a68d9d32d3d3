"""Cleaning: what is left of a text when it may no longer command a terminal.

Used for what players type and for what a game writes as `str`; markup cleans its parts with it.  It does not judge
words, widths or names: that is the game's.

Two passes, each over the text once.  The first swallows escape sequences whole, so that the tail of one ("[31m")
does not stay behind as litter.  The second keeps what is known to be harmless and drops the rest, so it is safe
whatever the first has missed: a code point that this Python does not know is dropped, too.

Source: ECMA-48 5.4 (control sequences), 5.6 (control strings), ECMA-35 13.2 (two-byte escapes); Unicode categories
"""

import re
from typing import Final

# Each alternative is a run of disjoint classes with an optional end, so nothing is ever matched twice.
# A control string ends at ST, or at BEL as in xterm; CAN, SUB and ESC break it off, and so does the end of the line.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|(?:\x1b[P\]X^_]|[\x90\x9d\x98\x9e\x9f])[^\x07\x18\x1a\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?"  # DCS OSC SOS PM APC
    r"|\x1b[ -/]*[0-~]?"
)

# Spaces that `str.isprintable` counts as unprintable (category Zs), and the joiners, without which a family of emoji
# falls apart and Persian is misspelt.  Other format characters (Cf) stay out: bidi controls reorder the lines of
# others, tags and zero-width ones hide text.
_SPACES: Final = frozenset("\u00a0\u1680\u202f\u205f\u3000").union(map(chr, range(0x2000, 0x200B)))
_JOINERS: Final = frozenset("\u200c\u200d")
_KEPT_IN_LINE: Final = _SPACES | _JOINERS | {"\t"}
_KEPT_IN_TEXT: Final = _KEPT_IN_LINE | {"\n"}


def clean_line(text: str) -> str:
    """Make one line of a player's input harmless: no control character but tab, no escape sequence, one line.

    Never raises, whatever the text; takes time linear in its length.
    """
    if text.isprintable():
        return text
    return _clean(text, _KEPT_IN_LINE)


def clean_text(text: str) -> str:
    """Make text of the game harmless in the same way, but let newlines stand.

    It does not raise and is fast for text that is clean already, as most is.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _clean(text, _KEPT_IN_TEXT)


def _clean(text: str, kept: frozenset[str]) -> str:
    if "\x1b" in text or not text.isascii():
        text = _ESCAPES.sub("", text)
    return "".join([character for character in text if character.isprintable() or character in kept])
