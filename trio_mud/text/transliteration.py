"""Transliteration: a text in the characters that a client's charset has.

A character that the charset lacks becomes its nearest ASCII: typographic quotes and dashes become plain ones, letters
lose their marks or are spelt by their sound.  Only what has no such spelling becomes a question mark.

This is a step of rendering, before anything is escaped: U+2039 becomes "<", which must not open a tag.

Source: anyascii; ECMA-48 5.3 for C1
"""

import codecs
import unicodedata
from functools import lru_cache
from typing import Final

from wcwidth import wcwidth

_HANDLER: Final = "trio_mud.nearest"


def transliterate(text: str, charset: str) -> str:
    """Replace what a charset lacks.

    Args:
        text: Clean text.
        charset: A Python codec that is a superset of ASCII.
    """
    if charset == "utf-8" or text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)  # a letter and its accent are two characters that few charsets have
    if unsafe := _in_c1(charset):
        text = text.translate(unsafe)
    return text.encode(charset, _HANDLER).decode(charset, "replace")


@lru_cache(maxsize=1024)
def nearest(character: str) -> str:
    """The nearest ASCII of one character: "" for one that is not seen, "?" if there is none."""
    from anyascii import anyascii  # 2.6 MB of tables, for few clients

    return anyascii(character) or ("" if wcwidth(character) == 0 else "?")


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), error
    return "".join([nearest(character) for character in error.object[error.start : error.end]]), error.end


codecs.register_error(_HANDLER, _replace)


@lru_cache(maxsize=64)  # charsets, which are fewer
def _in_c1(charset: str) -> dict[int, str]:
    """What to put for signs whose byte some terminals take for a control of C1, as xterm does in KOI8-R.

    Windows-1252 has a quote at 9b, which is CSI.  Letters stay, for nobody could write Czech in Windows-1250 or
    Russian in IBM866 without: a terminal that shows these charsets shows their letters.  In charsets of several bytes
    a byte of C1 is a part of a character.
    """
    replaced = {}
    for byte in range(0x80, 0xA0):
        character = bytes((byte,)).decode(charset, "replace")
        if len(character) == 1 and character.isprintable() and not character.isalpha() and character != "\ufffd":
            replaced[ord(character)] = nearest(character)
    return replaced
