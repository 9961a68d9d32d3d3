"""Wrapping: no line wider than the window, nothing lost but spaces, and the author's lines kept."""

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wcwidth import iter_graphemes, wcswidth

from trio_mud.text import Rendering, clean_text, markup, render, wrap, wrapping
from trio_mud.text.edits import edit_text
from trio_mud.text.wrapping import _NARROW, _break_any, _break_narrow

BLANKS = re.compile("[ \t\n\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000]")

_words = st.lists(
    st.one_of(
        st.sampled_from(["the", "fire", " ", "  ", "\t", "\n", "\n   ", "a-very-long-word-indeed", "né"]),
        st.sampled_from(
            ["河", "水", "。", "「", "」", "っ", "\u3000", "한국어", "e\u0301", "\u0301", "\ufe0f", "葛\U000e0100"]
        ),
        st.sampled_from(
            ["👩\u200d🚀", "🇩🇪", "🇩", "❤\ufe0f", "\u200d", "क्षि", "\u0e01\u0e33", "\u1112\u1161\u11ab", "\u00a0"]
        ),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)
_narrow = st.lists(
    st.sampled_from(["the", "fire", " ", "   ", "a-very-long-word", "né", "─", "\u00a0"]), max_size=20
).map("".join)


def columns(line: str) -> int:
    """How wide a line is, measured by another way than the one under test: whole pieces, not clusters."""
    column = 0
    for number, piece in enumerate(line.split("\t")):
        column += (8 - column % 8 if number else 0) + wcswidth(piece)
    return column


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("the fire crackles", 20, "the fire crackles"),
        ("the fire crackles", 17, "the fire crackles"),
        ("the fire crackles", 16, "the fire\ncrackles"),
        ("the fire crackles", 8, "the fire\ncrackles"),
        ("the   fire", 5, "the\nfire"),
        ("the   fire", 10, "the   fire"),
        ("the fire\n\ncrackles and", 10, "the fire\n\ncrackles\nand"),
        ("crackles", 3, "cra\nckl\nes"),
        ("a crackles", 4, "a\ncrac\nkles"),
        ("a fire", 1, "a\nf\ni\nr\ne"),
        ("a fire", 0, "a\nf\ni\nr\ne"),
        ("look   ", 4, "look"),
        ("look   ", 6, "look  "),
        ("a look   ", 4, "a\nlook"),
        ("      ", 4, "    "),
        ("", 4, ""),
        ("naïve “words” — all narrow", 12, "naïve\n“words” —\nall narrow"),
    ],
)
def test_lines_are_broken_at_spaces(text: str, width: int, expected: str) -> None:
    assert wrap(text, width) == expected


@pytest.mark.parametrize(
    ("text", "width", "hanging", "expected"),
    [
        ("  - a long item", 9, 0, "  - a\n  long\n  item"),
        ("  - a long item", 9, 2, "  - a\n    long\n    item"),
        ("a long item\nb long", 7, 2, "a long\n  item\nb long"),
        ("        deep words", 8, 0, "    deep\n    word\n    s"),
        ("\t1 2 3 4", 10, 0, "     1 2 3\n     4"),
        ("\t河水河水", 20, 0, "\t河水河水"),
        ("\t河水河水", 14, 1, "       河水河\n       水"),
    ],
)
def test_indentation_is_kept_as_far_as_half_the_window(text: str, width: int, hanging: int, expected: str) -> None:
    assert wrap(text, width, hanging=hanging) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("河水慢慢地流", 6, "河水慢\n慢地流"),
        ("河水慢慢地流", 5, "河水\n慢慢\n地流"),
        ("河水慢慢地流。", 12, "河水慢慢地\n流。"),
        ("河水「慢慢」", 6, "河水\n「慢\n慢」"),
        ("the 河水 flows", 7, "the 河\n水\nflows"),
        ("「river」流", 8, "「river\n」流"),
        ("「「", 3, "「\n「"),
        ("河水", 1, "河\n水"),
        ("河\u3000水", 4, "河\n水"),
        ("がっこう", 4, "がっ\nこう"),
        ("한국어 한국어", 7, "한국어\n한국어"),
        ("👩\u200d🚀👩\u200d🚀👩\u200d🚀", 4, "👩\u200d🚀👩\u200d🚀\n👩\u200d🚀"),
        ("🇩🇪🇫🇷🇮🇹", 5, "🇩🇪🇫🇷\n🇮🇹"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301\ne\u0301"),
        ("cafe\u0301 au lait", 7, "cafe\u0301 au\nlait"),
        ("a\tb\tc", 9, "a\tb\nc"),
        ("a\t", 5, "a"),
        ("one\u00a0two three", 8, "one\u00a0two\nthree"),
        ("one\u2003two", 4, "one\ntwo"),
    ],
)
def test_wide_characters_and_clusters_are_measured_as_shown(text: str, width: int, expected: str) -> None:
    assert wrap(text, width) == expected


def test_a_text_that_fits_is_not_copied() -> None:
    text = "the fire\ncrackles"
    assert wrap(text, 8) == text
    assert wrap(text, None) is text
    styled = markup("<b>{x}</b>", x=text)
    assert wrap(styled, 8) is styled
    assert wrap(styled, None) is styled


