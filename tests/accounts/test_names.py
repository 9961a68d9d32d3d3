"""Names: what may be one, and which are the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from trio_mud.accounts.names import LONGEST, MARKS, SHORTEST, appearance, read_name, same_name
from trio_mud.commands import Mistake


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ann", "Ann"),
        ("  ANN ", "Ann"),
        ("jos\u00e9", "Jos\u00e9"),
        ("jose\u0301", "Jos\u00e9"),  # an accent of its own is composed
        ("\uff21nn", "Ann"),  # a full-width A
        ("\uff9b\uff70\uff7b", "\u30ed\u30fc\u30b5"),  # half-width katakana
        ("\u0130nan", "\u0130nan"),
        ("ad\u1eb9\u0301", "Ad\u1eb9\u0301"),  # a letter of Yoruba that has no code point of its own
        ("\u0142\u00f3d\u017a", "\u0141\u00f3d\u017a"),
        ("\u0414\u0438\u043c\u0430", "\u0414\u0438\u043c\u0430"),  # Dima
        ("\u0422\u0430\u0440\u0430\u0441", "\u0422\u0430\u0440\u0430\u0441"),  # Taras
        ("\u03b5\u03bb\u03ad\u03bd\u03b7", "\u0395\u03bb\u03ad\u03bd\u03b7"),  # Eleni
        ("\u10d2\u10d8\u10d0", "\u10d2\u10d8\u10d0"),  # Gia
        ("\ubbfc\uc9c0", "\ubbfc\uc9c0"),  # Minji
        ("\u1106\u1175\u11ab\u110c\u1175", "\ubbfc\uc9c0"),  # the same, decomposed
        ("\u674e\u5c0f\u9f99", "\u674e\u5c0f\u9f99"),  # Li Xiaolong
        ("\u30ed\u30fc\u529b", "\u30ed\u30fc\u529b"),  # Katakana and Han
        ("\u674e\u3105", "\u674e\u3105"),  # Han and Bopomofo
        ("\u91d1\ubbfc", "\u91d1\ubbfc"),  # Han and Hangul
        ("\u0639\u0645\u0631", "\u0639\u0645\u0631"),  # Umar
        ("\u5c71\u7530\u3055\u304f\u3089", "\u5c71\u7530\u3055\u304f\u3089"),  # Yamada Sakura
        ("\u0905\u0928\u093f\u0932", "\u0905\u0928\u093f\u0932"),  # Anil, with a vowel sign
        ("\u0e1b\u0e34\u0e48\u0e19", "\u0e1b\u0e34\u0e48\u0e19"),  # Pin, with a vowel and a tone
        ("\u05d3\u05df", "\u05d3\u05df"),  # Dan
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
        ("a" * 5000, "2 to 16 letters"),
        ("ann lee", "letters only"),
        ("ann7", "letters only"),
        ("ann!", "letters only"),
        ("o'brien", "letters only"),
        ("\u3164\u3164", "letters only"),  # fillers of Hangul
        ("\u115f\u115f", "letters only"),
        ("\u1160\u1160", "letters only"),
        ("\uffa0\uffa0", "letters only"),
        ("\uae40\u3164\uc218", "letters only"),
        ("\u2800\u2800", "letters only"),  # a Braille cell without dots
        ("\u3163\u3163", "letters only"),  # a vowel of Hangul, which looks like a stroke
        ("an\u034fn", "letters only"),  # joins graphemes, and is not seen
        ("ann\ufe0f", "letters only"),  # a variant of nothing
        ("a\u200bnn", "letters only"),  # a space of no width
        ("a\u200dnn", "letters only"),  # a joiner
        ("ann\u202e", "letters only"),  # an order to write from right to left
        ("\u0301ann", "letters only"),  # a mark upon nothing
        ("z\u0351\u0352\u0353algo", "letters only"),  # marks heaped on a letter
        ("\ufb01lip", "letters only"),  # a ligature
        ("\u02b0ann", "letters only"),  # a raised h
        ("\U0001d400nn", "letters only"),  # a mathematical A
        ("a\u017fa", "letters only"),  # the long s
        ("\u0430nn", "one alphabet"),  # a Cyrillic a among Latin letters
        ("l\u0456sa", "one alphabet"),
        ("\u13a0o", "one alphabet"),  # Cherokee
        ("\u15f7o\u15f7", "one alphabet"),  # syllabics of Canada
        ("\u2c82nna", "one alphabet"),  # Coptic
        ("\ubbfc\u30ab", "one alphabet"),  # Hangul and Katakana
        ("\u3105\u30ab", "one alphabet"),  # Bopomofo and Katakana
        ("\u674e\u0e19", "one alphabet"),  # Han and Thai
        ("an\u30fcn", "one alphabet"),  # the long vowel of Japanese
        ("\u30fc\u30fc", "one alphabet"),  # nothing but that
        ("bo\u0940b", "one alphabet"),  # a vowel sign of Devanagari
        ("\u03b1\u03bd\u0654\u03b1", "one alphabet"),  # a hamza of Arabic upon a Greek letter
        ("bo\u0363b", "one alphabet"),  # a small a above the o
        ("\u0434\u2de0\u0430", "one alphabet"),  # a small letter of Church Slavonic above another
        ("\ua78bbob", "one alphabet"),  # the saltillo, a letter that looks like an apostrophe
        ("ma\u0138", "could be misread"),  # the kra, which looks like a k
        ("\u1d00nn", "could be misread"),  # a small capital
        ("\u01c0an", "could be misread"),  # a click, which looks like a stroke
    ],
)
def test_what_could_not_be_typed_or_could_be_misread_is_no_name(typed: str, reason: str) -> None:
    with pytest.raises(Mistake, match=reason):
        read_name(typed)


@pytest.mark.parametrize("typed", ["help", "HELP", "h\u00e9lp"])
def test_a_reserved_word_is_no_name_however_it_is_written(typed: str) -> None:
    with pytest.raises(Mistake, match="Nobody can be called that"):
        read_name(typed, {"help"})


def test_a_name_that_looks_like_a_reserved_word_is_refused() -> None:
    typed = "\u0440\u043e\u0440\u0435"  # Cyrillic, and it looks like pope
    assert read_name(typed).casefold() == typed
    with pytest.raises(Mistake, match="Nobody can be called that"):
        read_name(typed, {"pope"})


@given(st.text() | st.text(st.characters(categories=["L", "M"]), min_size=2, max_size=16))
def test_whatever_is_taken_for_a_name_is_seen_and_reads_as_itself(typed: str) -> None:
    try:
        name = read_name(typed)
    except Mistake:
        return
    letters = [letter for letter in name if letter.isalpha()]
    assert SHORTEST <= len(letters) <= LONGEST
    assert len(name) <= len(letters) * (1 + MARKS)
    assert all(wcwidth(letter) > 0 for letter in letters)
    assert unicodedata.is_normalized("NFC", name)
    assert same_name(name).strip()
    assert read_name(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "aNN"),
        ("Jos\u00e9", "jose"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u0141ukasz", "lukasz"),
        ("\u0110an", "\u00d0an"),
        ("\u00d8scar", "Oscar"),
        ("\u041c\u0430\u0440\u043a", "Mark"),
        ("Bannza\u1ef5", "Bannzay"),
        ("An\u0131ta", "Anita"),
        ("\u0251nn", "Ann"),
    ],
)
def test_neither_case_nor_accents_nor_alphabet_make_another_name(one: str, other: str) -> None:
    assert same_name(one) == same_name(other)


def test_another_letter_makes_another_name() -> None:
    assert same_name("Ann") != same_name("Anna")


@pytest.mark.parametrize(
    ("name", "lookalike"),
    [
        ("\u0421\u0430\u0440\u0430", "Capa"),  # a Cyrillic Sara
        ("\u30ab\u30ca", "\u529b\u30ca"),  # the Katakana ka and the character for strength
        ("\u30a8\u30ea", "\u5de5\u30ea"),
        ("\u30ed\u30ed", "\u53e3\u56d7"),  # two characters that both look like the Katakana ro
        ("\u30cb\u30b3", "\u4e8c\u30b3"),
        ("\u30a2\u30fc", "\u30a2\u4e00"),
        ("\u0460\u0461", "Ww"),  # the Cyrillic omega
        ("\u0422\u0430\u0440\u0430\u0441", "Tapac"),  # a Cyrillic Taras
        ("\u039f\u03c1\u03bf", "\u041e\u0440\u043e"),  # a Greek Oro and a Cyrillic one
    ],
)
def test_names_that_look_alike_across_alphabets_have_one_appearance(name: str, lookalike: str) -> None:
    assert appearance(name) == appearance(lookalike)


def test_names_that_look_different_have_different_appearances() -> None:
    names = ["Ann", "Anna", "\u0418\u0432\u0430\u043d", "Ivan", "\u674e\u5c0f\u9f99", "Jos\u00e9"]
    assert len({appearance(name) for name in names}) == len(names)
