"""Paging: every line once, no page longer than the window."""

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text import Markup, markup, pages, render, wrap


def test_a_page_leaves_a_row_for_the_question() -> None:
    assert [page.plain for page in pages("one\ntwo\nthree\nfour\nfive", 80, 3)] == ["one\ntwo", "three\nfour", "five"]


def test_a_page_is_wrapped_before_it_is_measured() -> None:
    assert [page.plain for page in pages("one two three", 5, 3)] == ["one\ntwo", "three"]
    assert [page.plain for page in pages("one two three", None, 3)] == ["one two three"]


def test_styles_go_on_over_the_page() -> None:
    first, second = pages(markup("<red>one\n\ntwo</red> x"), 80, 3)
    assert render(first, 8) == "\x1b[31mone\x1b[0m\n"
    assert render(second, 8) == "\x1b[31mtwo\x1b[0m x"


def test_there_is_always_a_page_and_it_has_a_line() -> None:
    assert pages("", 80, 24) == [Markup(())]
    assert pages("\n\n", 80, 24) == [Markup(())]
    assert [page.plain for page in pages("a\nb\n\n", 80, 0)] == ["a", "b"]


@given(st.text("ab \n", max_size=60), st.none() | st.integers(1, 20), st.integers(-1, 6))
def test_pages_are_the_wrapped_text(text: str, columns: int | None, rows: int) -> None:
    found = pages(text, columns, rows)
    assert all(page.plain.count("\n") < max(rows - 1, 1) for page in found)
    whole = "\n".join([page.plain for page in found])
    assert wrap(text, columns).rstrip("\n") == whole.rstrip("\n")
    assert not whole.endswith("\n")
