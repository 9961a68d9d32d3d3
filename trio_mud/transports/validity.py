"""The period of validity of a certificate, read from its PEM file.

Python's `ssl` reports it for a peer's certificate but not for the server's own, so this module parses the DER up to
these dates. It is not a general DER parser and validates nothing else. `tls.Certificate` uses it after OpenSSL has
accepted the file.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from typing import Final, NamedTuple

_BLOCK: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s(.*?)-----END ", re.DOTALL)

# The DER types in use, ITU-T X.690.
_INTEGER: Final = 0x02
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0  # [0], constructed
_UTC_TIME: Final = 0x17  # 13 bytes: YYMMDDHHMMSSZ
_GENERALIZED_TIME: Final = 0x18  # 15 bytes: YYYYMMDDHHMMSSZ


class Validity(NamedTuple):
    """Start and end, both in UTC."""

    begins: dt.datetime
    ends: dt.datetime


def validity_of(pem: bytes) -> Validity:
    """Return the validity of the first certificate in a PEM file, which is the server's own.

        Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
            version [0] OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
            validity SEQUENCE { notBefore Time, notAfter Time }, ... } ... }

    Raises:
        ValueError: There is none, or it has another structure.

    Source: RFC 5280, section 4.1
    """
    if (found := _BLOCK.search(pem)) is None:
        raise ValueError("no certificate")
    certificate, _ = _take(binascii.a2b_base64(found[1]), _SEQUENCE)
    rest, _ = _take(certificate, _SEQUENCE)
    if rest[:1] == bytes((_VERSION,)):
        _, rest = _take(rest, _VERSION)
    for kind in (_INTEGER, _SEQUENCE, _SEQUENCE):
        _, rest = _take(rest, kind)
    begins, ends = _two_times(_take(rest, _SEQUENCE)[0])
    return Validity(begins, ends)


def _take(der: bytes, *kinds: int) -> tuple[bytes, bytes]:
    """Return the content of the first value, which must be of one of these types, and the bytes after it."""
    if len(der) < 2 or der[0] not in kinds:
        raise ValueError("the certificate is not valid DER")
    length, begin = der[1], 2
    if length & 0x80:  # then it is the length of the length
        begin += length & 0x7F
        length = int.from_bytes(der[2:begin], "big")
    if len(der) < begin + length:
        raise ValueError("the certificate is incomplete")
    return der[begin : begin + length], der[begin + length :]


def _two_times(der: bytes) -> tuple[dt.datetime, dt.datetime]:
    first, rest = _take(der, _UTC_TIME, _GENERALIZED_TIME)
    second, _ = _take(rest, _UTC_TIME, _GENERALIZED_TIME)
    return _time(first), _time(second)


def _time(text: bytes) -> dt.datetime:
    if len(text) == 13:  # years up to 49 are 20xx, from 50 on 19xx
        text = (b"20" if text < b"50" else b"19") + text
    return dt.datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
