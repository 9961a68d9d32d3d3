"""A database of each kind, that outlives its backends.

PostgreSQL is tested where psycopg and a server are installed, by `nox -s slow`; or on the database that
TEST_POSTGRES_URL names, whose tables are dropped.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trio_mud.storage import Backend, Memory, Postgres, Sqlite, postgres_session

from . import server

Database = Callable[[], Backend]
"""Makes a backend for the same database each time, as each start of a server does."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, server.postgres(Path(folder)) as url:
        if url is None:
            pytest.skip("PostgreSQL is not installed")
        yield url


@pytest.fixture
def postgres_url(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database."""
    import psycopg

    monkeypatch.setattr(postgres_session, "LOCK_PATIENCE", 0.3)  # seconds

    with psycopg.connect(postgres_server, autocommit=True) as db:
        db.execute("drop table if exists rows, entries, stored_values, layout")
    return postgres_server


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "memory":
        stored = Memory().stored
        return lambda: Memory(stored)
    if request.param == "sqlite":
        return lambda: Sqlite(tmp_path / "inn.db")
    url: str = request.getfixturevalue("postgres_url")
    return lambda: Postgres(url)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inn.db"
