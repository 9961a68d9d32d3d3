"""GMCP messages: decoding a payload into package name and JSON, and encoding them to bytes.

The option and the game interpret the messages. The GMCP option uses this module; a game can use it to encode a message
once for many clients.
"""

import re
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET, DecodeError, json

from .codes import GMCP, IAC, SB, SE
from .events import Anomaly, AnomalyKind, GmcpReceived
from .json_bounds import fault_of

NO_DATA: Final = UNSET
"""No data: the package is sent alone."""

# The GMCP drafts do not restrict names; all packages in use match this.
_PACKAGE: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_decode: Final = json.Decoder().decode  # rejects NaN, Infinity, lone surrogates and bad UTF-8; the last key wins
_encode: Final = json.Encoder().encode


def decode_gmcp(payload: bytes) -> GmcpReceived | Anomaly:
    """Decode a payload. It never raises; a fault is returned as an `Anomaly` that does not quote it."""
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
    except (DecodeError, ValueError):  # ValueError: bad UTF-8; not passed on, as they may quote the peer
        return malformed("not JSON")


def encode_gmcp(package: str, data: object = NO_DATA) -> bytes:
    """Encode a complete message, to be sent to any number of clients with `engine.send_encoded`.

    Args:
        package: Its name, such as `Char.Vitals`.
        data: Anything msgspec can encode as JSON, including structs and dataclasses; omit it to send no data.

    Raises:
        ValueError: The name is not 1 to 64 of A-Z, a-z, 0-9, underscore, dot and hyphen, or a string contains a lone
            surrogate.
        TypeError: The data cannot be encoded as JSON.
    """
    head = opening(package)
    if data is NO_DATA:
        return head + _CLOSING
    # JSON in UTF-8 contains no ff, but msgspec also accepts raw bytes.
    return b"%b %b%b" % (head, _encode(data).replace(b"\xff", b"\xff\xff"), _CLOSING)


@lru_cache(maxsize=256)
def opening(package: str) -> bytes:
    """Return the first bytes of a message, up to its name; raise ValueError for an invalid package name."""
    name = package.encode("ascii", "replace")
    if _PACKAGE.fullmatch(name) is None:
        raise ValueError(f"{package!r} cannot name a GMCP package; use up to 64 of A-Z, a-z, 0-9, '_', '.' and '-'")
    return bytes((IAC, SB, GMCP)) + name


def to_json(data: object) -> bytes:
    """Encode GMCP or MSDP data for `from_json`: stored as bytes it takes a twentieth of the memory."""
    return _encode(data)


def from_json(text: bytes) -> Any:
    """Decode the result of `to_json` to equal data of the same types."""
    return _decode(text)


def malformed(what: str) -> Anomaly:
    """Return the anomaly for a message that cannot be decoded."""
    return Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"GMCP: {what}")


_CLOSING: Final = bytes((IAC, SE))
