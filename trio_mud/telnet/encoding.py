"""Text on its way out: which bytes it becomes, and which charsets can carry it.

Functions without state; the engine says in which charset.  The way in is the line assembler's (`lines.py`).
"""

import codecs
from functools import lru_cache
from typing import Final

from .codes import IAC

_IAC: Final = bytes((IAC,))
_IAC_IAC: Final = bytes((IAC, IAC))
_ASCII: Final = bytes(range(128)) + rb"\u0041"  # the last is an escape to some codecs of Python's


def encode(text: str, charset: str) -> bytes:
    """Charset, newline to CR LF, ff doubled.

    What the charset does not have becomes a question mark; a lone CR becomes CR NUL (RFC 854) and NUL is left out.
    """
    if text.isascii() and text.isprintable():  # as most is, and the same in every charset there may be
        return text.encode()
    data = text.encode(charset, "replace")
    if 0x0D in data or 0x00 in data:  # CR or NUL; on asking for a number see lines.py
        data = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\r\0")
    if 0x0A in data:
        data = data.replace(b"\n", b"\r\n")
    if IAC in data:  # ff cannot occur in UTF-8
        data = double_iac(data)
    return data


def double_iac(data: bytes) -> bytes:
    """Tell ff, the byte, from IAC, the beginning of a command."""
    return data.replace(_IAC, _IAC_IAC)


def is_text(data: bytes) -> bool:
    """Whether queued bytes are text, not telnet's own: those begin with an IAC that is not doubled."""
    return data[:1] != _IAC or data[:2] == _IAC_IAC


@lru_cache(maxsize=64)  # a peer may agree to one charset after the other
def check_charset(name: str) -> str:
    """The codec's canonical name; raises for one that is unknown (LookupError) or no superset of ASCII (ValueError)."""
    canonical = codecs.lookup(name).name
    text = _ASCII.decode("ascii")
    if (_ASCII.decode(canonical, "replace"), text.encode(canonical, "replace")) != (text, _ASCII):
        raise ValueError(f"charset {name!r} is not a superset of ASCII; choose one that is, such as 'utf-8'")
    return canonical
