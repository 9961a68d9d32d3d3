"""Transliteration: what a charset lacks becomes its nearest, and nothing becomes a control."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet.charsets import CODECS
from trio_mud.telnet.encoding import encode
from trio_mud.text import Rendering, markup, render
from trio_mud.text.transliteration import nearest, transliterate

CHARSETS = sorted({*CODECS.values()})
CHARACTERS = "".join(chr(code) for code in range(0xA0, 0x110000) if chr(code).isprintable())
C0, C1 = frozenset((*range(0x20), 0x7F)), frozenset(range(0x80, 0xA0))
CONTROLS = C0 | C1
TYPOGRAPHIC = "It\u2019s \u2014 so\u2026 \u201cq\u201d Łódź ❤"


def is_single_byte(charset: str) -> bool:
    return charset != "utf-8" and len(bytes(range(256)).decode(charset, "replace")) == 256


@pytest.mark.parametrize(
    ("charset", "expected"),
    [
        ("utf-8", TYPOGRAPHIC),
        ("ascii", 'It\'s - so... "q" Lodz :heart:'),
        ("iso8859-1", 'It\'s - so... "q" Lódz :heart:'),
        ("iso8859-2", 'It\'s - so... "q" Łódź :heart:'),
    ],
)
def test_what_a_charset_lacks_becomes_its_nearest_character_by_character(charset: str, expected: str) -> None:
    assert transliterate(TYPOGRAPHIC, charset) == expected


def test_an_accent_of_its_own_is_composed_and_what_is_not_seen_is_left_out() -> None:
    assert transliterate("cafe\u0301 ❤\ufe0f x\u0323", "iso8859-1") == "café :heart: x"


def test_only_what_has_no_nearest_becomes_a_question_mark() -> None:
    assert [nearest(character) for character in "木\u0301\u200d\u0378"] == ["Mu", "", "", "?"]


def test_a_name_is_read_in_a_charset_of_several_bytes() -> None:
    assert transliterate("木 Łódź", "gbk") == "木 Lódz"


@pytest.mark.parametrize("charset", CHARSETS)
def test_no_character_that_a_charset_has_becomes_a_control(charset: str) -> None:
    text = CHARACTERS.encode(charset, "ignore").decode(charset, "replace")
    sent = encode(transliterate(text, charset), charset).replace(b"\xff\xff", b"\xff")
    assert not CONTROLS.intersection(map(ord, sent.decode(charset)))  # as the client reads it
    assert not C0.intersection(sent)  # byte by byte, which may be in the middle of a character
    if is_single_byte(charset):
        in_c1 = C1.intersection(sent)
        assert all(bytes((byte,)).decode(charset).isalpha() for byte in in_c1)  # no alphabet can do without


@pytest.mark.unmeasured
def test_no_character_that_a_charset_lacks_becomes_a_control() -> None:
    spellings = "".join(map(nearest.__wrapped__, CHARACTERS))
    assert spellings.isascii()
    assert spellings.isprintable()


def test_a_sign_that_is_csi_in_a_charset_is_not_sent_as_that_byte() -> None:
    assert encode(transliterate("\u203a31m ž", "cp1252"), "cp1252") == b">31m \x9e"
    assert encode(transliterate("\u2514 ж", "koi8-r"), "koi8-r") == b"+ \xd6"


@pytest.mark.parametrize("text", ["\u2039send foo\u203aclick", "\uff1cb\uff1e", "\u00ab\u00bb"])
def test_no_tag_comes_of_a_quote_that_a_charset_lacks(text: str) -> None:
    rendering = Rendering(mxp=True, charset="ascii")
    assert "<" not in render(text, rendering)
    assert "<" not in render(markup("{x}", x=text), rendering)


def test_no_sound_comes_of_a_full_width_mark() -> None:
    rendering = Rendering(sounds=True, charset="ascii")
    assert render("\uff01\uff01SOUND(x)", rendering) == "!! SOUND(x)"
    assert render(markup("<b>{x}</b>SOUND(x)", x="\uff01\uff01"), rendering) == "!! SOUND(x)"


def test_what_grows_is_wrapped_as_it_is_sent() -> None:
    assert render("so… and… on", Rendering(width=8, charset="ascii")) == "so...\nand...\non"


@given(st.text(), st.sampled_from(CHARSETS))
def test_what_is_rendered_for_a_charset_can_be_encoded_in_it(text: str, charset: str) -> None:
    render(text, Rendering(charset=charset)).encode(charset)


@given(st.text(st.characters(max_codepoint=0x2FF)))
def test_utf8_and_ascii_are_left_alone(text: str) -> None:
    assert transliterate(text, "utf-8") == text
