"""Cleaning: what is left of a text when it may no longer command a terminal.

Used for what players type and for what a game writes as `str`; markup cleans its parts with it.  It does not judge
words, widths or names: that is the game's.

Three passes, each over the text once.  The first swallows escape sequences whole, so that the tail of one ("[31m")
does not stay behind as litter.  The second keeps what is known to be harmless, puts a space for what separates words,
and drops the rest, so it is safe whatever the first has missed: a code point that this Python does not know is
dropped, too.  The third bounds what is piled upon one character.

Source: ECMA-48 5.4 (control sequences), 5.6 (control strings), ECMA-35 13.2 (two-byte escapes), 8.3 (SS2 and SS3);
function keys of xterm, rxvt and the Linux console; Unicode categories; Mud Sound Protocol 0.3
"""

import re
import unicodedata
from typing import Final

from wcwidth import wcwidth

# Each alternative is a run of disjoint classes with an optional end, so nothing is ever matched twice.
# A control string ends at ST, or at BEL as in xterm; CAN, SUB and ESC break it off, and so does the end of the line.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)(?:\[[!-~]?"  # F1 to F5 of the Linux console: CSI [ A
    r"|[0-9]\$"  # shifted keys of rxvt: CSI 3 $
    r"|[0-?]*[ -/]*[@-~]?)"  # CSI
    r"|(?:\x1b[NO]|[\x8e\x8f])[0-9;]*[!-~]?"  # SS2, SS3: F1 is SS3 P, in some programs SS3 5 P with Ctrl
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

# What separates words or lines: VT, FF, NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR.
_SEPARATORS: Final = dict.fromkeys(map(ord, "\v\f\x85\u2028\u2029"), " ")

# Marks and joiners upon one character.  Pointed and chanted Hebrew has four, a Tibetan stack seldom six; what has
# more is meant to run over the lines of others.
MARKS: Final = 6
# Whatever takes no width is no letter, but for fillers and the vowels and finals of decomposed Hangul.  So a run
# without letters and spaces is suspect, and only suspects are looked at one by one.
_SUSPECT: Final = re.compile(rf"(?:[^\w\s\0-\u02ff]|[\u1160-\u11ff\u3164\ud7b0-\ud7ff\uffa0]){{{MARKS + 1},}}")
_FAR: Final = re.compile(rf"[^\0-\u02ff]{{{MARKS + 1}}}")  # a run beyond Latin: quickly found out for most texts

# What a client takes for a sound to play.  The protocol wants it at the start of a line and in capitals, some clients
# want neither.  One ! is enough, for another may be at the end of what was sent before.
_TRIGGER: Final = re.compile(r"!(?=(?:SOUND|MUSIC)\()", re.IGNORECASE)


def clean_line(text: str) -> str:
    """Make one line of a player's input harmless: no control character but tab, no escape sequence, one line.

    Sound triggers are broken by a space, for some clients obey them without having agreed to anything.
    Never raises, whatever the text; takes time linear in its length.
    """
    if not (text.isascii() and text.isprintable()):
        text = _clean(text, _KEPT_IN_LINE)
    return break_triggers(text)


def clean_text(text: str) -> str:
    """Make text of the game harmless in the same way, but let newlines and sound triggers stand.

    It does not raise and is fast for text that is clean already, as most is.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _clean(text, _KEPT_IN_TEXT)


def exact(text: str) -> str:
    """Return a text as a `str` and no subclass of it; none of the methods of a subclass is called."""
    return str.__str__(text)


def break_triggers(text: str) -> str:
    """Put a space into everything that a client could take for a sound to play."""
    return _TRIGGER.sub("! ", text) if "!" in text else text


def triggers(text: str) -> list[int]:
    """Where the spaces go that `break_triggers` puts in."""
    return [match.end() for match in _TRIGGER.finditer(text)] if "!" in text else []


def _clean(text: str, kept: frozenset[str]) -> str:
    if not text.isprintable():
        if "\x1b" in text or not text.isascii():
            text = _ESCAPES.sub("", text)
        text = text.translate(_SEPARATORS)
        text = "".join([character for character in text if character.isprintable() or character in kept])
    return _SUSPECT.sub(_without_piles, text) if _FAR.search(text) else text


def _without_piles(suspect: re.Match[str]) -> str:
    run, left, piled = suspect[0], [], 0
    upon_another = {each for each in set(run) if wcwidth(each) == 0 or unicodedata.category(each)[0] == "M"}
    if not upon_another:
        return run
    for character in run:
        piled = piled + 1 if character in upon_another else 0
        if piled <= MARKS:
            left.append(character)
    return "".join(left)
