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


def play_over_tcp(folder: Path, name: str, *lines: str) -> bytes:
    """Run a program from the shell, type these lines, stop it, and return all that was read."""
    program = [sys.executable, "-m", "trio_mud", "run", name, "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = next(int(found[1]) for line in process.stdout if (found := re.search(rb"telnet \S+ (\d+)", line)))
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
                guest.sendall("".join(f"{line}\r\n" for line in lines).encode())
                seen = b"".join(iter(lambda: guest.recv(4096), b""))
            process.terminate()
            assert process.wait(PATIENCE) == 0
            return seen
        finally:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_the_small_game_keeps_what_a_player_carries_over_a_restart(tmp_path: Path) -> None:
    for name in ("mill.py", "mill.toml"):
        shutil.copy(DOCS / "howto" / name, tmp_path)
    play_over_tcp(tmp_path, "mill:game", "new", "Ann", "open sesame", "open sesame", "go in", "take sack", "quit")
    seen = play_over_tcp(tmp_path, "mill:game", "ann", "open sesame", "inventory", "quit")
    assert b"You carry sack of flour." in seen


@pytest.mark.slow
def test_the_first_tavern_opens_from_the_shell() -> None:
    seen = play_over_tcp(DOCS / "tutorial", "tavern:hooks", "quit")
    assert b"The fire crackles. Say something, or quit.\r\n" in seen
    assert seen.endswith(b"The door swings shut behind you.\r\n")
