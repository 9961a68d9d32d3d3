"""Markup: text with styles, from templates in which a value can never become a tag.

    markup("<b>{name}</b> drinks <bright-red>{potion}</bright-red>.", name=name, potion=potion)

Tags:
    <b> <i> <u>                     bold, italic, underlined
    <red> ... <bright-red> ...      black red green yellow blue magenta cyan white, and their bright variants
    <#ff8800> or <#f80>             any colour; the nearest one if the client shows 256 or 16
    <on-red> <on-#204060> ...       the same, as background

A tag is closed by its own name: <#f80>embers</#f80>. Tags nest: the inner colour wins, and styles add up. Write a
literal brace or a literal < twice.

The template is code, and its tags are trusted; values are not. Never build a template from a player's text. Links and
sounds are values, created by `link`, `sound` and `music`: only Markup can contain them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from .cleaning import clean_text, exact
from .links import to_command, to_web
from .styles import PLAIN, TAGS, Style, style_of

Span: TypeAlias = tuple[str, Style]


@dataclass(frozen=True, slots=True)
class Markup:
    """A text with styles; immutable, and clean if it was created by the functions of this package.

    It can be a value in another template, and be added to other markup or to a `str`, which is cleaned. Converted to
    `str` it is its plain text.
    """

    spans: tuple[Span, ...]
    sounds: tuple[str, ...] = ()  # triggers, which play when the text arrives

    @property
    def plain(self) -> str:
        """The text without styles."""
        return "".join([text for text, _ in self.spans])

    def __str__(self) -> str:
        return self.plain

    def __add__(self, other: "Text") -> "Markup":
        return Markup(self.spans + _spans(other, PLAIN), self.sounds + _sounds(other))

    def __radd__(self, other: str) -> "Markup":
        return Markup(_spans(other, PLAIN) + self.spans, self.sounds)


Text: TypeAlias = str | Markup
"""A text for players: a plain `str`, or a `Markup` with styles."""


def markup(template: str, /, **values: object) -> Markup:
    """Fill a template: each `{name}` is replaced by the value of that name.

    A Markup value keeps its styles. Any other value is converted to `str` and cleaned, and its braces and < are
    literal.

    Raises:
        ValueError: The template has an unknown, unclosed or misnested tag, or a field without a value.
    """
    spans: list[Span] = []
    sounds: tuple[str, ...] = ()
    for piece, style in _parse(template if type(template) is str else exact(template)):
        if isinstance(piece, str):
            spans.append((piece, style))
        elif piece.name in values:
            value = values[piece.name]
            spans.extend(_spans(value, style))
            if isinstance(value, Markup):
                sounds += value.sounds
        else:
            raise ValueError(f"{template!r} has a field {{{piece.name}}}: pass {piece.name}=...")
    return Markup(tuple(spans), sounds)


def join(separator: Text, texts: Iterable[Text]) -> Markup:
    """Join texts with a separator between them, as `str.join` does."""
    between = _spans(separator, PLAIN)
    spans: list[Span] = []
    sounds: list[str] = []
    for number, text in enumerate(texts):
        spans.extend(between if number else ())
        spans.extend(_spans(text, PLAIN))
        sounds.extend(_sounds(text))
    return Markup(tuple(spans), tuple(sounds))


def link(text: Text, *, send: str = "", prompt: str = "", web: str = "") -> Markup:
    """Make a text clickable in clients that support links; elsewhere it is plain text.

        link("north")                        sends its own words
        link("a goose", send="feed goose")   sends a command
        link("Ann", prompt="tell Ann ")      puts a command into the input line, to be completed
        link("our page", web="https://...")  opens an address, shown in brackets in clients without links

    Raises:
        ValueError: There is more than one target, the address has a scheme other than http and https, there is nothing
            to send, or the link is longer than 4096 bytes.
    """
    if bool(send) + bool(prompt) + bool(web) > 1:
        raise ValueError(f"the link {str(text)!r} has several targets: choose one of send, prompt and web")
    target = to_web(web) if web else to_command(prompt or send or str(text), sends=not prompt)
    return Markup(tuple([(piece, style._replace(link=target)) for piece, style in _spans(text, PLAIN)]), _sounds(text))


def _spans(value: object, style: Style) -> tuple[Span, ...]:
    if isinstance(value, Markup):
        if style is PLAIN:
            return value.spans
        return tuple([(text, inner.over(style)) for text, inner in value.spans])
    text = clean_text(exact(str(value)))
    return ((text, style),) if text else ()


def _sounds(value: object) -> tuple[str, ...]:
    return value.sounds if isinstance(value, Markup) else ()


class _Field(NamedTuple):
    name: str


_TOKEN: Final = re.compile(
    r"(?P<text>[^<{}]+)"
    r"|(?P<doubled><<|\{\{|\}\})"
    r"|\{(?P<field>[^\W\d]\w*)\}"
    r"|<(?P<opened>[a-z#][a-zA-Z0-9#-]*)>"
    r"|</(?P<closed>[a-z#][a-zA-Z0-9#-]*)>"
)


@lru_cache(maxsize=512)  # templates are literals in code, so there are not many
def _parse(template: str) -> tuple[tuple[str | _Field, Style], ...]:
    """Split a template into texts and fields, each with its style."""
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
            inner = style_of(found)
            if inner is None:
                raise ValueError(f"{template!r} has an unknown tag <{found}>: use one of {', '.join(TAGS)}")
            outer.append((found, style))
            style = inner.over(style)
        else:
            if not outer or outer[-1][0] != found:
                expected = f"</{outer[-1][0]}>" if outer else "no closing tag"
                raise ValueError(f"{template!r} has </{found}> where {expected} can stand: close the last opened first")
            style = outer.pop()[1]
        at = token.end()
    if outer:
        raise ValueError(f"{template!r} leaves <{outer[-1][0]}> open: end it with </{outer[-1][0]}>")
    return tuple(pieces)
