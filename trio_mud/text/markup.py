"""Markup: text with styles, from templates in which a value can never become a tag.

    markup("<b>{name}</b> drinks <bright-red>{potion}</bright-red>.", name=name, potion=potion)

Tags are <b>, <i>, <u>, the eight colours of ECMA-48 (<black> <red> <green> <yellow> <blue> <magenta> <cyan>
<white>) and their bright kin (<bright-red>, ...).  They nest; the inner colour wins, styles add up.  A literal brace
is written twice, and so is a literal <.

The template is code and is trusted for its tags; values are not.  Never build a template from a player's text.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from .cleaning import clean_text

_COLOURS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_RESET: Final = "\x1b[0m"


class Style(NamedTuple):
    """How a piece of text looks; all false and None is how the terminal looks by itself."""

    colour: int | None = None  # 0..7 as in ECMA-48, 8..15 their bright kin
    bold: bool = False
    italic: bool = False
    underlined: bool = False

    def over(self, outer: "Style") -> "Style":
        """This style inside another: its colour wins, the rest adds up."""
        return Style(
            outer.colour if self.colour is None else self.colour,
            self.bold or outer.bold,
            self.italic or outer.italic,
            self.underlined or outer.underlined,
        )

    def escape(self, colours: int) -> str:
        """The escape sequence that switches this on, coming from no style at all; empty for no style."""
        bold, colour, codes = self.bold, self.colour, []
        if colour is not None and colour >= 8 and colours < 16:
            bold, colour = True, colour - 8  # Eight-colour terminals show bold as bright.
        if bold:
            codes.append("1")
        if self.italic:
            codes.append("3")
        if self.underlined:
            codes.append("4")
        if colour is not None:
            codes.append(str(30 + colour if colour < 8 else 82 + colour))
        return f"\x1b[{';'.join(codes)}m" if codes else ""


PLAIN: Final = Style()
_TAGS: Final = {
    "b": Style(bold=True),
    "i": Style(italic=True),
    "u": Style(underlined=True),
    **{name: Style(colour=number) for number, name in enumerate(_COLOURS)},
    **{f"bright-{name}": Style(colour=number + 8) for number, name in enumerate(_COLOURS)},
}


@dataclass(frozen=True, slots=True)
class Markup:
    """A text with styles; immutable, and clean by construction when it comes from `markup`.

    It can be a value in another template, and be added to other markup or to a `str`, which is cleaned.
    As a `str` it is its plain text.
    """

    spans: tuple[tuple[str, Style], ...]

    @property
    def plain(self) -> str:
        """The text without any style."""
        return "".join([text for text, _ in self.spans])

    def __str__(self) -> str:
        return self.plain

    def __add__(self, other: "str | Markup") -> "Markup":
        return Markup(self.spans + _spans(other, PLAIN))

    def __radd__(self, other: str) -> "Markup":
        return Markup(_spans(other, PLAIN) + self.spans)

    def render(self, colours: int) -> str:
        """The text with escape sequences for a terminal with this many colours; below 8, the plain text.

        Every style is off at the end and at each newline, and on again after it: a line that is shown by itself, or
        followed by a client's own, looks as meant.
        """
        if colours < 8:
            return self.plain
        pieces = []
        for text, style in self.spans:
            escape = style.escape(colours)
            if not escape:
                pieces.append(text)
                continue
            lines = [f"{escape}{line}{_RESET}" if line else "" for line in text.split("\n")]
            pieces.append("\n".join(lines))
        return "".join(pieces)


def markup(template: str, /, **values: object) -> Markup:
    """Fill a template: `{name}` is replaced by the value of that name.

    A Markup value keeps its styles; any other is turned into a `str` and cleaned, and its braces and < are text.

    Raises:
        ValueError: The template has an unknown, unclosed or misnested tag, or a field that has no value.
    """
    spans: list[tuple[str, Style]] = []
    for piece, style in _parse(template):
        if isinstance(piece, str):
            spans.append((piece, style))
        elif piece.name in values:
            spans.extend(_spans(values[piece.name], style))
        else:
            raise ValueError(f"{template!r} has a field {{{piece.name}}}: pass {piece.name}=...")
    return Markup(tuple(spans))


def _spans(value: object, style: Style) -> tuple[tuple[str, Style], ...]:
    if isinstance(value, Markup):
        return tuple([(text, inner.over(style)) for text, inner in value.spans])
    text = clean_text(str(value))
    return ((text, style),) if text else ()


class _Field(NamedTuple):
    name: str


_TOKEN: Final = re.compile(
    r"(?P<text>[^<{}]+)"
    r"|(?P<doubled><<|\{\{|\}\})"
    r"|\{(?P<field>[^\W\d]\w*)\}"
    r"|<(?P<opened>[a-z][a-z-]*)>"
    r"|</(?P<closed>[a-z][a-z-]*)>"
)


@lru_cache(maxsize=512)  # templates; they stand in the code, so there are not many
def _parse(template: str) -> tuple[tuple[str | _Field, Style], ...]:
    """Cut a template into texts and fields, each with its style."""
    pieces: list[tuple[str | _Field, Style]] = []
    style, outer = PLAIN, []  # outer: each open tag with the style around it
    at = 0
    while at < len(template):
        token = _TOKEN.match(template, at)
        if token is None or token.lastgroup is None:
            rest = template[at : at + 10]
            raise ValueError(f"{template!r} cannot be read at {rest!r}: write a literal <, {{ or }} twice")
        found = token[token.lastgroup]
        if token.lastgroup == "text":
            pieces.append((clean_text(found), style))
        elif token.lastgroup == "doubled":
            pieces.append((found[0], style))
        elif token.lastgroup == "field":
            pieces.append((_Field(found), style))
        elif token.lastgroup == "opened":
            if found not in _TAGS:
                raise ValueError(f"{template!r} has an unknown tag <{found}>: use one of {', '.join(_TAGS)}")
            outer.append((found, style))
            style = _TAGS[found].over(style)
        else:
            if not outer or outer[-1][0] != found:
                expected = f"</{outer[-1][0]}>" if outer else "no closing tag"
                raise ValueError(f"{template!r} has </{found}> where {expected} can stand: close the last opened first")
            style = outer.pop()[1]
        at = token.end()
    if outer:
        raise ValueError(f"{template!r} leaves <{outer[-1][0]}> open: end it with </{outer[-1][0]}>")
    return tuple(pieces)
