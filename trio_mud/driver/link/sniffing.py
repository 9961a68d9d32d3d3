"""Who calls at a telnet port and speaks something else: known by the first bytes, before one of them is a command.

A web page can make a browser send what it likes behind a request line of the browser's own.
Read as lines those would be a player's words, typed from inside the player's network;
so whatever begins like a request ends there. Port scanners only waste a name and a place.

Pure functions; the connection calls `recognise` until it is sure, and then never again.
"""

from __future__ import annotations

import enum
from typing import Final


class Stranger(enum.Enum):
    """What somebody speaks who is no player."""

    HTTP = "HTTP"
    TLS = "TLS"
    SSH = "SSH"
    RDP = "RDP"
    STUN = "STUN"
    UNDECIDED = ""
    """It may be one of them or a player: the next byte tells more."""


# Upper case, as RFC 9112 has them: a player who types GET /BALL first of all is rare enough.
# Not CONNECT: players of MUSHes do log in so, and no page makes a browser send it.
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")

_BEGINNINGS: Final[dict[bytes, Stranger]] = {
    **{f"{method} /".encode(): Stranger.HTTP for method in _METHODS},
    b"GET http://": Stranger.HTTP,  # asked as a proxy
    b"OPTIONS *": Stranger.HTTP,
    b"PRI * HTTP/2": Stranger.HTTP,  # RFC 9113, section 3.4
    b"\x16\x03": Stranger.TLS,  # a handshake record of any version since SSL 3.0
    b"SSH-": Stranger.SSH,  # RFC 4253, section 4.2
    b"\x03\x00\x00": Stranger.RDP,  # RFC 1006, section 6: version 3, reserved, a length below 256
    b"\x00\x01\x00": Stranger.STUN,  # RFC 8489, section 5: a binding request
    b"\x00\x03\x00": Stranger.STUN,  # RFC 8656: an allocation, which a page can fill with lines of its own
}
_FIRST_BYTES: Final = frozenset(beginning[0] for beginning in _BEGINNINGS)
LONGEST: Final = max(map(len, _BEGINNINGS))  # bytes that are looked at, and held back, at most


def recognise(first: bytes) -> Stranger | None:
    """Who it is that began with these bytes, all that came so far; None for a player."""
    if first and first[0] not in _FIRST_BYTES:
        return None
    for beginning, stranger in _BEGINNINGS.items():
        if first.startswith(beginning):
            return stranger
    if any(beginning.startswith(first) for beginning in _BEGINNINGS):
        return Stranger.UNDECIDED
    return None


def answer(stranger: Stranger, text: str) -> bytes:
    """What to send before the connection ends: the text to whoever may show it to people, nothing to the others.

    Nothing that the stranger sent is in it.
    """
    if stranger is not Stranger.HTTP or not text:
        return b""
    body = f"{text}\n".encode()
    head = (
        "HTTP/1.1 400 Bad Request",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
