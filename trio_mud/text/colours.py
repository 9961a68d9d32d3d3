"""Colours: their numbers in this package, and the nearest ones a terminal can show.

0 to 7 are the colours of ECMA-48, 8 to 15 their bright variants; the user's terminal defines how they look. Numbers
from `RGB` are true colours: RGB | 0xrrggbb.
"""

import re
from typing import Final

RGB: Final = 1 << 24
NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

_NOTATION: Final = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
# The sixteen colours with xterm's default values.
_SIXTEEN: Final = (
    *(0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5),
    *(0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF),
)
_WEIGHTS: Final = (2, 4, 3)  # weights of red, green and blue in a difference: the eye is most sensitive to green
_CUBE: Final = (0, 95, 135, 175, 215, 255)  # the channel values of colours 16 to 231 in xterm's 256


def colour_named(name: str) -> int | None:
    """Return the number of a named colour (red, bright-red, #ff8800, #f80); None if the name is unknown."""
    bright = name.removeprefix("bright-")
    if bright in NAMES:
        return NAMES.index(bright) + (8 if bright != name else 0)
    if not _NOTATION.fullmatch(name):
        return None
    digits = name[1:] if len(name) == 7 else "".join([digit * 2 for digit in name[1:]])
    return RGB | int(digits, 16)


def nearest_of_16(colour: int) -> int:
    """Return the colour itself if it is one of the sixteen, else the most similar of them."""
    if colour < RGB:
        return colour
    return min(range(16), key=lambda number: _distance(colour, _SIXTEEN[number]))


def nearest_of_256(colour: int) -> int:
    """Return the number in xterm's palette most similar to a true colour, except the sixteen, which users redefine."""
    wanted = channels(colour)
    steps = [min(range(6), key=lambda step: abs(_CUBE[step] - channel)) for channel in wanted]
    red, green, blue = (_CUBE[step] for step in steps)
    mean = sum([weight * channel for weight, channel in zip(_WEIGHTS, wanted, strict=True)]) / sum(_WEIGHTS)
    grey = min(23, max(0, round((mean - 8) / 10)))  # 24 greys: 8, 18, ... 238
    if _distance(colour, (8 + 10 * grey) * 0x010101) < _distance(colour, red << 16 | green << 8 | blue):
        return 232 + grey
    return 16 + 36 * steps[0] + 6 * steps[1] + steps[2]


def channels(colour: int) -> tuple[int, int, int]:
    """Return red, green and blue of a true colour, 0 to 255 each."""
    return colour >> 16 & 255, colour >> 8 & 255, colour & 255


def _distance(one: int, other: int) -> int:
    """Return a measure of the difference of two true colours."""
    pairs = zip(_WEIGHTS, channels(one), channels(other), strict=True)
    return sum([weight * (channel - another) ** 2 for weight, channel, another in pairs])
