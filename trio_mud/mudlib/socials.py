"""Socials: gestures that players make by one word, as data.

    [bow]                                           one table for each, by the word that players type
    alone.actor = "You bow."                        without a target: for the player who types it
    alone.others = "{actor} bows."                  and for the others in the room
    aimed.actor = "You bow to {target}."            with a target; left out, the social takes none
    aimed.target = "{actor} bows to you."
    aimed.others = "{actor} bows to {target}."

The texts are templates of `markup`, checked when the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from trio_mud import markup
from trio_mud.errors import ConfigurationError

from .toml_tables import read_table, read_toml

__all__ = ["Aimed", "Alone", "Social", "read_socials"]

MOST_SOCIALS = 500

_WORD = re.compile(r"[a-z]{2,16}")

Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Alone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of a gesture without a target."""

    actor: Sentence
    others: Sentence


class Aimed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of a gesture with a target."""

    actor: Sentence
    target: Sentence
    others: Sentence


class Social(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gesture."""

    alone: Alone
    aimed: Aimed | None = None


def read_socials(text: str, file: str) -> Mapping[str, Social]:
    """Return the socials of a TOML text, by word.

    Args:
        text: The TOML.
        file: Its name in messages.

    Raises:
        ConfigurationError: A social is described wrongly; the message names file, table and key.
    """
    tables = read_toml(text, file)
    if len(tables) > MOST_SOCIALS:
        raise ConfigurationError(f"{file}: {len(tables)} socials; write at most {MOST_SOCIALS}")
    return {word: _read(table, word, f"{file}: {word}") for word, table in tables.items()}


def _read(table: object, word: str, where: str) -> Social:
    if not _WORD.fullmatch(word):
        raise ConfigurationError(f"{where}: name a social by one word of 2 to 16 letters from a to z")
    social = read_table(table, Social, where)
    _check(social.alone, f"{where}.alone", actor="")
    if social.aimed is not None:
        _check(social.aimed, f"{where}.aimed", actor="", target="")
    return social


def _check(texts: Alone | Aimed, where: str, **words: str) -> None:
    for key, template in msgspec.structs.asdict(texts).items():
        try:
            markup(template, **words)
        except ValueError as error:
            fields = " and ".join(f"{{{word}}}" for word in words)
            raise ConfigurationError(f"{where}.{key}: {error}; known fields: {fields}") from None
