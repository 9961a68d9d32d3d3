"""Short words for long names."""

import pytest

from trio_mud.commands import listing, matches


def test_a_name_in_full_wins_over_those_that_begin_with_it() -> None:
    assert matches("sun", ["sunday", "sun", "moon"]) == ["sun"]


def test_a_beginning_finds_every_name_that_has_it() -> None:
    assert matches("s", ["sunday", "sun", "moon"]) == ["sunday", "sun"]


def test_case_does_not_matter() -> None:
    assert matches("anN", ["Anna", "Bob"]) == ["Anna"]


@pytest.mark.parametrize("word", ["", "x"])
def test_what_begins_no_name_finds_nothing(word: str) -> None:
    assert matches(word, ["Ann"]) == []


@pytest.mark.parametrize(
    ("names", "sentence"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], sentence: str) -> None:
    assert listing(names, "or") == sentence
