"""From when to when a certificate is valid, read out of its PEM file.

Python's `ssl` tells that of a peer's certificate and not of one's own, so this walks its DER as far as those dates.
What it is not: a judgement of anything else in it, nor a parser of DER in general.
Who uses it: `tls.Certificate`, once OpenSSL has taken the file.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from typing import Final, NamedTuple

_BLOCK: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s(.*?)-----END ", re.DOTALL)

# The types of DER that lie on the way, ITU-T X.690.
_INTEGER: Final = 0x02
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0  # [0], constructed
_UTC_TIME: Final = 0x17  # 13 bytes: YYMMDDHHMMSSZ
_GENERALIZED_TIME: Final = 0x18  # 15 bytes: YYYYMMDDHHMMSSZ


class Validity(NamedTuple):
    """The two ends, both in UTC."""

    begins: dt.datetime
    ends: dt.datetime


def validity_of(pem: bytes) -> Validity:
    """That of the first certificate in a PEM file, which is the server's own.

        Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
            version [0] OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
            validity SEQUENCE { notBefore Time, notAfter Time }, ... } ... }

    Raises:
        ValueError: There is none, or it is not built like that.

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
    """The content of the first value, which is of one of these types, and what follows it."""
    if len(der) < 2 or der[0] not in kinds:
        raise ValueError("not the DER of a certificate")
    length, begin = der[1], 2
    if length & 0x80:  # then it is the length of the length
        begin += length & 0x7F
        length = int.from_bytes(der[2:begin], "big")
    if len(der) < begin + length:
        raise ValueError("a certificate that is cut off")
    return der[begin : begin + length], der[begin + length :]


def _two_times(der: bytes) -> tuple[dt.datetime, dt.datetime]:
    first, rest = _take(der, _UTC_TIME, _GENERALIZED_TIME)
    second, _ = _take(rest, _UTC_TIME, _GENERALIZED_TIME)
    return _time(first), _time(second)


def _time(text: bytes) -> dt.datetime:
    if len(text) == 13:  # of this century until 49, of the last from 50 on
        text = (b"20" if text < b"50" else b"19") + text
    return dt.datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
