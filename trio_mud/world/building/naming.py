"""Names and directions that builders choose: which are allowed, and the keys made of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Container
from itertools import count

from trio_mud.commands import Mistake

from ..verbs import DIRECTIONS
from .options import BuildingOptions
from .phrases import BuildingPhrases

__all__ = ["checked_name", "checked_text", "free_key", "opposite_of", "read_way"]

MAX_KEY = 40  # characters of a key that is made of a name
MAX_WAY = 20  # characters of a direction

_WAY = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_UNSAFE = frozenset("<>{}")  # games put names into templates of markup


def checked_name(words: str, field: str, phrases: BuildingPhrases, options: BuildingOptions) -> str:
    """Return a name with single spaces.

    Raises:
        Mistake: It is empty, too long, or has characters that do not belong into a name.
    """
    name = " ".join(words.split())
    if not any(map(str.isalnum, name)) or not name.isprintable() or _UNSAFE.intersection(name):
        raise Mistake(phrases.bad_name.format())
    if len(name) > options.max_name:
        raise Mistake(phrases.too_long.format(field=field, most=options.max_name, unit=phrases.characters))
    return name


def checked_text(text: str, field: str, phrases: BuildingPhrases, options: BuildingOptions) -> str:
    """Return a text without control characters other than newlines and tabs.

    Raises:
        Mistake: It is too long.
    """
    text = "".join(character for character in text if character.isprintable() or character in "\n\t")
    if len(text.encode()) > options.max_text:
        raise Mistake(phrases.too_long.format(field=field, most=options.max_text, unit=phrases.bytes))
    return text


def free_key(name: str, taken: Container[str]) -> str:
    """Return a key that is not taken and resembles a name: `the-old-mill`, or `the-old-mill-2`."""
    words = re.sub(r"[\W_]+", "-", name.casefold()).strip("-")[:MAX_KEY].strip("-") or "built"
    return next(key for number in count(1) if (key := words if number == 1 else f"{words}-{number}") not in taken)


def opposite_of(way: str, phrases: BuildingPhrases) -> str:
    """Return the direction that leads back; an empty string if none is known."""
    for pair in phrases.opposites.casefold().split():
        one, _, other = pair.partition("-")
        if way in (one, other):
            return other if way == one else one
    return ""


def read_way(word: str, verbs: Collection[str], phrases: BuildingPhrases) -> str:
    """Return a direction: a known one, or another word that is no verb of the builder.

    Raises:
        Mistake: It is none.
    """
    way = word.casefold()
    way = next((long for long, short in DIRECTIONS.items() if way in short), way)
    if opposite_of(way, phrases):
        return way
    words = (phrases.here, phrases.to, phrases.back, phrases.nowhere)
    if not _WAY.fullmatch(way) or len(way) > MAX_WAY or way in verbs or way in words:
        raise Mistake(phrases.not_a_way.format(word=word))
    return way
