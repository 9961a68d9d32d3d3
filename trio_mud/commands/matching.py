"""Short words for long names: which of these can the player mean?

Used for verbs and for the members of an enum; a world can use it for the names of its people and things.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile

# What the keyboards of phones and Macs, and the input methods of East Asia, make of the key of the apostrophe.
APOSTROPHES = "'\u2018\u2019\u201a\u201b\u02bc\u02b9`\u00b4\u2032\uff07"
QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02\u300c\u300e'
_PLAIN = str.maketrans(dict.fromkeys(APOSTROPHES, "'") | dict.fromkeys(QUOTES, '"'))


def matches(word: str, names: Iterable[str]) -> list[str]:
    """The names that `word` can stand for, in their order: the one it spells in full, or else all that begin with it.

    Case does not matter. An empty word stands for nothing.
    """
    short = word.casefold()
    if not short:
        return []
    beginnings = [name for name in names if name.casefold().startswith(short)]
    return [name for name in beginnings if name.casefold() == short] or beginnings


def listing(names: Sequence[str], last: str) -> str:
    """Names as a sentence has them: `a`, `a or b`, `a, b or c`, where `last` is the word before the last."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def plain_marks(line: str) -> str:
    """The line with the marks that it begins with as the keys of an ASCII keyboard: curly quotes, full-width colons."""
    marks = "".join(takewhile(lambda mark: mark in APOSTROPHES or not (mark.isalnum() or mark.isspace()), line))
    return unicodedata.normalize("NFKC", marks.translate(_PLAIN)) + line[len(marks) :]
