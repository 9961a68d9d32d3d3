"""A database of each kind, that outlives its backends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trio_mud.storage import Backend, Memory, Sqlite

Database = Callable[[], Backend]
"""Makes a backend for the same database each time, as each start of a server does."""


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "memory":
        stored = Memory().stored
        return lambda: Memory(stored)
    return lambda: Sqlite(tmp_path / "inn.db")
