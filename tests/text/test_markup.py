"""Markup: tags come from templates, never from values."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text import Markup, Text, join, markup, render

ESCAPE = re.compile(r"\x1b\[[0-9;]+m")

_any_text = st.one_of(
    st.text(),
    st.lists(st.sampled_from(["\x1b[31m", "\x9b", "<b>", "</b>", "<", "{x}", "{", "}", "\n", "\x1b]", "a"])).map(
        "".join
    ),
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("<b>x</b>", "\x1b[1mx\x1b[0m"),
        ("<i>x</i>", "\x1b[3mx\x1b[0m"),
        ("<u>x</u>", "\x1b[4mx\x1b[0m"),
        ("<red>x</red>", "\x1b[31mx\x1b[0m"),
        ("<black>x</black>", "\x1b[30mx\x1b[0m"),
        ("<bright-white>x</bright-white>", "\x1b[97mx\x1b[0m"),
        ("<b><i><u><red>x</red></u></i></b>", "\x1b[1;3;4;31mx\x1b[0m"),
        ("<red>a<blue>b</blue>c</red>d", "\x1b[31ma\x1b[0m\x1b[34mb\x1b[0m\x1b[31mc\x1b[0md"),
        ("<red>a\n\nb</red>", "\x1b[31ma\x1b[0m\n\n\x1b[31mb\x1b[0m"),
        ("<on-blue>x</on-blue>", "\x1b[44mx\x1b[0m"),
        ("<on-bright-blue><black>x</black></on-bright-blue>", "\x1b[30;104mx\x1b[0m"),
        ("<on-red>a<on-blue>b</on-blue></on-red>", "\x1b[41ma\x1b[0m\x1b[44mb\x1b[0m"),
        ("<b></b>", ""),
        ("a << b > c {{d}}", "a < b > c {d}"),
        ("", ""),
    ],
)
def test_tags_become_styles_that_end(template: str, expected: str) -> None:
    assert render(markup(template), 16) == expected


@pytest.mark.parametrize("colours", [0, 1, 7])
def test_without_colours_it_is_plain(colours: int) -> None:
    assert render(markup("<b>a</b> <red>b</red>"), colours) == "a b"


@pytest.mark.parametrize("colours", [16, 256, 1 << 24])
def test_bright_colours_are_colours_where_there_are_sixteen(colours: int) -> None:
    assert render(markup("<bright-red>x</bright-red>"), colours) == "\x1b[91mx\x1b[0m"


def test_bright_colours_are_bold_where_there_are_eight() -> None:
    assert render(markup("<bright-red>x</bright-red>"), 8) == "\x1b[1;31mx\x1b[0m"


@pytest.mark.parametrize(
    ("template", "colours", "expected"),
    [
        ("<#ff8800>x</#ff8800>", 1 << 24, "\x1b[38;2;255;136;0mx\x1b[0m"),
        ("<#f80>x</#f80>", 1 << 24, "\x1b[38;2;255;136;0mx\x1b[0m"),
        ("<#FF8800>x</#FF8800>", 256, "\x1b[38;5;208mx\x1b[0m"),
        ("<#f00>x</#f00>", 16, "\x1b[91mx\x1b[0m"),
        ("<#f00>x</#f00>", 8, "\x1b[1;31mx\x1b[0m"),
        ("<#f00>x</#f00>", 0, "x"),
        ("<on-#204060>x</on-#204060>", 1 << 24, "\x1b[48;2;32;64;96mx\x1b[0m"),
        ("<on-#204060>x</on-#204060>", 256, "\x1b[48;5;238mx\x1b[0m"),
        ("<on-#f00>x</on-#f00>", 16, "\x1b[101mx\x1b[0m"),
        ("<on-#f00>x</on-#f00>", 8, "\x1b[41mx\x1b[0m"),
        ("<b><#f80>x</#f80></b>", 256, "\x1b[1;38;5;208mx\x1b[0m"),
    ],
)
def test_any_colour_is_shown_as_well_as_the_client_can(template: str, colours: int, expected: str) -> None:
    assert render(markup(template), colours) == expected


@pytest.mark.parametrize("colours", [16, 256, 1 << 24])
def test_the_sixteen_keep_their_names_however_many_there_are(colours: int) -> None:
    assert render(markup("<red>x</red>"), colours) == "\x1b[31mx\x1b[0m"


def test_a_value_is_text_whatever_it_holds() -> None:
    text = markup("<b>{name}</b>", name="<red>{name}</red>\x1b[31m<<")
    assert text.plain == "<red>{name}</red><<"
    assert render(text, 16) == "\x1b[1m<red>{name}</red><<\x1b[0m"


def test_a_value_may_be_of_any_type() -> None:
    assert str(markup("{gold} of {all}", gold=3, all=None)) == "3 of None"


def test_a_field_may_be_called_template() -> None:
    assert markup("{template}", template="x").plain == "x"


def test_a_markup_value_keeps_its_styles_inside_those_around_it() -> None:
    inner = markup("<red>a</red><u>b</u>c")
    assert render(markup("<blue><b>{x}</b></blue>", x=inner), 16) == (
        "\x1b[1;31ma\x1b[0m\x1b[1;4;34mb\x1b[0m\x1b[1;34mc\x1b[0m"
    )


def test_markup_can_be_added_to_markup_and_to_text() -> None:
    bold = markup("<b>b</b>")
    assert render("a\x1b[31m" + bold + "c\x07" + bold, 8) == "a\x1b[1mb\x1b[0mc\x1b[1mb\x1b[0m"


def test_texts_can_be_joined() -> None:
    exits: list[Text] = [markup("<b>north</b>"), "east\x1b[31m", markup("<u>up</u>")]
    assert render(join(", ", exits), 8) == "\x1b[1mnorth\x1b[0m, east, \x1b[4mup\x1b[0m"
    assert join(markup("<b>-</b>"), ["", ""]) == markup("<b>-</b>")
    assert join(", ", []) == markup("")


def test_markup_is_a_value() -> None:
    assert markup("<b>{x}</b>", x="a") == markup("<b>a</b>")
    assert len({markup("a"), markup("a"), markup("<b>a</b>")}) == 2
    with pytest.raises(AttributeError):
        markup("a").spans = ()  # type: ignore[misc]


def test_the_template_itself_cannot_bring_an_escape() -> None:
    assert render(markup("a\x1b[31mb\x1b<b>c</b>"), 8) == "ab\x1b[1mc\x1b[0m"


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("<b>x", "leaves <b> open: end it with </b>"),
        ("<b><i>x</b></i>", "has </b> where </i> can stand"),
        ("x</b>", "has </b> where no closing tag can stand"),
        ("<blink>x</blink>", "unknown tag <blink>: use one of b, i, u, black"),
        ("<#ff>x</#ff>", "unknown tag <#ff>"),
        ("<on-b>x</on-b>", "unknown tag <on-b>"),
        ("<#f80>x</#ff8800>", "has </#ff8800> where </#f80> can stand"),
        ("a < b", "write a literal <, { or } twice"),
        ("<{x}>", "write a literal <, { or } twice"),
        ("{", "write a literal <, { or } twice"),
        ("}", "write a literal <, { or } twice"),
        ("{}", "write a literal <, { or } twice"),
        ("{x!r}", "write a literal <, { or } twice"),
        ("{x.y}", "write a literal <, { or } twice"),
        ("{who} smiles", "has a field {who}: pass who=..."),
    ],
)
def test_a_wrong_template_says_what_to_do(template: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        markup(template)


@given(_any_text, st.sampled_from([0, 8, 16, 256]))
def test_no_value_can_make_an_escape(value: str, colours: int) -> None:
    rendered = render(markup("<b>{x}</b>-{x}", x=value), colours)
    left = ESCAPE.sub("", rendered)
    assert "\x1b" not in left
    assert "\x9b" not in left
    assert left == markup("<b>{x}</b>-{x}", x=value).plain
    assert set(ESCAPE.findall(rendered)) <= {"\x1b[1m", "\x1b[0m"}


@given(_any_text, st.sampled_from([8, 16]))
def test_every_line_ends_without_a_style(value: str, colours: int) -> None:
    for line in render(markup("<red>{x}<b>{x}</b></red>", x=value), colours).split("\n"):
        escapes = ESCAPE.findall(line)
        assert len(escapes) % 2 == 0
        assert set(escapes[1::2]) <= {"\x1b[0m"}


@given(_any_text)
def test_any_template_is_read_or_refused(template: str) -> None:
    try:
        text = markup(template)
    except ValueError:
        return
    assert "\x1b" not in text.plain


def test_markup_is_rendered_with_its_colours() -> None:
    text: Text = markup("<b>x</b>")
    assert isinstance(text, Markup)
    assert (render(text, 0), render(text, 8)) == ("x", "\x1b[1mx\x1b[0m")
