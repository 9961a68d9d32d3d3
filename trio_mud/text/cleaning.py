"""Cleaning: removes everything from a text that could control a terminal.

Used for player input and for text that a game writes as `str`; markup cleans its parts with it. It does not restrict
words, widths or names; the game does that.

It makes three passes, each linear in the length of the text. The first removes escape sequences whole, so that no part
of one ("[31m") remains. The second keeps harmless characters, replaces separators by a space, and drops the rest. So
the result is safe even if the first pass missed a sequence, and code points unknown to this Python are dropped. The
third limits the number of marks on one character.

Source: ECMA-48 5.4 (control sequences), 5.6 (control strings), ECMA-35 13.2 (two-byte escapes), 8.3 (SS2 and SS3);
function keys of xterm, rxvt and the Linux console; Unicode categories; Mud Sound Protocol 0.3
"""

import re
import unicodedata
from typing import Final

from wcwidth import wcwidth

# Each alternative is a sequence of disjoint classes with an optional end, so the pattern never backtracks. A control
# string ends at ST, or at BEL as in xterm; CAN, SUB, ESC and the end of the line abort it.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)(?:\[[!-~]?"  # F1 to F5 of the Linux console: CSI [ A
    r"|[0-9]\$"  # shifted keys of rxvt: CSI 3 $
    r"|[0-?]*[ -/]*[@-~]?)"  # CSI
    r"|(?:\x1b[NO]|[\x8e\x8f])[0-9;]*[!-~]?"  # SS2, SS3: F1 is SS3 P, in some programs SS3 5 P with Ctrl
    r"|(?:\x1b[P\]X^_]|[\x90\x9d\x98\x9e\x9f])[^\x07\x18\x1a\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?"  # DCS OSC SOS PM APC
    r"|\x1b[ -/]*[0-~]?"
)

# Spaces that `str.isprintable` counts as unprintable (category Zs), and the joiners, which emoji sequences and Persian
# spelling need. Other format characters (Cf) are dropped: bidi controls reorder other players' lines, and tags and
# zero-width characters hide text.
_SPACES: Final = frozenset("\u00a0\u1680\u202f\u205f\u3000").union(map(chr, range(0x2000, 0x200B)))
_JOINERS: Final = frozenset("\u200c\u200d")
_KEPT_IN_LINE: Final = _SPACES | _JOINERS | {"\t"}
_KEPT_IN_TEXT: Final = _KEPT_IN_LINE | {"\n"}

# Separators of words or lines: VT, FF, NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR.
_SEPARATORS: Final = dict.fromkeys(map(ord, "\v\f\x85\u2028\u2029"), " ")

# Marks and joiners on one character. Pointed and chanted Hebrew has four, a Tibetan stack seldom six; more than that
# is used to overflow into other lines.
MARKS: Final = 6
# Zero-width characters are not letters, except fillers and the vowels and finals of decomposed Hangul. So only runs
# without letters and spaces are suspect, and only those are checked character by character.
_SUSPECT: Final = re.compile(rf"(?:[^\w\s\0-\u02ff]|[\u1160-\u11ff\u3164\ud7b0-\ud7ff\uffa0]){{{MARKS + 1},}}")
_FAR: Final = re.compile(rf"[^\0-\u02ff]{{{MARKS + 1}}}")  # a run beyond Latin: a fast first check

# Text that a client may interpret as a sound trigger. The protocol requires it in capitals at the start of a line, but
# some clients accept it anywhere in any case. One ! is enough, because the previous output may end with another.
_TRIGGER: Final = re.compile(r"!(?=(?:SOUND|MUSIC)\()", re.IGNORECASE)


def clean_line(text: str) -> str:
    """Return one line of player input without control characters except tab, escape sequences and line breaks.

    Sound triggers are broken by a space, because some clients obey them without negotiation. It never raises, and
    takes time linear in the length of the text.
    """
    if not (text.isascii() and text.isprintable()):
        text = _clean(text, _KEPT_IN_LINE)
    return break_triggers(text)


def clean_text(text: str) -> str:
    """Return text of the game cleaned in the same way, but with its newlines and sound triggers.

    It never raises, and is fast for clean text, the common case.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _clean(text, _KEPT_IN_TEXT)


def exact(text: str) -> str:
    """Return a text as an exact `str`, not a subclass; no method of a subclass is called."""
    return str.__str__(text)


def break_triggers(text: str) -> str:
    """Insert a space into everything that a client could interpret as a sound trigger."""
    return _TRIGGER.sub("! ", text) if "!" in text else text


def triggers(text: str) -> list[int]:
    """Return the positions at which `break_triggers` inserts spaces."""
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
