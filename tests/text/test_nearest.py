"""Suggestions for misspelled names."""

from __future__ import annotations

import pytest

from trio_mud.text.nearest import nearest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prot", "; did you mean 'port'?"),
        ("max_lin", "; did you mean 'max_line' or 'max_lines'?"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_a_suggestion_names_at_most_the_two_most_similar_names(name: str, said: str) -> None:
    assert nearest(name, ["port", "host", "max_line", "max_lines"]) == said
