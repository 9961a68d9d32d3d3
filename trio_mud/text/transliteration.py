"""Transliteration: replaces the characters that a client's charset lacks.

Each is replaced by its nearest ASCII: typographic quotes and dashes become plain ones, and letters lose their marks or
are spelt by their sound. A character without such a spelling becomes a question mark.

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
    """Replace the characters that a charset lacks.

    Args:
        text: Clean text.
        charset: A Python codec that is a superset of ASCII.
    """
    if charset == "utf-8" or text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)  # few charsets have combining accents
    if unsafe := _in_c1(charset):
        text = text.translate(unsafe)
    return text.encode(charset, _HANDLER).decode(charset, "replace")


@lru_cache(maxsize=1024)
def nearest(character: str) -> str:
    """Return the nearest ASCII of one character: "" for an invisible one, "?" if there is none."""
    from anyascii import anyascii  # 2.6 MB of tables, needed by few clients

    return anyascii(character) or ("" if wcwidth(character) == 0 else "?")


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), error
    return "".join([nearest(character) for character in error.object[error.start : error.end]]), error.end


codecs.register_error(_HANDLER, _replace)


@lru_cache(maxsize=64)  # more than there are charsets
def _in_c1(charset: str) -> dict[int, str]:
    """Return replacements for symbols whose byte some terminals take for a C1 control, as xterm does in KOI8-R.

    Windows-1252 has a quote at 9b, which is CSI. Letters are kept: without them Czech in Windows-1250 and Russian in
    IBM866 could not be written, and a terminal that shows these charsets shows their letters. In multi-byte charsets a
    C1 byte is part of a character.
    """
    replaced = {}
    for byte in range(0x80, 0xA0):
        character = bytes((byte,)).decode(charset, "replace")
        if len(character) == 1 and character.isprintable() and not character.isalpha() and character != "\ufffd":
            replaced[ord(character)] = nearest(character)
    return replaced