def test_wrapping_cleans_what_it_measures() -> None:
    assert wrap("\x1b[31mthe\x07 fire", 4) == "the\nfire"


def test_styles_go_on_after_a_break_and_not_over_it() -> None:
    text = markup("<red>the <b>fire crackles</b></red> on")
    assert render(text, Rendering(8, 10)) == ("\x1b[31mthe \x1b[0m\x1b[1;31mfire\x1b[0m\n\x1b[1;31mcrackles\x1b[0m\non")
    assert wrap(markup("<u>  the fire</u>"), 6) == markup("<u>  the</u>\n  <u>fire</u>")


@given(_words, st.integers(1, 30), st.integers(0, 9))
@example("\u200d河河", 2, 0)
def test_nothing_is_lost_but_blanks(text: str, width: int, hanging: int) -> None:
    text = clean_text(text)
    assert BLANKS.sub("", wrap(text, width, hanging=hanging)) == BLANKS.sub("", text)


@given(_words, st.integers(2, 30), st.integers(0, 9))
def test_no_line_is_wider_than_the_window(text: str, width: int, hanging: int) -> None:
    for line in wrap(text, width, hanging=hanging).split("\n"):
        assert columns(line) <= width or len(list(iter_graphemes(line.strip()))) == 1


@given(_words, st.integers(2, 30))
def test_the_lines_of_the_author_stay_apart(text: str, width: int) -> None:
    text = clean_text(text)
    assert wrap(text, width) == "\n".join([wrap(line, width) for line in text.split("\n")])


@given(_words, st.integers(2, 30))
@example(" né", 3)
@example("  河", 4)
def test_what_fits_is_left_alone(text: str, width: int) -> None:
    text = clean_text(text)
    if all(columns(line) <= width for line in text.split("\n")) and "\u200d" not in text:
        assert wrap(text, width) == text


@given(_narrow, st.integers(1, 30), st.integers(0, 9))
def test_narrow_text_is_broken_as_any_text_is(line: str, width: int, hanging: int) -> None:
    assert _NARROW.fullmatch(line)
    if len(line) > width:
        quickly = edit_text(line, list(_break_narrow(line, 0, width, hanging)))
        assert quickly == edit_text(line, list(_break_any(line, 0, width, hanging)))


@given(st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs", "Co"])))
def test_narrow_text_is_narrow(text: str) -> None:
    narrow = "".join(re.findall(_NARROW, text)).replace("\u00ad", "")
    assert wcswidth(narrow) == len(narrow)


@given(_words, st.integers(2, 30), st.sampled_from([8, 256]))
def test_markup_is_wrapped_as_its_text_is(text: str, width: int, colours: int) -> None:
    styled = markup("<red>{x}<b>{y}</b></red>", x=text[: len(text) // 2], y=text[len(text) // 2 :])
    assert wrap(styled, width).plain == wrap(styled.plain, width)
    for line in render(styled, Rendering(colours, width)).split("\n"):
        escapes = re.findall("\x1b\\[[0-9;]+m", line)
        assert {*escapes[1::2]} <= {"\x1b[0m"}
        assert len(escapes) % 2 == 0


def steps_of(*functions: Callable[[], object]) -> int:
    """How many lines of Python they run, in all modules."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        for function in functions:
            function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece",
    ["a", "a ", " ", "河", "「", "「a", "。", "🇩", "👩\u200d", "\u0301", "\u200d", "\t", "e\u0301 ", "\u1161", "! "],
)
@pytest.mark.parametrize("width", [1, 80])
def test_the_work_is_linear(monkeypatch: pytest.MonkeyPatch, piece: str, width: int) -> None:
    """In lines of Python and in characters that are measured; `nox -s bench -- --bounds` has the time."""
    measured: list[str] = []
    measure = wrapping._columns

    def note(word: str) -> int:
        measured.append(word)
        return measure(word)

    monkeypatch.setattr(wrapping, "_columns", note)

    def work(size: int) -> int:
        text = piece * (size // len(piece))
        wrapping._measured.cache_clear()
        measured.clear()
        steps = steps_of(
            lambda: wrap(text, width),
            lambda: render(markup("<b>{x}</b>", x=text), Rendering(8, width, mxp=True, sounds=True)),
        )
        return steps + sum(map(len, measured))

    work(600)  # what is kept for the whole process is there from now on
    assert work(2400) <= 4.4 * work(600)


@pytest.mark.parametrize("piece", ["河", "\t\u03b1", "\ta", "e\u0301 ", "河、", "한국어 "])
def test_a_line_is_measured_once_for_all_windows(monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    measured: list[str] = []
    measure = wrapping._columns

    def note(word: str) -> int:
        measured.append(word)
        return measure(word)

    monkeypatch.setattr(wrapping, "_columns", note)
    wrapping._measured.cache_clear()
    line = piece * 400
    for width in range(20, 120):
        wrap(line, width)
    assert len(measured) <= len(line)
    wrapping._measured.cache_clear()
    measured.clear()
    wrap(line * 2, 60)
    once = len(measured)
    measured.clear()
    wrap(line * 4, 60)  # twice the work; it may be longer than what is remembered, and is measured twice then
    assert len(measured) <= 4 * once + 1
