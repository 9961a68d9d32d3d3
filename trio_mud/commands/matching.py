"""Matching of abbreviations to names.

Used for verbs and for members of an enum; a world can use it for the names of its characters and things.
"""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile

LONGEST_MISSPELT = 20  # characters; comparing takes time

APOSTROPHES = "'\u2018\u2019\u201a\u201b\u02bc\u02b9`\u00b4\u2032\uff07"
"""The characters that phones, Macs and East Asian input methods produce for the apostrophe key."""
QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02\u300c\u300e'
_PLAIN_QUOTES = str.maketrans(dict.fromkeys(QUOTES, '"'))
_PLAIN = str.maketrans(dict.fromkeys(APOSTROPHES, "'") | dict.fromkeys(QUOTES, '"'))


def matches(word: str, names: Iterable[str]) -> list[str]:
    """Return the names that `word` matches, in order: the one spelt in full, or else all that begin with it.

    Case is ignored. An empty word matches nothing.
    """
    short = word.casefold()
    if not short:
        return []
    beginnings = [name for name in names if name.casefold().startswith(short)]
    return [name for name in beginnings if name.casefold() == short] or beginnings


def listing(names: Sequence[str], last: str) -> str:
    """Join names as in a sentence: `a`, `a or b`, `a, b or c`; `last` is the word before the last name."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def plain_quotes(line: str) -> str:
    """Replace every double quote by its ASCII form; the length stays the same."""
    return line.translate(_PLAIN_QUOTES)


def similar(word: str, names: Iterable[str]) -> list[str]:
    """Return up to three names that `word` may be a misspelling of, the most similar first."""
    if len(word) > LONGEST_MISSPELT:
        return []
    return difflib.get_close_matches(word.casefold(), list(names), cutoff=0.7)


def plain_marks(line: str) -> str:
    """Replace leading punctuation by its ASCII form: curly quotes and full-width colons become plain ones."""
    marks = "".join(takewhile(lambda mark: mark in APOSTROPHES or not (mark.isalnum() or mark.isspace()), line))
    return unicodedata.normalize("NFKC", marks.translate(_PLAIN)) + line[len(marks) :]
