"""What may be somebody's name, and when two names are the same.

Names are shown to everybody and typed by everybody, so they are strict: letters that can be seen, of one alphabet.
Two names that differ in case, accents or alphabet alone are one name, so nobody needs a foreign keyboard to talk to
Łukasz, and no second one can come in as Lukasz.

Who uses it: `entry.py`, and whoever looks a player up by name.

Source: RFC 8264 and 8265 (PRECIS, UsernameCaseMapped) by precis-i18n; transliteration by anyascii;
Unicode UTS 39 (look-alikes) by confusable-homoglyphs
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import Mistake

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

__all__ = ["LONGEST", "SHORTEST", "appearance", "read_name", "same_name"]

SHORTEST, LONGEST = 2, 16  # letters
MARKS = 2  # upon one letter, beyond those that a letter has of its own; Thai has a vowel and a tone

# Names of these are written with several alphabets at once.
_EAST_ASIAN = frozenset(("CJK", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KATAKANA-HIRAGANA"))


def read_name(typed: str, reserved: Collection[str] = ()) -> str:
    """The name that was typed, as it will be shown: composed, and with a capital.

    Args:
        typed: One line of a player.
        reserved: What nobody may be called, as `same_name` spells it.

    Raises:
        Mistake: It cannot be a name, and why.
    """
    typed = typed.strip()
    if not 0 < len(typed) <= LONGEST * (1 + MARKS):
        raise Mistake(f"A name has {SHORTEST} to {LONGEST} letters.")
    try:
        name = _profile().enforce(typed)
    except UnicodeEncodeError:  # a letter that is not seen, is not whole, or is another one in disguise
        raise Mistake("A name is one word, and plain letters only.") from None
    # The Turkish dotted I is a letter and a mark in lower case, and one letter again as a capital.
    name = unicodedata.normalize("NFC", name.capitalize())
    kinds = "".join(unicodedata.category(character)[0] for character in name)
    if kinds.strip("LM") or kinds.startswith("M") or "M" * (MARKS + 1) in kinds:
        raise Mistake("A name is one word, and letters only.")
    if not SHORTEST <= kinds.count("L") <= LONGEST:
        raise Mistake(f"A name has {SHORTEST} to {LONGEST} letters.")
    if is_deceptive(name):
        raise Mistake("A name is written in the plain letters of one alphabet, and this one could be misread.")
    if same_name(name) in reserved:
        raise Mistake("Nobody can be called that here.")
    return name


def same_name(name: str) -> str:
    """What all spellings of the same name have in common: the nearest ASCII, in small letters."""
    from anyascii import anyascii

    return anyascii(name).casefold()


def is_deceptive(name: str) -> bool:
    """Whether it mixes alphabets, or has a letter that nobody could type or compare."""
    letters = [letter for letter in name if unicodedata.category(letter)[0] == "L"]
    alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    if len(alphabets) != 1 and not alphabets <= _EAST_ASIAN:
        return True
    # A Latin letter without a capital is one of phonetic script, where a small capital or a kra looks like another.
    is_phonetic = alphabets == {"LATIN"} and any(letter.upper() == letter.lower() for letter in letters)
    return is_phonetic or not same_name(name).strip()


def appearance(name: str) -> str:
    """What names that look alike have in common: each letter as the ASCII letter it looks like, if there is one.

    The comparison by sound does not find these: a Cyrillic Sara looks like a Latin Capa.
    """
    return name.casefold() if name.isascii() else "".join(map(_ascii_twin, name)).casefold()


@lru_cache(maxsize=1024)
def _ascii_twin(letter: str) -> str:
    from confusable_homoglyphs.confusables import is_confusable

    found = () if letter.isascii() else is_confusable(letter, greedy=True) or ()
    twins = (twin["c"] for confusable in found for twin in confusable["homoglyphs"])
    return next((twin for twin in twins if len(twin) == 1 and twin.isascii() and twin.isalpha()), letter)


@lru_cache(maxsize=1)
def _profile() -> Profile:
    from precis_i18n import get_profile

    return get_profile("UsernameCaseMapped")
