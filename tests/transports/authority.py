"""A certificate authority, certificates in files, and clients that trust them."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme

AUTHORITY = trustme.CA()


def issue(folder: Path, name: str = "localhost", ends: dt.datetime | None = None) -> None:
    """Write a new certificate and key, as a renewal does."""
    issued = AUTHORITY.issue_cert(name, not_after=ends)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    first, *others = issued.cert_chain_pems
    first.write_to_path(folder / "certificate.pem")
    for other in others:
        other.write_to_path(folder / "certificate.pem", append=True)


def client_context(newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """A client that trusts our authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    context.maximum_version = newest
    return context
