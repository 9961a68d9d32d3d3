"""Links: only what is safe in an escape or a tag gets there, and each is closed in its line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text import Rendering, link, markup, render
from trio_mud.text.links import LONGEST_URI

OSC8 = Rendering(links=True)
MXP = Rendering(mxp=True)

_any_text = st.text() | st.lists(
    st.sampled_from(["\x1b]8;;\x1b\\", "\x1b\\", "\x07", ">", '"', "%", "|", "a", "é", "\n"])
).map("".join)


def osc8(uri: str, text: str) -> str:
    return f"\x1b]8;;{uri}\x1b\\{text}\x1b]8;;\x1b\\"


def test_a_link_sends_its_own_words() -> None:
    assert render(link("north"), OSC8) == osc8("send:north", "north")
    assert render(link("north"), MXP) == '\x1b[4z<send href="north">north\x1b[4z</send>'


def test_a_link_sends_another_command() -> None:
    goose = link("a goose", send="feed goose 100% & é")
    assert render(goose, OSC8) == osc8("send:feed%20goose%20100%25%20%26%20%C3%A9", "a goose")
    assert render(goose, MXP) == '\x1b[4z<send href="feed goose 100% &amp; é">a goose\x1b[4z</send>'


def test_a_link_fills_the_input_line() -> None:
    ann = link("Ann", prompt="tell Ann ")
    assert render(ann, OSC8) == osc8("prompt:tell%20Ann%20", "Ann")
    assert render(ann, MXP) == '\x1b[4z<send href="tell Ann " prompt>Ann\x1b[4z</send>'


def test_a_link_leads_into_the_web() -> None:
    page = link("our page", web="https://example.org/a b?c=1&d=é#e")
    assert render(page, OSC8) == osc8("https://example.org/a%20b?c=1&d=%C3%A9#e", "our page")
    assert render(page, MXP) == ('\x1b[4z<a href="https://example.org/a%20b?c=1&amp;d=%C3%A9#e">our page\x1b[4z</a>')


def test_clients_that_know_both_get_the_better_one() -> None:
    assert render(link("a<b", send="x"), Rendering(links=True, mxp=True)) == osc8("send:x", "a&lt;b")


def test_without_links_a_command_is_its_text_and_an_address_is_told() -> None:
    page = link("our page", web="https://example.org/")
    assert render(link("a goose", send="feed goose"), 16) == "a goose"
    assert render(markup("See {page}.", page=page), 0) == "See our page (https://example.org/)."
    assert render(link("https://example.org/", web="https://example.org/"), 0) == "https://example.org/"


def test_an_address_is_told_once_and_before_what_follows() -> None:
    styled = link(markup("<b>our</b> page"), web="https://example.org/")
    assert render(styled + " and " + styled, 8) == (
        "\x1b[1mour\x1b[0m page (https://example.org/) and \x1b[1mour\x1b[0m page (https://example.org/)"
    )


def test_a_told_address_is_no_sound_trigger() -> None:
    page = link("x", web="http://a/!!SOUND(b)")
    for rendering in (Rendering(sounds=True), Rendering(sounds=True, links=True)):
        assert "!SOUND(" not in render(page, rendering)


def test_a_link_has_styles_and_ends_with_its_line() -> None:
    rendered = render(markup("<red>{x}</red>", x=link("one\n\ntwo", send="y")), Rendering(16, links=True))
    assert rendered == "\n\n".join([osc8("send:y", f"\x1b[31m{word}\x1b[0m") for word in ("one", "two")])


def test_the_inner_link_wins() -> None:
    inner = markup("<b>{x}</b>", x=link("x", send="inner"))
    assert render(link(inner, send="outer"), OSC8) == osc8("send:outer", "x")


def test_a_command_that_mxp_would_part_is_no_link_there() -> None:
    either = link("either", send="say a|b")
    assert render(either, MXP) == "either"
    assert render(either, OSC8) == osc8("send:say%20a%7Cb", "either")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "file:///etc/passwd", "example.org", " http://x", "send:quit"]
)
def test_only_web_addresses_are_links_into_the_web(address: str) -> None:
    with pytest.raises(ValueError, match="begin it with http:// or https://"):
        link("x", web=address)


def test_a_link_has_one_target() -> None:
    with pytest.raises(ValueError, match="choose one of send, prompt and web"):
        link("x", send="y", web="https://example.org")
    with pytest.raises(ValueError, match="give it the command to send"):
        link("")


def test_a_link_is_never_longer_than_clients_take() -> None:
    longest = LONGEST_URI - len("send:")
    assert len(render(link("x", send="a" * longest), OSC8)) == LONGEST_URI + len(osc8("", "x"))
    with pytest.raises(ValueError, match=r"4097 bytes, and the maximum is 4096"):
        link("x", send="a" * (longest + 1))
    with pytest.raises(ValueError, match="is too long for a link"):
        link("x", web="http://" + "é" * 1000)


@given(_any_text, _any_text)
def test_no_target_can_leave_its_link(text: str, target: str) -> None:
    try:
        links = [link(text, send=target), link(text, prompt=target), link(text, web="http://" + target)]
    except ValueError:
        return
    for made in links:
        rendered = render(made, OSC8)
        pieces = re.findall(r"\x1b\]8;;([ -~]+)\x1b\\([^\x1b\n]+)\x1b\]8;;\x1b\\", rendered)
        assert re.sub(r"\x1b\]8;;[ -~]*\x1b\\", "", rendered) == made.plain
        assert rendered.count("\x1b") == 4 * len(pieces)
        assert all(re.fullmatch(r"(send:|prompt:|http://)[!#-;=?-_a-z~]*", uri) for uri, _ in pieces)


@given(_any_text, _any_text)
def test_no_target_can_leave_its_tag(text: str, target: str) -> None:
    try:
        made = link(text, send=target)
    except ValueError:
        return
    tag = r'\x1b\[4z<send href="[^"<>\x00-\x08\x0a-\x1f]+">([^<>"\x1b\n]+)\x1b\[4z</send>'
    assert not re.search(r'[<>"\x1b]', re.sub(tag, r"\1", render(made, MXP)))
