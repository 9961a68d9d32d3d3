"""Styles: the appearance and the link of a piece of text, and the tags for them."""

from functools import lru_cache
from typing import Final, NamedTuple

from .colours import NAMES, RGB, channels, colour_named, nearest_of_16, nearest_of_256
from .links import LinkTarget

RESET: Final = "\x1b[0m"
TRUECOLOUR: Final = 1 << 24


class Style(NamedTuple):
    """The appearance of a piece of text; with False and None everywhere, the terminal's default."""

    colour: int | None = None  # as in colours.py
    background: int | None = None
    bold: bool = False
    italic: bool = False
    underlined: bool = False
    link: LinkTarget | None = None

    def over(self, outer: "Style") -> "Style":
        """Return this style inside another: its colours and its link win, the rest adds up."""
        if outer is PLAIN:
            return self
        return Style(
            outer.colour if self.colour is None else self.colour,
            outer.background if self.background is None else self.background,
            self.bold or outer.bold,
            self.italic or outer.italic,
            self.underlined or outer.underlined,
            self.link or outer.link,
        )

    def escape(self, colours: int) -> str:
        """Return the escape sequence that switches from the default to this style; empty if nothing changes."""
        if colours < 8:
            return ""
        return _escape(self.colour, self.background, self.bold, self.italic, self.underlined, colours)


@lru_cache(maxsize=1024)  # distinct styles; a game has dozens, unless it computes colours
def _escape(
    colour: int | None, background: int | None, bold: bool, italic: bool, underlined: bool, colours: int
) -> str:
    codes = []
    if colours < 16 and colour is not None:
        colour = nearest_of_16(colour)
        bold, colour = bold or colour >= 8, colour % 8  # eight-colour terminals show bold as bright
    if colours < 16 and background is not None:
        background = nearest_of_16(background) % 8
    if bold:
        codes.append("1")
    if italic:
        codes.append("3")
    if underlined:
        codes.append("4")
    if colour is not None:
        codes.append(_code(colour, colours, 30))
    if background is not None:
        codes.append(_code(background, colours, 40))
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _code(colour: int, colours: int, base: int) -> str:
    """Return the SGR parameter of a colour; `base` is 30 for the text and 40 for the background."""
    if colour >= RGB and colours >= TRUECOLOUR:
        red, green, blue = channels(colour)
        return f"{base + 8};2;{red};{green};{blue}"
    if colour >= RGB and colours >= 256:
        return f"{base + 8};5;{nearest_of_256(colour)}"
    colour = nearest_of_16(colour)
    return str(base + colour if colour < 8 else base + 52 + colour)


PLAIN: Final = Style()
TAGS: Final = ("b", "i", "u", *NAMES, "bright-red, ...", "on-red, ...", "on-bright-red, ...", "#ff8800", "on-#ff8800")
_LOOKS: Final = {"b": Style(bold=True), "i": Style(italic=True), "u": Style(underlined=True)}


def style_of(tag: str) -> Style | None:
    """Return the style of a tag; None if there is no such tag."""
    if tag in _LOOKS:
        return _LOOKS[tag]
    name = tag.removeprefix("on-")
    colour = colour_named(name)
    if colour is None:
        return None
    return Style(colour=colour) if name == tag else Style(background=colour)
