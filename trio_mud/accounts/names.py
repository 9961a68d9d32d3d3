"""Names: what may be one, and when two names are the same.

Names are shown to all and typed by all, so they are strict: visible letters of one alphabet.
Two names that differ in case, accents or alphabet alone are one name. So Łukasz can be addressed from any keyboard,
and a second player cannot come in as Lukasz.

Used by the login, and by games that find a player by name.

Some names look alike and still are two: Chinese ones that differ by the length of a stroke, a few Katakana and Chinese
characters that Unicode does not list, Hebrew or Arabic names with letters that are nearly the same, Bern and Bem in a
narrow font. Each is an honest name in its own writing, and refusing one would cost more than the likeness does.

Source: RFC 8264 and 8265 (PRECIS, UsernameCaseMapped) by precis-i18n; transliteration by anyascii;
UTS 39 5.2 (Highly Restrictive, and Latin alone) and 4 (look-alikes), scripts by confusable-homoglyphs; UAX 31 table 5
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from trio_mud import Texts
from trio_mud.commands import Mistake

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

__all__ = ["LONGEST", "SHORTEST", "appearance", "read_name", "same_name"]

SHORTEST, LONGEST = 2, 16  # letters
MARKS = 2  # upon one letter, beyond those that a letter has of its own; Thai has a vowel and a tone

# The scripts that are in everyday use. Those of few readers, such as Cherokee, have many letters that look Latin.
_RECOMMENDED = frozenset(
    "ARABIC ARMENIAN BENGALI BOPOMOFO CYRILLIC DEVANAGARI ETHIOPIC GEORGIAN GREEK GUJARATI GURMUKHI HAN HANGUL HEBREW "  # noqa: SIM905
    "HIRAGANA KANNADA KATAKANA KHMER LAO LATIN MALAYALAM MYANMAR ORIYA SINHALA TAMIL TELUGU THAANA THAI TIBETAN".split()
)
# Names of these are written with several scripts at once.
_JAPANESE = frozenset(("HAN", "HIRAGANA", "KATAKANA"))
_MIXED = (_JAPANESE, frozenset(("BOPOMOFO", "HAN")), frozenset(("HAN", "HANGUL")))
_ACCENTED = frozenset(("CYRILLIC", "GREEK", "LATIN"))  # their marks are accents, which leave a letter what it is
_LONG_VOWEL = "\u30fc"  # of Japanese; it belongs to two scripts, so the table of scripts calls it common


def read_name(typed: str, reserved: Collection[str] = (), *, texts: Texts | None = None) -> str:
    """Return the name that was typed, as it will be shown: composed, and with a capital.

    Args:
        typed: One line of a player.
        reserved: Words that are no names, as `same_name` spells them; a name that looks like one is refused.
        texts: The sentences for the player.

    Raises:
        Mistake: It cannot be a name; the text gives the reason.
    """
    texts = texts or Texts()
    wrong_length = texts.name_length.replace("{shortest}", str(SHORTEST)).replace("{longest}", str(LONGEST))
    typed = typed.strip()
    if not 0 < len(typed) <= LONGEST * (1 + MARKS):
        raise Mistake(wrong_length)
    try:
        name = _profile().enforce(typed)
    except UnicodeEncodeError:  # a letter that is not seen, is not whole, or is another one in disguise
        raise Mistake(texts.name_letters) from None
    # The Turkish dotted I is a letter and a mark in lower case, and one letter again as a capital.
    name = unicodedata.normalize("NFC", name.capitalize())
    kinds = "".join(unicodedata.category(character)[0] for character in name)
    if kinds.strip("LM") or kinds.startswith("M") or "M" * (MARKS + 1) in kinds:
        raise Mistake(texts.name_letters)
    if not SHORTEST <= kinds.count("L") <= LONGEST:
        raise Mistake(wrong_length)
    if is_deceptive(name):
        raise Mistake(texts.name_deceptive)
    if same_name(name) in reserved or appearance(name) in reserved:
        raise Mistake(texts.name_reserved)
    return name


def same_name(name: str) -> str:
    """Return the form that all spellings of the same name share: the nearest ASCII, in lower case."""
    from anyascii import anyascii

    return anyascii(name).casefold()


def is_deceptive(name: str) -> bool:
    """True if it mixes scripts, or has a letter or a mark that cannot be typed or compared."""
    from anyascii import anyascii

    scripts = {_script(letter) for letter in name if letter != _LONG_VOWEL and unicodedata.category(letter)[0] == "L"}
    if not scripts <= _RECOMMENDED or not (len(scripts) == 1 or any(scripts <= mixed for mixed in _MIXED)):
        return True
    if _LONG_VOWEL in name and not scripts <= _JAPANESE:
        return True
    for mark in name:
        if unicodedata.category(mark)[0] == "M":
            if _script(mark) not in {"INHERITED", *scripts}:
                return True
            if scripts <= _ACCENTED and anyascii(mark):  # a small letter above another, say
                return True
    if scripts != {"LATIN"}:
        return not same_name(name).strip()
    # A Latin letter without a capital is one of phonetic script, where a small capital or a kra looks like another.
    return not same_name(name).isalpha() or any(letter.upper() == letter.lower() for letter in name if letter.isalpha())


def appearance(name: str) -> str:
    """Return the form that look-alike names share: for each letter one that looks like it, ASCII if possible.

    The comparison by sound does not find these: a Cyrillic Sara looks like a Latin Capa, and the Katakana ka like the
    Chinese character for strength.
    """
    return name.casefold() if name.isascii() else "".join(map(_twin, name)).casefold()


def _script(character: str) -> str:
    from confusable_homoglyphs.categories import alias

    return str(alias(character))


@lru_cache(maxsize=1024)
def _twin(letter: str) -> str:
    """Return the ASCII letter that a letter looks like, in either case; if there is none, the first of its kin."""
    if letter.isascii():
        return letter
    twins = [*_look_alikes(letter), *_look_alikes(letter.lower())]
    # The table pairs one letter of a kind with each of the others, so two of those meet over the one.
    kin = {letter, *twins, *(other for twin in twins for other in _look_alikes(twin))}
    return next((twin for twin in twins if twin.isascii() and twin.isalpha()), min(kin))


def _look_alikes(letter: str) -> list[str]:
    from confusable_homoglyphs.confusables import is_confusable

    found = is_confusable(letter, greedy=True) or ()
    return [twin["c"] for confusable in found for twin in confusable["homoglyphs"] if len(twin["c"]) == 1]


@lru_cache(maxsize=1)
def _profile() -> Profile:
    from precis_i18n import get_profile

    return get_profile("UsernameCaseMapped")
