"""Cleaning: no text, from any player, can control a terminal."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.text import clean_line, clean_text, cleaning
from trio_mud.text.cleaning import _ESCAPES

HARMFUL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

PILE = re.compile(r"[^\w\s]{7}|[\u1160-\u11ff\u3164\ud7b0-\ud7ff\uffa0]{7}")

_hostile = st.lists(
    st.one_of(
        st.sampled_from(["\x1b", "\x1b[", "\x1b]0;", "\x1bP", "\x1b\\", "\x07", "\x9b", "\x9d", "\x9c", "\x90"]),
        st.sampled_from(["\u202e", "\u2066", "\u2028", "\u200b", "\u200d", "\ufe0f"]),
        st.sampled_from(["\n", "\r", "\t", "\0", "\x18", "31m", ";"]),
        st.characters(),
        st.text(max_size=3),
    )
).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "look",
        "né 木 ½",
        "👩\u200d🚀 ❤\ufe0f",
        "\u0645\u06cc\u200c\u062e\u0648",
        "a\tb",
        "a\u00a0b\u3000c",
        "<b>{x}</b> & \\x1b",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert clean_line(text) == text
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[31m",
        "\x1b[1;31m",
        "\x1b[?25l",
        "\x1b[2J",
        "\x1b[!p",
        "\x1b[ q",
        "\x1b[200~",
        "\x1b[<0;3;4M",
        "\x9b31m",
        "\x1b[?1;2c",
        "\x1b]0;title\x07",
        "\x1b]0;title\x1b\\",
        "\x9d0;title\x9c",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b]8;;http://evil\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x90q#0~\x9c",
        "\x1bXsos\x1b\\",
        "\x1b^pm\x1b\\",
        "\x1b_apc\x9c",
        "\x98sos\x07",
        "\x1b(B",
        "\x1b#8",
        "\x1bc",
        "\x1b=",
        "\x1bM",
        "\x1b%G",
        "\x1b",
        "\x1b[31",
        "\x1bOP",
        "\x1bOA",
        "\x1bO5P",
        "\x1bN!",
        "\x8fP",
        "\x8eA",
        "\x1b[[A",
        "\x9b[E",
        "\x1b[3$",
        "\x1b[1;5A",
        "\x1b\x1b[A",
        "\x1ba",
    ],
)
def test_an_escape_sequence_vanishes_whole(sequence: str) -> None:
    assert clean_line(f"a{sequence}é") == "aé"
    assert clean_text(f"a\n{sequence}é") == "a\né"


@pytest.mark.parametrize("broken", ["\x18", "\x1a", "\x1b[0m"])
def test_a_control_string_that_is_broken_off_ends_there(broken: str) -> None:
    assert clean_line(f"a\x1b]0;title{broken}b") == "ab"


def test_a_control_string_without_end_takes_the_rest_of_its_line() -> None:
    assert clean_line("a\x1b]0;title and more") == "a"
    assert clean_text("a\x1b]0;title and more\nb") == "a\nb"


def test_sequences_inside_sequences_leave_no_sequence() -> None:
    assert clean_line("\x1b\x1b[31m[32mred") == "[32mred"
    assert clean_line("\x1b\x00[31mred") == "[31mred"


@pytest.mark.parametrize(
    "character",
    [
        *("\0", "\a", "\b", "\r", "\n", "\x7f", "\x80", "\x99", "\x9c"),  # C0, DEL, C1
        *("\u202a", "\u202e", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c"),  # bidi
        *("\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041"),  # other format characters
        *("\ud800", "\udfff", "\ufffe", "\U0010ffff", "\ue000", "\U000e01f0"),  # no characters, or not known
    ],
    ids=ascii,
)
def test_what_is_not_known_to_be_harmless_is_dropped(character: str) -> None:
    assert clean_line(f"a{character}b") == "ab"


@pytest.mark.parametrize("key", ["\x1bOP", "\x1bOS", "\x1bOA", "\x1b[[A", "\x1b[[E", "\x1b[15~", "\x1b[A", "\x1b[8$"])
def test_a_function_key_leaves_nothing(key: str) -> None:
    assert clean_line(f"{key}look") == clean_line(f"lo{key}ok") == clean_line(f"look{key}") == "look"


@pytest.mark.parametrize("separator", ["\v", "\f", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_what_separates_words_goes_on_doing_so(separator: str) -> None:
    assert clean_line(f"tell{separator}bob hi") == clean_text(f"tell{separator}bob hi") == "tell bob hi"


def test_newlines_stay_in_text_and_not_in_a_line() -> None:
    assert clean_text("a\r\nb\n\n") == "a\nb\n\n"
    assert clean_line("a\r\nb\n\n") == "ab"


@given(_hostile)
@example("\x1b" * 5 + "[" + "0;" * 50)
def test_nothing_harmful_is_ever_left(text: str) -> None:
    assert not HARMFUL.search(clean_text(text))
    assert not HARMFUL.search(clean_line(text))
    assert "\n" not in clean_line(text)


@given(_hostile)
def test_only_known_characters_are_left(text: str) -> None:
    for character in clean_text(text):
        category = unicodedata.category(character)
        assert character in "\n\t\u200c\u200d" or category[0] in "LMNPS" or category == "Zs"


@pytest.mark.parametrize(
    "text",
    [
        "\u05d1\u05bc\u05b0\u0591\u05bd",  # Hebrew with points and a chant
        "\u0f67\u0fa9\u0fb3\u0fba\u0fbc\u0fbb\u0f42",  # a Tibetan stack
        "e\u0323\u0302",
        "1\ufe0f\u20e3",
        "👩🏽\u200d❤\ufe0f\u200d💋\u200d👩🏽",
        "\u1112\u1161\u11ab\u1100\u1173\u11af" * 5,
        "─" * 80 + "…" * 20,
        "क्षि" * 10,
    ],
)
def test_the_marks_of_living_scripts_stay(text: str) -> None:
    assert clean_line(text) == text


@pytest.mark.parametrize(
    "mark", ["\u0301", "\u0489", "\u20dd", "\u200d", "\ufe0f", "\u1161", "\u11ab", "\u0903", "\uffa0"]
)
def test_no_more_than_six_marks_are_piled_upon_a_character(mark: str) -> None:
    assert clean_line(f"a{mark * 1000}b{mark * 1000}") == f"a{mark * 6}b{mark * 6}"
    assert clean_text(mark * 1000 + "\n" + mark * 1000) == mark * 6 + "\n" + mark * 6


def test_what_is_dropped_between_marks_does_not_hide_the_pile() -> None:
    assert clean_line("a" + "\u0301\u200b" * 100) == "a" + "\u0301" * 6


@pytest.mark.parametrize("text", ["\ufffd" * 4096, "\U0001f469\u200d" * 1000, "\u2500\u2501" * 1000])
def test_each_character_of_a_suspect_run_is_looked_up_once(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    looked_up: list[str] = []

    def width(character: str) -> int:
        looked_up.append(character)
        return 1

    monkeypatch.setattr(cleaning, "wcwidth", width)
    assert clean_line(text) == text
    assert sorted(looked_up) == sorted(set(text))


@given(st.text(st.sampled_from("a\u0301\u0489\u200d\u200b\ufe0f\u1161\u0903🚀─ "), min_size=5))
def test_no_pile_is_ever_higher(text: str) -> None:
    assert not re.search("[\u0301\u0489\u200d\u200b\ufe0f\u1161\u0903]{7}", clean_text(text))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("!!SOUND(boo.wav)", "!! SOUND(boo.wav)"),
        ("say !!music(x)", "say !! music(x)"),
        ("!\x07!SO\x1b[0mUND(boo)", "!! SOUND(boo)"),
        ("!SOUND(boo)", "! SOUND(boo)"),
        ("!! What a sound (and music)!!", "!! What a sound (and music)!!"),
    ],
)
def test_a_player_cannot_type_a_sound_trigger(typed: str, expected: str) -> None:
    assert clean_line(typed) == expected
    assert clean_line(expected) == expected


@given(_hostile)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean_line(clean_line(text)) == clean_line(text)
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])).filter(lambda text: not PILE.search(text)))
def test_letters_signs_and_spaces_are_never_touched(text: str) -> None:
    assert clean_line(text) == text


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece", ["\x1b", "\x1b[", "\x1b]", "\x1b[0", "\x1bP\x1b", "\x9b1;", "\x1b ", "\x9d;", "[ ", "\u0301", "!", "─"]
)
def test_the_time_is_linear_for_the_worst_of_inputs(piece: str) -> None:
    # A pattern that backtracks would need hours for this; `nox -s bench -- --bounds` measures it.
    clean_line(piece * (300_000 // len(piece)))
    # Each match begins where the last one ended: nothing is looked at by two of them.
    text = piece * (3000 // len(piece))
    assert sum(len(match[0]) for match in _ESCAPES.finditer(text)) <= 3000
