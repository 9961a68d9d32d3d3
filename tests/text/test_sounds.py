"""Sounds: triggers for clients that agreed to them, made only by the game."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text import Markup, Rendering, join, link, markup, music, pages, render, sound, wrap

MSP = Rendering(sounds=True)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (sound("gong.wav"), "!!SOUND(gong.wav)\n"),
        (sound("Off"), "!!SOUND(Off)\n"),
        (
            sound("fight/*.wav", volume=50, repeats=-1, priority=70, kind="combat"),
            "!!SOUND(fight/*.wav V=50 L=-1 P=70 T=combat)\n",
        ),
        (sound("a.wav", url="https://example.org/s/"), "!!SOUND(a.wav U=https://example.org/s/)\n"),
        (music("harp.mid", repeats=3), "!!MUSIC(harp.mid L=3)\n"),
        (music("harp.mid", restarts=True), "!!MUSIC(harp.mid C=0)\n"),
    ],
)
def test_a_sound_is_a_line_of_its_own(made: Markup, expected: str) -> None:
    assert render(made, MSP) == expected
    assert render(made, Rendering(1 << 24, 80, links=True, mxp=True)) == ""


def test_sounds_play_when_their_text_arrives() -> None:
    gong = sound("gong.wav")
    text = markup("A {gong}<b>gong</b> sounds.", gong=gong)
    assert render(text, MSP) == "!!SOUND(gong.wav)\nA gong sounds."
    assert render(text, 0) == "A gong sounds."
    assert render("a" + text + gong, MSP) == "!!SOUND(gong.wav)\n" * 2 + "aA gong sounds."
    assert render(join(" ", [gong, "x"]), MSP) == "!!SOUND(gong.wav)\n x"


def test_sounds_survive_whatever_is_done_to_their_text() -> None:
    text = markup("{gong}go north", gong=sound("gong.wav"))
    assert render(link(text), MSP) == "!!SOUND(gong.wav)\ngo north"
    assert render(wrap(text, 2), MSP) == "!!SOUND(gong.wav)\ngo\nno\nrt\nh"
    assert [page.sounds for page in pages(text, 2, 2)] == [("!!SOUND(gong.wav)",), (), (), ()]


def test_with_mxp_too_its_address_is_escaped() -> None:
    made = sound("a", url="http://x/?a&b")
    assert render(made, Rendering(sounds=True, mxp=True)) == "!!SOUND(a U=http://x/?a&amp;b)\n"


@pytest.mark.parametrize("name", ["", "a b", "a)", "!!", "../secret", "/etc/passwd", "a\n", "é.wav", "a..b"])
def test_a_name_that_would_end_the_trigger_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be played"):
        sound(name)


def test_whatever_cannot_be_said_in_a_trigger_is_refused() -> None:
    with pytest.raises(ValueError, match="volume is 101: it must be 0 to 100"):
        sound("a", volume=101)
    with pytest.raises(ValueError, match="repeats is -2"):
        music("a", repeats=-2)
    with pytest.raises(ValueError, match="priority is -1"):
        sound("a", priority=-1)
    with pytest.raises(ValueError, match="is not a kind of sound"):
        sound("a", kind="a b")
    for url in ("ftp://x", "http://x/)", "http://x y", "http://é"):
        with pytest.raises(ValueError, match="percent-encode it"):
            music("a", url=url)


@pytest.mark.parametrize(
    "text", ["!!SOUND(boo)", "!!music(boo)", "a\n!!SOUND(boo)", "x !!SOUND(boo)", "!!SO\x07UND(boo)"]
)
def test_no_text_is_a_trigger_for_those_who_listen(text: str) -> None:
    for written in (text, markup("{x}", x=text), markup("<b>{x}</b>", x=text)):
        assert "!! " in render(written, MSP)
        assert "!! " not in render(written, 0)


def test_no_trigger_is_put_together_from_pieces() -> None:
    pieces = markup("!<b>{a}</b>{b}<red>ND(boo)</red>", a="!", b="SOU")
    rendered = render(pieces, Rendering(16, sounds=True))
    assert re.sub("\x1b\\[[0-9;]*m", "", rendered) == "!! SOUND(boo)"
    assert render(markup("!") + "!" + "SOUND(boo)", MSP) == "!! SOUND(boo)"
    assert render("!", MSP) + render("!SOUND(boo)", MSP) == "!! SOUND(boo)"


@given(
    st.lists(st.sampled_from(["!", "!!", "SOUND(", "music(", "\n", " ", "\x1b", "x"])), st.none() | st.integers(1, 9)
)
def test_no_text_ever_holds_a_trigger(pieces: list[str], width: int | None) -> None:
    text = "".join(pieces)
    styled = sum((markup("<b>{x}</b>", x=piece) for piece in pieces), markup(""))
    for rendering in (Rendering(0, width, sounds=True), Rendering(0, width, sounds=True, mxp=True)):
        assert not re.search(r"!(sound|music)\(", render(text, rendering), re.IGNORECASE)
        assert not re.search(r"!(sound|music)\(", render(styled, rendering), re.IGNORECASE)
