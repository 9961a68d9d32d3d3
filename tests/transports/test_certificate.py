"""Certificates: files that cannot be used are named, dates are warned of in time, and no costly setting is offered."""

from __future__ import annotations

import datetime as dt
import logging
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from trio_mud.errors import ConfigurationError
from trio_mud.transports.certificate import Certificate

from .authority import AUTHORITY, client_context, issue

NOON = dt.datetime(2030, 6, 1, 12, tzinfo=dt.UTC)


def test_neither_renegotiation_nor_compression_is_offered(certificate: Certificate) -> None:
    """N18."""
    assert certificate.context.options & ssl.OP_NO_RENEGOTIATION
    assert certificate.context.options & ssl.OP_NO_COMPRESSION


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Have both shake hands in memory.

    Returns:
        The client's end, which has read what the server sends behind its handshake.

    Raises:
        ssl.SSLError: The server's refusal.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(3):  # round trips; a ClientHello that is to be tried again takes the third
        for act in (theirs.do_handshake, ours.do_handshake):
            with suppress(ssl.SSLWantReadError):
                act()
    ours.write(b"welcome")
    assert theirs.read() == b"welcome"
    return theirs


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe8192", "X448", "secp384r1", "secp521r1"])
def test_a_client_that_insists_on_a_costly_group_is_refused(certificate: Certificate, group: str) -> None:
    """K13. Sent again and again, the ClientHello with ffdhe8192 would stop all others: CVE-2002-20001."""
    client = client_context()
    client.set_ecdh_curve(group)
    with pytest.raises(ssl.SSLError, match="NO_SUITABLE_KEY_SHARE"):
        shake(certificate.context, client)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("groups", ["prime256v1", ""])
def test_a_client_that_knows_p_256_is_served_whatever_it_prefers(
    certificate: Certificate, newest: ssl.TLSVersion, groups: str
) -> None:
    client = client_context(newest)
    if groups:
        client.set_ecdh_curve(groups)
    assert shake(certificate.context, client).version() == newest.name.replace("_", ".")


def test_where_python_can_name_several_groups_the_faster_curve_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.15 on."""
    named: list[str] = []
    monkeypatch.setattr(ssl.SSLContext, "set_groups", lambda context, groups: named.append(groups), raising=False)
    Certificate(folder / "certificate.pem", folder / "key.pem")
    assert named == ["X25519:P-256"]


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "DHE+AESGCM", "AESCCM"])
def test_in_tls_1_2_only_authenticated_encryption_over_a_curve_is_accepted(
    certificate: Certificate, suite: str
) -> None:
    """K13."""
    client = client_context(ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(suite)
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        shake(certificate.context, client)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_ticket_is_sent(certificate: Certificate, newest: ssl.TLSVersion) -> None:
    """K13."""
    session = shake(certificate.context, client_context(newest)).session
    assert session is None or not session.has_ticket


def certificate_at(when: dt.datetime, folder: Path) -> Certificate:
    """Read when it is that time, which does not go on."""
    return Certificate(folder / "certificate.pem", folder / "key.pem", wall_clock=when.timestamp)


@pytest.mark.parametrize(
    ("when", "warning"),
    [
        (dt.datetime(1999, 12, 31, tzinfo=dt.UTC), "is not valid before 2000-01-01 00:00 UTC: set the clock of this"),
        (NOON - dt.timedelta(days=14, seconds=1), ""),
        (NOON - dt.timedelta(days=14), "ends on 2030-06-01 12:00 UTC: renew it before, and send SIGHUP to load it"),
        (NOON - dt.timedelta(seconds=1), "ends on 2030-06-01 12:00 UTC: renew it before"),
        (NOON, "has ended on 2030-06-01 12:00 UTC, and clients refuse it: get a new one, and send SIGHUP to load it"),
    ],
)
def test_a_certificate_that_is_read_outside_its_time_or_near_its_end_is_warned_of(
    when: dt.datetime, warning: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """O11."""
    issue(folder, ends=NOON)
    certificate_at(when, folder)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == bool(warning)
    if warning:
        assert warnings[0].startswith(f"the certificate in {folder / 'certificate.pem'} {warning}")
        assert caplog.records[0].levelno == logging.WARNING


def test_a_renewal_is_warned_of_in_its_own_right_and_a_good_one_is_not(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """O11."""
    issue(folder, ends=NOON)
    certificate = certificate_at(NOON - dt.timedelta(days=3), folder)
    certificate.reload()  # the files are still the old ones
    assert len(caplog.records) == 2
    issue(folder, ends=NOON + dt.timedelta(days=90))
    certificate.reload()
    certificate.warn_in_time()
    assert len(caplog.records) == 2


def test_a_certificate_that_cannot_be_used_is_named_with_what_to_do(folder: Path) -> None:
    good, key = folder / "certificate.pem", folder / "key.pem"
    others, torn = folder / "others.pem", folder / "torn.pem"
    others.write_bytes(AUTHORITY.issue_cert("localhost").private_key_pem.bytes())
    torn.write_bytes(good.read_bytes()[:100] + b"\n-----END CERTIFICATE-----\n")
    for files, complaint in [
        ((folder / "nowhere.pem", key), "nowhere.pem cannot be read: No such file or directory"),
        ((folder, key), "is not a regular file: name the PEM file of the certificate"),
        ((Path("a\0b"), key), "embedded null"),
        ((good, folder / "nowhere.pem"), "nowhere.pem cannot be read: No such file or directory"),
        ((key, key), "key.pem holds no certificate: name the PEM file that does"),
        ((good, good), "certificate.pem holds no private key: name the PEM file that does"),
        ((good, None), "certificate.pem holds no private key: name the PEM file that does"),
        ((good, others), "others.pem is not the key of the certificate in"),
        ((torn, key), "is damaged"),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            Certificate(*files)
        assert complaint in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(folder: Path) -> None:
    path = folder / "key.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigurationError, match="passphrase: write the key without one"):
        Certificate(folder / "certificate.pem", path)


def test_one_file_may_hold_both(folder: Path) -> None:
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    assert Certificate(both).context is not None
