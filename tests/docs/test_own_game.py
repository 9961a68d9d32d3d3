"""The lesson about a game of one's own: its steps, followed from the page on a new game that is being played."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trio_mud.program.new import create

from . import generated
from .pages import CHECKOUT, DOCS, page

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds for a process or an answer; a busy machine needs some
LOOKS = 400  # until a reload shows; each one waits for its answer
LESSON = "tutorial/5-your-own-game.md"


def parts() -> dict[str, str]:
    """The code of the page, by what the comment above it says."""
    blocks = generated.BLOCK.finditer(page(LESSON))
    copies = {block["argument"]: re.sub(r"^```.*\n", "", block["copy"], flags=re.M) for block in blocks}
    return {argument: copy for argument, copy in copies.items() if argument.startswith("inn/")}


class Author:
    """Follows the page in the folder of a game."""

    def __init__(self, game: Path) -> None:
        self.game = game
        self.parts = parts()

    def part(self, file: str, start: str) -> str:
        """Return a part of the page, once."""
        name = file.rpartition("/")[2]
        (argument,) = [each for each in self.parts if f'{name}, from "# {start}"' in each]
        return self.parts.pop(argument)

    def append(self, file: str, start: str) -> None:
        path = self.game / file
        path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{self.part(file, start)}", encoding="utf-8")

    def replace(self, file: str, old: str, start: str) -> None:
        """Put a part of the page in the place of the only match."""
        self.edit(file, old, self.part(file, start))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.game / file
        text, count = re.subn(old, lambda _: new, path.read_text(encoding="utf-8"), flags=re.M)
        assert count == 1, f"{file} has {old} {count} times"
        path.write_text(text, encoding="utf-8")


class Visitor:
    """A player over a socket, who stays connected."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.seen = ""

    def type(self, *lines: str) -> None:
        self.link.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def sees(self, *texts: str) -> str:
        """Read until one of the texts has come, and return all up to it."""
        while (ends := [self.seen.index(text) + len(text) for text in texts if text in self.seen]) == []:
            data = self.link.recv(4096)
            assert data, f"the link ended before {texts}: {self.seen!r}"
            self.seen += data.decode(errors="replace")
        seen, self.seen = self.seen[: min(ends)], self.seen[min(ends) :]
        return seen

    def repeats(self, line: str, *, without: str, until: str) -> None:
        """Type a line until another answer comes, which is that of the new code."""
        for _ in range(LOOKS):
            self.type(line)
            if until in self.sees(without, until):
                return
        raise AssertionError(f"{line!r} was never answered by {until!r}")


@contextmanager
def watching(game: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Serve the game as the page says, and yield its port."""
    command = [sys.executable, "-m", "trio_mud", "run", "--config", "mud.toml", "--watch"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with (
        (game.parent / "log").open("w") as log,
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0", "--web-port", "0"],
            cwd=game,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            found = (re.search(r"telnet \S+ (\d+)", line) for line in process.stdout)
            yield next(int(port[1]) for port in found if port), process
        finally:
            process.kill()


def test_the_lesson_can_be_followed_while_somebody_plays(tmp_path: Path) -> None:
    author = Author(create("inn", tmp_path))
    log = tmp_path / "log"
    with watching(author.game) as (port, process):
        ann = Visitor(port)
        ann.type("new", "Ann", "open sesame", "open sesame")
        ann.sees("Exits: in (closed).")

        author.append("inn/map.toml", "cellar")
        author.replace("inn/map.toml", r'^exits = \{ in = "gatehouse" \}\n', "square")
        ann.repeats("look", without="Exits: in (closed).", until="Exits: in (closed), down.")

        author.replace("inn/things.py", r"^class Player\(.*\n    .*\n\n    lamps_lit: int = 0\n", "player")
        toast = author.part("inn/verbs.py", "toast")
        author.edit("inn/verbs.py", r"^    return commands$", f"{toast}\n    return commands")
        ann.repeats("toast the harvest", without='There is no command "toast".', until="You drink to the harvest.")
        ann.sees("That was toast number 1.")

        author.replace("inn/things.py", r"^from trio_mud\.world import .*\n", "imports")
        author.append("inn/things.py", "cat")
        author.append("inn/map.toml", "cat")
        ann.type("down")
        ann.repeats("look at cat", without='You see no "cat" here.', until="It has one white paw.")
        ann.type("toast the cat")
        ann.sees("ginger cat purrs.")

        author.edit("inn/things.py", r"^    def purr\(self\) -> None:$", "    def purr(self) -> None")
        while "things.py" not in log.read_text(encoding="utf-8"):
            ann.type("look")
            ann.sees("Exits: ")
        ann.type("toast the past")
        ann.sees("That was toast number 3.")
        author.edit("inn/things.py", r"^    def purr\(self\) -> None$", "    def purr(self) -> None:")

        process.terminate()
        ann.sees("Inn closes for a while.")
        assert process.wait(PATIENCE) == 0
        ann.link.close()

    author.append("tests/test_inn.py", "test")
    assert author.parts == {}, "a part of the page that was not followed"
    for command in ("pytest", "-p", "no:cacheprovider", "-p", "no:randomly"), ("mypy",), ("ruff", "check"):
        if importlib.util.find_spec(command[0]) is not None:
            environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "MYPYPATH": str(CHECKOUT)}
            done = subprocess.run(
                [sys.executable, "-m", *command],
                cwd=author.game,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_of_the_lesson_stands_on_its_page() -> None:
    marks = {
        f"{path.name} {mark}"
        for path in (DOCS / "tutorial/inn").iterdir()
        for mark in re.findall(r"^ *# (\w+)$", path.read_text(encoding="utf-8"), re.M)
        if mark != "end"
    }
    shown = {re.sub(r'.*/(\S+), from "# (\w+)".*', r"\1 \2", argument) for argument in parts()}
    assert marks == shown
