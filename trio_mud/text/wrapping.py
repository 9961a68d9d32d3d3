"""Wrapping: breaks lines to the width of a window.

A line is broken at spaces, and between the characters of Chinese and Japanese, which use no spaces; a word longer than
a line is cut. The author's newlines are kept, and so is the indentation of a line, which its continuation lines share.
Only spaces at a break are removed.

The width of a character is wcwidth's width of its grapheme cluster: an emoji sequence takes two columns. Clusters are
measured one by one, because wcwidth 0.9.4 takes quadratic time for a run of flags (12 s for 100,000).

The time is linear in the length of the text. A line of narrow text is not examined character by character, and any
other line is measured once, even if it is wrapped for several windows.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple, overload

from wcwidth import iter_graphemes, wcswidth, wcwidth

from .cleaning import clean_text
from .edits import Edit, edit_spans, edit_text
from .markup import Markup, Text

TAB: Final = 8  # columns
LONGEST_MEASURED: Final = 8192  # characters of a line that is cached; its 4096 words take 650 KiB
_ONE_TAB: Final = -1  # stands for the columns of a gap
_SOME_TABS: Final = -2

# Text in which every character takes one column and lines are broken at spaces only, the common case.
_NARROW: Final = re.compile(
    "[ -~\u00a0-\u02ff\u0370-\u0482\u048a-\u0530\u2010-\u2015\u2018-\u201f\u2026\u20ac\u2500-\u259f]*"
)

# Spaces at which a line may be broken: all except 00a0, 2007 and 202f, which forbid it.
_BLANK: Final = " \\t\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u205f\\u3000"
# Characters between which a line may be broken: ideographs, kana, full-width forms. Not Hangul: Korean uses spaces.
_IDEOGRAPH: Final = (
    "\\u2e80-\\u2fdf\\u3005-\\u3007\\u3021-\\u3029\\u3040-\\u312f\\u3190-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff"
    "\\uff01-\\uff07\\uff09-\\uff3a\\uff3c-\\uff5a\\uff5c-\\uff5e\\uff65-\\uff9f\\U00020000-\\U0003fffd"
)
_OPENING: Final = "\\u3008\\u300a\\u300c\\u300e\\u3010\\u3014\\u3016\\uff08\\uff3b\\uff5b\\uff5f"
# Characters that may not begin a line: marks of any kind, closing brackets, stops, small kana.
_FOLLOWING: Final = (
    "\\u0300-\\u036f\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u200c\\u200d\\u20d0-\\u20ff\\ufe00-\\ufe0f\\ufe20-\\ufe2f"
    "\\U000e0100-\\U000e01ef\\u2025\\u2026\\u3001\\u3002\\u3005\\u3009\\u300b\\u300d\\u300f\\u3011\\u3015\\u3017\\u3041"
    "\\u3043\\u3045\\u3047\\u3049\\u3063\\u3083\\u3085\\u3087\\u308e\\u3099\\u309a\\u309d\\u309e\\u30a1\\u30a3\\u30a5\\u30a7"
    "\\u30a9\\u30c3\\u30e3\\u30e5\\u30e7\\u30ee\\u30fb-\\u30fe\\uff01\\uff05\\uff09\\uff0c\\uff0e\\uff1a\\uff1b\\uff1f\\uff3d"
    "\\uff5d\\uff60"
)
_BLANKS: Final = re.compile(f"[{_BLANK}]*")
_WORD: Final = re.compile(
    f"[{_OPENING}]*[{_IDEOGRAPH}][{_FOLLOWING}]*|[{_OPENING}]*[^{_BLANK}{_IDEOGRAPH}{_OPENING}]+|[{_OPENING}]+"
)


@overload
def wrap(text: str, width: int | None, *, hanging: int = 0) -> str: ...


@overload
def wrap(text: Markup, width: int | None, *, hanging: int = 0) -> Markup: ...


def wrap(text: Text, width: int | None, *, hanging: int = 0) -> Text:
    """Break the lines of a text that are wider than `width`.

    `render` does this for every text; call it directly for a hanging indentation.

    Args:
        text: A str, which is cleaned, or Markup, which keeps its styles.
        width: In columns; None for no wrapping. A wider character is put on a line of its own.
        hanging: Additional indentation of continuation lines, in columns.
    """
    if isinstance(text, str):
        text = clean_text(text)
        return text if width is None else edit_text(text, breaks(text, width, hanging))
    if width is None:
        return text
    edits = breaks(text.plain, width, hanging)
    return Markup(tuple(edit_spans(text.spans, edits)), text.sounds) if edits else text


def breaks(text: str, width: int, hanging: int = 0) -> list[Edit]:
    """Return the edits that wrap a clean text."""
    width = max(width, 1)
    if len(text) <= width and text.isascii() and text.isprintable():
        return []
    edits: list[Edit] = []
    begin = 0
    for line in text.split("\n"):
        if _NARROW.fullmatch(line):
            if len(line) > width:
                edits += _break_narrow(line, begin, width, hanging)
        elif not _fits(line, width):
            edits += _break_any(line, begin, width, hanging)
        begin += len(line) + 1
    return edits


def _break_narrow(line: str, begin: int, width: int, hanging: int) -> Iterator[Edit]:
    """Break a line of narrow text by searching backwards from its maximum end: a few steps per line."""
    end, at = len(line), len(line) - len(line.lstrip(" "))
    if at == end:
        yield Edit(begin + width, begin + end, "")
        return
    indent = min(at, _deepest(width))
    if indent < at:
        yield Edit(begin + indent, begin + at, "")
    following = min(indent + hanging, _deepest(width))
    room = width - indent
    while end - at > room:
        space = line.rfind(" ", at, at + room + 1)
        if space < 0:  # a word longer than a line
            at += room
            yield Edit(begin + at, begin + at, "\n" + " " * following)
        else:
            word_ends = at + len(line[at:space].rstrip(" "))
            word_begins = _end_of_blanks(line, space)
            if word_begins == end:
                yield Edit(begin + at + room, begin + end, "")
                return
            yield Edit(begin + word_ends, begin + word_begins, "\n" + " " * following)
            at = word_begins
        room = width - following


def _break_any(line: str, begin: int, width: int, hanging: int) -> Iterator[Edit]:
    """Break a line of any text, word by word."""
    at = _end_of_blanks(line, 0)
    if at == len(line):
        at = column = indent = 0
    else:
        column = _after_blanks(line[:at], 0)
        indent = min(column, _deepest(width))
        if indent < column:
            yield Edit(begin, begin + at, " " * indent)
            column = indent
    following = min(indent + hanging, _deepest(width))
    is_fresh = True  # True while the line contains only indentation
    for gap, start, end, size in _measure(line).words:
        if not is_fresh:
            if gap >= 0:
                column += gap
            elif gap == _ONE_TAB:
                column += TAB - column % TAB
            else:
                column = _after_blanks(line[at:start], column)
            if column + size > width:
                yield Edit(begin + at, begin + start, "\n" + " " * following)
                column, is_fresh = following, True
        if column + size > width:
            at = start
            for cluster in iter_graphemes(line[start:end]):
                size = _columns(cluster)
                if column + size > width and not is_fresh:
                    yield Edit(begin + at, begin + at, "\n" + " " * following)
                    column = following
                column, is_fresh = column + size, False
                at += len(cluster)
        else:
            column += size
            is_fresh = False
        at = end
    while at < len(line):  # the rest is blank; it is kept as far as it fits
        column = _after_blanks(line[at], column)
        if column > width:
            yield Edit(begin + at, begin + len(line), "")
            return
        at += 1


def _fits(line: str, width: int) -> bool:
    has_tabs = "\t" in line
    if 2 * len(line) <= width and not has_tabs:
        return True
    if not has_tabs:
        return _measure(line).columns <= width
    column = at = 0
    for _, start, end, size in _measure(line).words:
        if start > at:
            column = _after_blanks(line[at:start], column)
        column += size
        if column > width:
            return False
        at = end
    return _after_blanks(line[at:], column) <= width


class _Measured(NamedTuple):
    """The measurements of a line, for windows of any width."""

    words: list[tuple[int, int, int, int]]  # columns of the gap before it; its start and end; its own columns
    columns: int  # of the whole line, if it has no tabs


def _measure(line: str) -> _Measured:
    """Measure a line; recent results are cached, because a line is often wrapped for many windows in a row."""
    return _measured(line) if len(line) <= LONGEST_MEASURED else _measured.__wrapped__(line)


@lru_cache(maxsize=4)
def _measured(line: str) -> _Measured:
    words: list[tuple[int, int, int, int]] = []
    at = total = 0
    for word in _WORD.finditer(line):
        start, end = word.span()
        size = _columns(word[0])
        words.append((_gap(line[at:start]) if start > at else 0, start, end, size))
        total += max(words[-1][0], 0) + size
        at = end
    return _Measured(words, total + _after_blanks(line[at:], 0))


def _deepest(width: int) -> int:
    """Return the maximum indentation: half the width, and less if a wide character would not fit."""
    return max(min(width // 2, width - 2), 0)


def _end_of_blanks(line: str, at: int) -> int:
    match = _BLANKS.match(line, at)
    return match.end() if match else at


def _after_blanks(blanks: str, column: int) -> int:
    """Return the column after these blanks."""
    if blanks == "\t":
        return column + TAB - column % TAB
    for blank in blanks:
        column += TAB - column % TAB if blank == "\t" else 2 if blank == "\u3000" else 1
    return column


def _gap(blanks: str) -> int:
    """Return the columns of these blanks; with tabs in them it depends on the column before."""
    if blanks == "\t":
        return _ONE_TAB
    return _SOME_TABS if "\t" in blanks else _after_blanks(blanks, 0)


def _columns(word: str) -> int:
    """Return the columns of a word without blanks."""
    if word.isascii():
        return len(word)
    if len(word) == 1:
        return wcwidth(word)
    return sum([max(wcswidth(cluster), 0) for cluster in iter_graphemes(word)])
