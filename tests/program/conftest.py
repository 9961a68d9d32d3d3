"""Fixtures for tests of the command line: a game in a folder of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WriteGame = Callable[[str, str], Path]


@pytest.fixture
def write_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteGame]:
    """Return a function that writes a module into the current directory; no environment variable configures it."""
    for name in [name for name in os.environ if name.startswith(("TRIO_MUD_", "STATE_DIRECTORY"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written: list[str] = []

    def write(module: str, source: str) -> Path:
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        written.append(module)
        return tmp_path

    yield write
    for module in written:
        sys.modules.pop(module, None)
