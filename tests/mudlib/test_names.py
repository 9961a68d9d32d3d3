"""Names: what may be one, and which are the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.mudlib import Mistake
from trio_mud.mudlib.names import LONGEST, SHORTEST, alphabet_of, read_name, same_name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ann", "Ann"),
        ("  ANN ", "Ann"),
        ("jos\u00e9", "Jos\u00e9"),
        ("jose\u0301", "Jos\u00e9"),  # an accent of its own is composed
        ("\uff21nn", "Ann"),  # a full-width A
        ("\u02b0ann", "Hann"),  # a raised h
        ("\u0130nan", "\u0130nan"),
        ("\ufb01lip", "Filip"),  # a ligature
        ("\u0414\u0438\u043c\u0430", "\u0414\u0438\u043c\u0430"),  # Dima
        ("\u03b5\u03bb\u03ad\u03bd\u03b7", "\u0395\u03bb\u03ad\u03bd\u03b7"),  # Eleni
        ("\u10d2\u10d8\u10d0", "\u10d2\u10d8\u10d0"),  # Gia
        ("\ubbfc\uc9c0", "\ubbfc\uc9c0"),  # Minji
        ("th\u1ea3o", "Th\u1ea3o"),
        ("stra\u00dfe", "Stra\u00dfe"),
    ],
)
def test_a_name_is_composed_and_gets_a_capital(typed: str, name: str) -> None:
    assert read_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "2 to 16 letters"),
        ("a", "2 to 16 letters"),
        ("a" * 17, "2 to 16 letters"),
        ("ann lee", "letters only"),
        ("ann7", "letters only"),
        ("ann!", "letters only"),
        ("o'brien", "letters only"),
        ("a\u200bnn", "letters only"),  # a space of no width
        ("ann\u202e", "letters only"),  # an order to write from right to left
        ("z\u0351\u0352algo", "letters only"),  # marks heaped on a letter
        ("an\u0130l", "letters only"),  # the Turkish capital inside a name: its small letter is a letter and a mark
        ("\u0430nn", "one alphabet"),  # a Cyrillic a among Latin letters
        ("\u0441\u0430\u0440\u0430", "could be misread"),  # all Cyrillic, and looks like `capa`
        ("\u03bd\u03b9\u03bf", "could be misread"),  # all Greek, and looks like `vio`
        ("\u0251nn", "plain letters"),  # the phonetic a
        ("an\u0131ta", "plain letters"),  # the dotless i
        ("\u05d3\u05df", "plain letters"),  # right to left
    ],
)
def test_what_could_not_be_typed_or_could_be_misread_is_no_name(typed: str, reason: str) -> None:
    with pytest.raises(Mistake, match=reason):
        read_name(typed)


@pytest.mark.parametrize("typed", ["help", "HELP", "h\u00e9lp"])
def test_a_reserved_word_is_no_name_however_it_is_written(typed: str) -> None:
    with pytest.raises(Mistake, match="Nobody can be called that"):
        read_name(typed, {"help"})


@given(st.text() | st.text(st.characters(categories=["L"]), min_size=2, max_size=16))
def test_whatever_is_taken_for_a_name_is_letters_of_one_alphabet_and_reads_as_itself(typed: str) -> None:
    try:
        name = read_name(typed)
    except Mistake:
        return
    assert SHORTEST <= len(name) <= LONGEST
    assert name.isalpha()
    assert unicodedata.is_normalized("NFKC", name)
    assert len({alphabet_of(letter) for letter in name}) == 1
    assert read_name(name) == name


@pytest.mark.parametrize(("one", "other"), [("Ann", "aNN"), ("Jos\u00e9", "jose"), ("Stra\u00dfe", "STRASSE")])
def test_neither_case_nor_accents_make_another_name(one: str, other: str) -> None:
    assert same_name(one) == same_name(other)


def test_another_letter_makes_another_name() -> None:
    assert same_name("Ann") != same_name("Anna")
