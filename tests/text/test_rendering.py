"""Rendering: what leaves for a client, and what never does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text import Markup, Rendering, join, link, markup, render

HARMFUL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")
OURS = re.compile(
    "\x1b\\[(?:0|1|1;31|38;2;255;136;0|38;5;208|33)m"
    "|\x1b\\]8;;(?:send:[!-~]+)?\x1b\\\\"
    '|\x1b\\[4z</?send(?: href="[^"<>\x1b]*")?>'
)

_any_text = st.text() | st.lists(
    st.sampled_from(
        [
            "\x1b[31m",
            "\x1b]8;;http://x\x1b\\",
            "\x9b",
            "\x1b[4z<b>",
            "<",
            "&lt;",
            "&",
            '"',
            ">",
            "!!SOUND(",
            "\n",
            "\u202e",
            "\u2039",
            "\uff01\uff01SOUND(",
            "a ",
        ]
    )
).map("".join)
_renderings = st.builds(
    Rendering,
    st.sampled_from([0, 8, 16, 256, 1 << 24]),
    st.none() | st.integers(-1, 30),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii", "cp1252", "gbk"]),
)


def test_a_rendering_is_a_key() -> None:
    assert {Rendering(16, 80): "x"}[Rendering(16, 80)] == "x"
    assert Rendering(16, 80) != Rendering(16, 79)


@pytest.mark.parametrize("rendering", [0, 256, Rendering(), Rendering(256, 80, links=True)])
def test_a_str_is_plain_whatever_the_client(rendering: Rendering | int) -> None:
    assert render("<b>{x}</b> & \x1b[31m\n", rendering) == "<b>{x}</b> & \n"


@pytest.mark.parametrize("rendering", [0, 1 << 24, Rendering(), Rendering(16, 17, links=True)])
def test_a_clean_str_is_not_even_copied(rendering: Rendering | int) -> None:
    text = "The fire crackles"
    assert render(text, rendering) is text
    text = "Two\nlines."
    assert render(text, 256) is text


def test_a_str_is_wrapped_to_the_width() -> None:
    assert render("The fire crackles", Rendering(width=16)) == "The fire\ncrackles"
    assert render("Il fait nuit, né?", Rendering(width=13)) == "Il fait nuit,\nné?"


def test_a_prompt_keeps_its_space() -> None:
    assert render("By what name? ", Rendering(width=79)) == "By what name? "


def test_for_a_client_with_mxp_all_text_is_escaped() -> None:
    mxp = Rendering(mxp=True)
    assert render('<b>"A & B"</b>', mxp) == "&lt;b&gt;&quot;A &amp; B&quot;&lt;/b&gt;"
    assert render(markup("<b>{x}</b> << &lt;", x="<send>"), mxp) == "&lt;send&gt; &lt; &amp;lt;"


def test_escapes_take_no_room_in_a_line() -> None:
    assert render("<<<<< & >>>>>", Rendering(width=13, mxp=True)) == "&lt;" * 5 + " &amp; " + "&gt;" * 5


def test_a_screen_reader_gets_words_and_nothing_else() -> None:
    text = markup("<b>{x}</b> <#f80>b</#f80> <on-red>{y}</on-red>", x="a", y=link("c", send="d"))
    assert render(text, Rendering()) == "a b c"
    assert render(text) == "a b c"


def everything(value: str) -> Markup:
    """Return markup with every feature, and a player's text in all places."""
    clickable = [link(word, send=value or "x") for word in ("north", value or "y")] if len(value) < 300 else []
    return markup("<b>{x}-<red>{x}</red></b><#f80>{x}</#f80> {y}", x=value, y=join(", ", clickable))


@given(_any_text, _renderings)
def test_no_str_holds_a_control_whatever_the_client(text: str, rendering: Rendering) -> None:
    rendered = render(text, rendering)
    assert not HARMFUL.search(rendered)
    assert not (rendering.mxp and re.search('[<>"]|&(?!(?:lt|gt|amp|quot);)', rendered))


@given(_any_text, _renderings)
def test_no_value_holds_a_control_whatever_the_client(text: str, rendering: Rendering) -> None:
    try:
        made = everything(text)
    except ValueError:  # nothing is left of it that a link could send
        return
    left = OURS.sub("", render(made, rendering))
    assert not HARMFUL.search(left)
    assert not (rendering.mxp and re.search('[<>"]|&(?!(?:lt|gt|amp|quot);)', left))


@given(_any_text, _renderings)
def test_everything_is_undone_within_its_line(text: str, rendering: Rendering) -> None:
    try:
        made = everything(text)
    except ValueError:
        return
    for line in render(made, rendering).split("\n"):
        assert len(re.findall("\x1b\\[[0-9;]+m", line)) == 2 * line.count("\x1b[0m")
        assert line.count("\x1b]8;;send:") == line.count("\x1b]8;;\x1b\\")
        assert line.count("\x1b[4z<send") == line.count("\x1b[4z</send>")


@given(_any_text, _renderings)
def test_without_colours_links_and_tags_there_is_no_escape(text: str, rendering: Rendering) -> None:
    try:
        made = everything(text)
    except ValueError:
        return
    assert "\x1b" not in render(made, rendering._replace(colours=0, links=False, mxp=False))


def test_a_client_without_links_is_sent_no_escape_for_them() -> None:
    ways = markup("<cyan>You can go {ways}.</cyan>", ways=join(" or ", [link("north"), link("west")]))
    assert render(ways, 16) == "\x1b[36mYou can go north or west.\x1b[0m"
