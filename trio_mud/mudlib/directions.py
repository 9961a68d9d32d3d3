"""The ways that players can go: their names, short names and opposites."""

from typing import Final

from trio_mud.commands import Mistake, listing, matches

from .phrases import PHRASES
from .villager import Villager

__all__ = ["DIRECTIONS", "origin_of", "short_of", "way_out"]

DIRECTIONS: Final = {
    "north": "n",
    "northeast": "ne",
    "east": "e",
    "southeast": "se",
    "south": "s",
    "southwest": "sw",
    "west": "w",
    "northwest": "nw",
    "up": "u",
    "down": "d",
}
"""The short name of each; an exit may have another name, which `go` understands."""

PAIRS: Final = (
    ("north", "south"),
    ("northeast", "southwest"),
    ("east", "west"),
    ("southeast", "northwest"),
    ("up", "down"),
)
OPPOSITES: Final = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}


def origin_of(way: str) -> str:
    """Return where a walker comes from who went this way: `from the south`, `from below`, `in`."""
    origin = OPPOSITES.get(way)
    if origin is None:
        return "in"
    return {"up": "from above", "down": "from below"}.get(origin, f"from the {origin}")


def short_of(way: str) -> str:
    """Return the short name of a way, by which programs know it."""
    return DIRECTIONS.get(way, way)


def way_out(who: Villager, words: str) -> str:
    """Return the way that the words mean: a direction, or another exit of the room; a converter.

    Raises:
        Mistake: It is not clear which.
    """
    names = {short: way for way, short in DIRECTIONS.items()} | {way: way for way in (*DIRECTIONS, *who.here.exits)}
    meant = dict.fromkeys(names[name] for name in matches(words, names))
    if len(meant) > 1:
        raise Mistake(PHRASES.which_way.format(choices=listing(list(meant), "or")))
    if not meant:
        raise Mistake(PHRASES.no_way.format(way=words))
    return next(iter(meant))
