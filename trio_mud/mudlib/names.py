"""What may be somebody's name, and when two names are the same.

Names are shown to everybody and typed by everybody, so they are strict: letters of one alphabet, and none that are
there to look like others. An alphabet is served once its letters do not depend on marks between them, do not change
the direction of the line, and are known below for those that look Latin; so far that leaves many out.

Who uses it: `entry.py`, and whoever looks a player up by name.
"""

import unicodedata
from collections.abc import Collection

from .errors import Mistake

SHORTEST, LONGEST = 2, 16  # letters

# Each alphabet as Unicode begins the names of its letters, with those that look Latin: the two cases of a b c e h ...
# A name of nothing else could pass for somebody else's. Precedent: browsers show such host names undecoded.
ALPHABETS = {
    "LATIN": "",
    "GREEK": "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03b1\u03b3\u03b9\u03bd\u03bf\u03c1\u03c3\u03c5\u03f2\u03f3\u03f9",
    "CYRILLIC": "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"
    "\u0430\u0433\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u0461\u0475\u04ae\u04af\u04ba\u04bb\u04c0"
    "\u04cf\u0500\u0501\u051a\u051b\u051c\u051d",
    "ARMENIAN": "\u053c\u054d\u054f\u0555\u0566\u0570\u0575\u0578\u057d\u0581\u0584\u0585",
    "GEORGIAN": "",
    "HANGUL": "",
}


def read_name(typed: str, reserved: Collection[str] = ()) -> str:
    """The name that was typed, as it will be shown: composed, and with a capital.

    Args:
        typed: One line of a player.
        reserved: What nobody may be called, as `same_name` spells it.

    Raises:
        Mistake: It cannot be a name, and why.
    """
    # Lower case may decompose a letter (the Turkish dotted I), so it is composed again before anybody looks at it.
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).strip().capitalize())
    if not all(unicodedata.category(letter) in ("Lu", "Ll", "Lt", "Lo") for letter in name):
        raise Mistake("A name is one word, and letters only.")
    if not SHORTEST <= len(name) <= LONGEST:
        raise Mistake(f"A name has {SHORTEST} to {LONGEST} letters.")
    if is_deceptive(name):
        raise Mistake("A name is written in the plain letters of one alphabet, and this one could be misread.")
    if same_name(name) in reserved:
        raise Mistake("Nobody can be called that here.")
    return name


def same_name(name: str) -> str:
    """What two spellings of the same name have in common: neither case nor accents matter.

    So nobody needs a foreign keyboard to talk to José, and no second one can come in as Jose.
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def is_deceptive(name: str) -> bool:
    """Whether it mixes alphabets, takes letters of none that is served, or looks Latin and is not."""
    alphabets = {alphabet_of(letter) for letter in name}
    looks_latin = "".join(ALPHABETS.values())
    return (
        len(alphabets) != 1
        or not alphabets <= ALPHABETS.keys()
        or all(unicodedata.normalize("NFD", letter)[0] in looks_latin for letter in name)
    )


def alphabet_of(letter: str) -> str:
    """The alphabet of a letter, or nothing for those that no name is written with."""
    alphabet = unicodedata.name(letter, "").partition(" ")[0]
    # Beyond these blocks Unicode's Latin is phonetic script, full of letters that look like others; so is a dotless i.
    is_phonetic = alphabet == "LATIN" and not (letter <= "\u017f" or "\u1e00" <= letter <= "\u1eff")
    return "" if is_phonetic or letter == "\u0131" else alphabet
