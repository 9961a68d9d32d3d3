"""When a certificate ends, as others wrote it and as it is read here."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.transports.validity import Validity, validity_of

KEY = Ed25519PrivateKey.generate()  # whose signatures are all of one length
BEGIN, END = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), dt.datetime(2027, 6, 7, 8, 9, 10, tzinfo=dt.UTC)

# What DER can hold is wider at both ends; before 1950 RFC 5280 has no way to write, behind 9999 Python has none.
moments = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(9999, 12, 31), timezones=st.just(dt.UTC))


def certificate(begin: dt.datetime, end: dt.datetime, *, serial: int = 1, common_name: str = "localhost") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), serial, begin, end)
    return builder.sign(KEY, None).public_bytes(Encoding.PEM)


@pytest.mark.unmeasured
@given(
    st.tuples(moments, moments).map(sorted),
    st.integers(1, 2**159 - 1),
    # All lengths of a length come; 64 bytes are what a certificate's name may have.
    st.text("ab é漢", min_size=1, max_size=64).filter(lambda text: len(text.encode()) <= 64),
)
def test_both_ends_are_read_to_the_second(ends: list[dt.datetime], serial: int, common_name: str) -> None:
    begin, end = (when.replace(microsecond=0) for when in ends)
    assert validity_of(certificate(begin, end, serial=serial, common_name=common_name)) == Validity(begin, end)


@given(st.data())
def test_what_is_damaged_is_a_value_error_and_nothing_else(data: st.DataObject) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(certificate(BEGIN, END).decode()))
    for _ in range(data.draw(st.integers(0, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    del der[data.draw(st.integers(0, len(der))) :]
    with suppress(ValueError):
        validity_of(ssl.DER_cert_to_PEM_cert(bytes(der)).encode())


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END "]
)
def test_what_is_no_certificate_is_a_value_error(pem: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        validity_of(pem)


def test_the_first_of_a_chain_counts_and_a_key_before_it_does_not() -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", not_after=END)
    chain = issued.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes()
    assert validity_of(chain).ends == END


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")
@pytest.mark.parametrize("form", [["-text"], ["-trustout"], []], ids=lambda form: "".join(form) or "plain")
def test_whatever_openssl_writes_is_read_as_openssl_reads_it(form: list[str], tmp_path: Path) -> None:
    path = tmp_path / "certificate.pem"
    path.write_bytes(certificate(BEGIN, END))

    def openssl(*arguments: str) -> str:
        return subprocess.run(
            ["openssl", "x509", "-in", str(path), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    written = openssl("-addtrust", "serverAuth", *form) if form == ["-trustout"] else openssl(*form)
    found = re.search(r"notAfter=(.+)", openssl("-noout", "-enddate"))
    assert found is not None
    assert validity_of(written.encode()).ends.timestamp() == ssl.cert_time_to_seconds(found[1])
