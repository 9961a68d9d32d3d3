"""Encoding of output text, and the check of which charsets can carry telnet.

Functions without state; the engine passes its charset. Input is decoded by the line assembler (`lines.py`).
"""

import codecs
from functools import lru_cache
from typing import Final

from .codes import IAC

_IAC: Final = bytes((IAC,))
_IAC_IAC: Final = bytes((IAC, IAC))
_ASCII: Final = bytes(range(128)) + rb"\u0041"  # the last part is an escape sequence in some Python codecs


def encode(text: str, charset: str) -> bytes:
    """Encode text, with newlines as CR LF and ff doubled.

    A character that is missing in the charset becomes a question mark. A lone CR becomes CR NUL (RFC 854), and NUL is
    removed.
    """
    if text.isascii() and text.isprintable():  # the common case, with the same bytes in every accepted charset
        return text.encode()
    data = text.encode(charset, "replace")
    if 0x0D in data or 0x00 in data:  # CR or NUL; as numbers, for the reason see lines.py
        data = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\r\0")
    if 0x0A in data:
        data = data.replace(b"\n", b"\r\n")
    if IAC in data:  # ff does not occur in UTF-8
        data = double_iac(data)
    return data


def double_iac(data: bytes) -> bytes:
    """Double each ff, so that it is read as a data byte and not as IAC."""
    return data.replace(_IAC, _IAC_IAC)


def is_text(data: bytes) -> bool:
    """True if a queued chunk is text. Telnet commands begin with an IAC that is not doubled."""
    return data[:1] != _IAC or data[:2] == _IAC_IAC


@lru_cache(maxsize=64)  # a peer may agree to several charsets in turn
def check_charset(name: str) -> str:
    """Return the canonical name of a codec that telnet can be read in.

    Raises:
        LookupError: The codec is unknown.
        ValueError: The charset is not a superset of ASCII.
    """
    canonical = codecs.lookup(name).name
    text = _ASCII.decode("ascii")
    if (_ASCII.decode(canonical, "replace"), text.encode(canonical, "replace")) != (text, _ASCII):
        raise ValueError(f"charset {name!r} is not a superset of ASCII; choose one that is, such as 'utf-8'")
    return canonical
