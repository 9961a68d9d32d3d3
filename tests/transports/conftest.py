"""Fixtures of a certificate, and of the folder that it is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.transports.certificate import Certificate

from .authority import issue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a certificate and its key."""
    issue(tmp_path)
    return tmp_path


@pytest.fixture
def certificate(folder: Path) -> Certificate:
    return Certificate(folder / "certificate.pem", folder / "key.pem")
