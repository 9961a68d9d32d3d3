"""Sounds: triggers of the Mud Sound Protocol, for clients that agreed to it.

Each trigger is sent on a line of its own, before the text that contains it. In all other text, triggers are broken;
see `cleaning.break_triggers`.

Source: Mud Sound Protocol 0.3; Mudlet 4.20, which splits the parameters at every space
"""

import re
from typing import Final

from .links import SCHEMES
from .markup import Markup

_NAME: Final = re.compile(r"[A-Za-z0-9_*?-][A-Za-z0-9_*?./-]*")
_KIND: Final = re.compile(r"[A-Za-z0-9_-]*")
_ADDRESS: Final = re.compile(r"[!#-'*-;=?-Z_a-z~]+")  # of a URI; no brackets, because one ends the trigger


def sound(
    name: str, *, volume: int = 100, repeats: int = 1, priority: int = 50, kind: str = "", url: str = ""
) -> Markup:
    """Create a sound, as markup without text: `markup("{gong}A gong sounds.", gong=sound("gong.wav"))`.

    Args:
        name: A file in the client's folder of sounds; * and ? are wildcards. "Off" stops all sounds.
        volume: 0 to 100.
        repeats: The number of times it plays; -1 for endless.
        priority: 0 to 100; a playing sound with a higher priority continues.
        kind: A word such as combat or weather; clients may store kinds in separate folders.
        url: The address from which the client downloads a missing file.

    Raises:
        ValueError: A value cannot be expressed in a trigger.
    """
    return _trigger("SOUND", name, volume, repeats, ("P", _number(priority, 0, 100, "priority"), 50), kind, url)


def music(
    name: str, *, volume: int = 100, repeats: int = 1, restarts: bool = False, kind: str = "", url: str = ""
) -> Markup:
    """Create music, which plays in the background, one piece at a time.

    Args:
        name: As for `sound`.
        volume: As for `sound`.
        repeats: As for `sound`.
        restarts: True if a piece that is already playing starts again.
        kind: As for `sound`.
        url: As for `sound`.

    Raises:
        ValueError: A value cannot be expressed in a trigger.
    """
    return _trigger("MUSIC", name, volume, repeats, ("C", 0 if restarts else 1, 1), kind, url)


def _trigger(what: str, name: str, volume: int, repeats: int, own: tuple[str, int, int], kind: str, url: str) -> Markup:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} cannot be played: use letters, digits and _-./ for the name of a file")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not a kind of sound: use one word of letters and digits")
    if url and not (url.startswith(SCHEMES) and _ADDRESS.fullmatch(url)):
        raise ValueError(f"{url!r} is not an address for a sound: use http:// or https://, and percent-encode it")
    numbers = (("V", _number(volume, 0, 100, "volume"), 100), ("L", _number(repeats, -1, 1000, "repeats"), 1), own)
    said = [f"{letter}={number}" for letter, number, default in numbers if number != default]
    said += [f"{letter}={word}" for letter, word in (("T", kind), ("U", url)) if word]
    return Markup((), (f"!!{what}({' '.join([name, *said])})",))


def _number(number: int, lowest: int, highest: int, name: str) -> int:
    if not lowest <= number <= highest:
        raise ValueError(f"{name} is {number}: it must be {lowest} to {highest}")
    return number
