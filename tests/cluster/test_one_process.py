"""The tests that a split server skips are all on the page, with their reasons."""

from __future__ import annotations

from ..one_process import PAGE, marked, renewed


def test_the_page_lists_every_test_about_one_process() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert renewed(page) == page, "python -m tests.one_process --write"


def test_every_mark_gives_a_reason() -> None:
    assert all(len(reason) > 10 for reason, _ in marked())
