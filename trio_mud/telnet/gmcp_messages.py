"""GMCP messages: the name of a package and JSON, out of a payload and into bytes to send.

What a message means is the option's business, and then the game's.  The option uses it, and so may whoever wants to
encode a message once for many clients.
"""

import re
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET, DecodeError, json

from .codes import GMCP, IAC, SB, SE
from .events import Anomaly, AnomalyKind, GmcpReceived
from .json_bounds import fault_of

NO_DATA: Final = UNSET
"""A package that comes alone."""

# The drafts of GMCP leave names open; all packages in use keep to this.
_PACKAGE: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_decode: Final = json.Decoder().decode  # rejects NaN, Infinity, lone surrogates and bad UTF-8; the last key wins
_encode: Final = json.Encoder().encode


def decode_gmcp(payload: bytes) -> GmcpReceived | Anomaly:
    """Read a payload; whatever it is, nothing raises, and what is wrong with it is told without quoting it."""
    name, _, body = payload.partition(b" ")
    if _PACKAGE.fullmatch(name) is None:
        return malformed(f"a name of {len(name)} bytes")
    package = name.decode("ascii")
    if not body or body.isspace():
        return GmcpReceived(package, None)
    fault = fault_of(body)
    if fault is not None:
        return malformed(fault)
    try:
        return GmcpReceived(package, _decode(body))
    except (DecodeError, ValueError):  # the latter for bad UTF-8; their words are not passed on, for they may quote
        return malformed("not JSON")


def encode_gmcp(package: str, data: object = NO_DATA) -> bytes:
    """Make a message to send: all of its bytes, for any number of clients, by `engine.send_encoded`.

    Args:
        package: Its name, such as `Char.Vitals`.
        data: Anything that msgspec makes JSON of, so also structs and dataclasses; nothing at all if left out.

    Raises:
        ValueError: The name is not 1 to 64 of A-Z, a-z, 0-9, underscore, dot and hyphen, or a text holds a lone
            surrogate.
        TypeError: JSON has nothing for such data.
    """
    head = opening(package)
    if data is NO_DATA:
        return head + _CLOSING
    # JSON in UTF-8 holds no ff, but msgspec takes ready-made bytes too.
    return b"%b %b%b" % (head, _encode(data).replace(b"\xff", b"\xff\xff"), _CLOSING)


@lru_cache(maxsize=256)
def opening(package: str) -> bytes:
    """The bytes that open a message, up to its name; ValueError if that is no name for a package."""
    name = package.encode("ascii", "replace")
    if _PACKAGE.fullmatch(name) is None:
        raise ValueError(f"{package!r} cannot name a GMCP package; use up to 64 of A-Z, a-z, 0-9, '_', '.' and '-'")
    return bytes((IAC, SB, GMCP)) + name


def to_json(data: object) -> bytes:
    """Encode what a peer sent by GMCP or MSDP, for `from_json`: kept as text it takes a twentieth of the memory."""
    return _encode(data)


def from_json(text: bytes) -> Any:
    """Decode what `to_json` made: data equal to what it was given, and of the same types."""
    return _decode(text)


def malformed(what: str) -> Anomaly:
    """Report a message that cannot be understood."""
    return Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"GMCP: {what}")


_CLOSING: Final = bytes((IAC, SE))
