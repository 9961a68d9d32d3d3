"""Detection of foreign protocols on a telnet port by their first bytes, before any of them becomes a command.

A web page can make a browser send arbitrary lines after the browser's own request line. Read as commands they would
be a player's words, sent from inside the player's network (cross-protocol request forgery). So a connection that
begins like a request is ended. Port scanners only take a number and a connection slot.

Pure functions. The link calls `detect` until the result is certain, and then never again.
"""

from __future__ import annotations

import enum
from typing import Final


class ForeignProtocol(enum.Enum):
    """A protocol other than telnet."""

    HTTP = "HTTP"
    TLS = "TLS"
    SSH = "SSH"
    RDP = "RDP"
    STUN = "STUN"
    UNDECIDED = ""
    """It may be one of these or a player: more bytes are needed."""


# Upper case, as in RFC 9112, 3.1: a player whose first line is GET /BALL is rare enough.
# Not CONNECT: players of MUSHes log in by it, and no page can make a browser send it.
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")

_BEGINNINGS: Final[dict[bytes, ForeignProtocol]] = {
    **{f"{method} /".encode(): ForeignProtocol.HTTP for method in _METHODS},
    b"GET http://": ForeignProtocol.HTTP,  # a request to a proxy
    b"OPTIONS *": ForeignProtocol.HTTP,
    b"PRI * HTTP/2": ForeignProtocol.HTTP,  # RFC 9113, section 3.4
    b"\x16\x03": ForeignProtocol.TLS,  # a handshake record of any version since SSL 3.0
    b"SSH-": ForeignProtocol.SSH,  # RFC 4253, section 4.2
    b"\x03\x00\x00": ForeignProtocol.RDP,  # RFC 1006, section 6: version 3, reserved, a length below 256
    b"\x00\x01\x00": ForeignProtocol.STUN,  # RFC 8489, section 5: a binding request
    b"\x00\x03\x00": ForeignProtocol.STUN,  # RFC 8656: an allocation, which a page can fill with lines
}
_FIRST_BYTES: Final = frozenset(beginning[0] for beginning in _BEGINNINGS)
LONGEST: Final = max(map(len, _BEGINNINGS))  # bytes that are examined, and held back, at most


def detect(first: bytes) -> ForeignProtocol | None:
    """Return the protocol that begins with these bytes, all received so far; None for telnet."""
    if first and first[0] not in _FIRST_BYTES:
        return None
    for beginning, protocol in _BEGINNINGS.items():
        if first.startswith(beginning):
            return protocol
    if any(beginning.startswith(first) for beginning in _BEGINNINGS):
        return ForeignProtocol.UNDECIDED
    return None


def answer(protocol: ForeignProtocol, text: str) -> bytes:
    """Return the last bytes to send: an HTTP response with the text for a browser, nothing for other protocols.

    The response repeats nothing that the peer sent.
    """
    if protocol is not ForeignProtocol.HTTP or not text:
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
