"""Sounds: triggers of the Mud Sound Protocol, for clients that agreed to it.

Each is sent on a line of its own, before the text that carries it.
In all other text what looks like a trigger is broken; see `cleaning.break_triggers`.

Source: Mud Sound Protocol 0.3; Mudlet 4.20, which parts the parameters at every space
"""

import re
from typing import Final

from .links import SCHEMES
from .markup import Markup

_NAME: Final = re.compile(r"[A-Za-z0-9_*?-][A-Za-z0-9_*?./-]*")
_KIND: Final = re.compile(r"[A-Za-z0-9_-]*")
_ADDRESS: Final = re.compile(r"[!#-'*-;=?-Z_a-z~]+")  # as a URI has them; no brackets, for one ends the trigger


def sound(
    name: str, *, volume: int = 100, repeats: int = 1, priority: int = 50, kind: str = "", url: str = ""
) -> Markup:
    """Make a sound. It is a text without words: `markup("{gong}A gong sounds.", gong=sound("gong.wav"))`.

    Args:
        name: A file in the client's folder of sounds, * and ? standing for any; "Off" silences all of them.
        volume: 0 to 100.
        repeats: How often; -1 for ever.
        priority: 0 to 100; what is playing goes on if it has the higher one.
        kind: A word such as combat or weather; clients may keep kinds in folders.
        url: Where the client finds the file if it does not have it.

    Raises:
        ValueError: Something cannot be said in a trigger.
    """
    return _trigger("SOUND", name, volume, repeats, ("P", _number(priority, 0, 100, "priority"), 50), kind, url)


def music(
    name: str, *, volume: int = 100, repeats: int = 1, restarts: bool = False, kind: str = "", url: str = ""
) -> Markup:
    """Make music, which plays behind the sounds, one piece at a time.

    Args:
        name: As for `sound`; so are the others.
        volume: As for `sound`.
        repeats: As for `sound`.
        restarts: Whether a piece that is playing already begins anew.
        kind: As for `sound`.
        url: As for `sound`.

    Raises:
        ValueError: Something cannot be said in a trigger.
    """
    return _trigger("MUSIC", name, volume, repeats, ("C", 0 if restarts else 1, 1), kind, url)


def _trigger(what: str, name: str, volume: int, repeats: int, own: tuple[str, int, int], kind: str, url: str) -> Markup:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} cannot be played: use letters, digits and _-./ for the name of a file")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no kind of sound: use one word of letters and digits")
    if url and not (url.startswith(SCHEMES) and _ADDRESS.fullmatch(url)):
        raise ValueError(f"{url!r} is no address for a sound: begin it with http:// or https:// and percent-encode it")
    numbers = (("V", _number(volume, 0, 100, "volume"), 100), ("L", _number(repeats, -1, 1000, "repeats"), 1), own)
    said = [f"{letter}={number}" for letter, number, default in numbers if number != default]
    said += [f"{letter}={word}" for letter, word in (("T", kind), ("U", url)) if word]
    return Markup((), (f"!!{what}({' '.join([name, *said])})",))


def _number(number: int, lowest: int, highest: int, name: str) -> int:
    if not lowest <= number <= highest:
        raise ValueError(f"{name} is {number}: it must be {lowest} to {highest}")
    return number
