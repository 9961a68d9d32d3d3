"""The programs of the tutorial and the how-to pages run, and their own tests pass, as a reader would run them."""

from __future__ import annotations

import inspect
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from trio_mud.testing import OpenMud

from .pages import DOCS, LESSONS, PROGRAMS, load

PATIENCE = 60  # seconds for a process; a slow machine needs two

ReadersTest = Callable[[OpenMud], Awaitable[None]]


def readers_tests() -> list[object]:
    """Every test that stands in a lesson, with a name to find it by."""
    return [
        pytest.param(test, id=f"{path.parent.name}/{path.stem}-{name}")
        for path in PROGRAMS
        if path.stem.startswith("test_")
        for name, test in vars(load(path)).items()
        if name.startswith("test_") and inspect.iscoroutinefunction(test)  # plain ones run as the reader runs them
    ]


@pytest.mark.parametrize("test", readers_tests())
async def test_what_a_lesson_tests_is_so(mud: OpenMud, test: ReadersTest) -> None:
    await test(mud)


@pytest.mark.slow
@pytest.mark.parametrize("folder", LESSONS, ids=lambda folder: folder.name)
def test_a_reader_who_copies_a_lesson_and_types_pytest_sees_it_pass(folder: Path, tmp_path: Path) -> None:
    for path in (*folder.glob("*.py"), *folder.glob("*.toml")):
        shutil.copy(path, tmp_path)
    if (folder / "recorded").is_dir():
        shutil.copytree(folder / "recorded", tmp_path / "recorded")
    pytest_alone = [sys.executable, "-m", "pytest", "-q", "-W", "error", "--rootdir", "."]
    done = subprocess.run(pytest_alone, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_first_tavern_opens_from_the_shell() -> None:
    program = [sys.executable, "-m", "trio_mud", "run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(program, cwd=DOCS / "tutorial", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = next(int(found[1]) for line in process.stdout if (found := re.search(rb"telnet \S+ (\d+)", line)))
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
                guest.sendall(b"quit\r\n")
                seen = b"".join(iter(lambda: guest.recv(4096), b""))
        finally:
            process.kill()
            process.communicate()
    assert b"The fire crackles. Say something, or quit.\r\n" in seen
    assert seen.endswith(b"The door swings shut behind you.\r\n")
