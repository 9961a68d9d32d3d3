"""The compose file of the how-to: each of its commands runs as it stands there, but for names and paths."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.ports import free_ports

from .server import PROGRAM
from .test_access_rules import PAGE, documented_users
from .test_programs import CHECKOUT, PATIENCE, ProgramCaller

GAME = """
from trio_mud import Admitted, Hooks, Input
from trio_mud.storage import Record
from trio_mud.world import Game


class Words(Record, family="words", resident=True):
    said: int = 0


def begin(world):
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event):
        event.connection.write("Welcome.")

    @hooks.on(Input)
    def count(event):
        words = world.store.get(Words, "all") or world.store.add(Words(), "all")
        words.said += 1
        event.connection.write(f"{words.said} words were said.")

    return hooks


game = Game(begin, records=(Words,))
"""


class ComposeFile:
    """The services of the page in a folder that takes the place of Docker.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.port = free_ports(2)
        self._redis = self.port + 1
        (text,) = re.findall(r"```yaml\n(services:\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        self.services = dict(re.findall(r"^  ([\w-]+):(?: &\w+)?\n((?:    .*\n)+)", text, re.MULTILINE))
        self.services["world-b"] = self.services["world-a"]  # *world
        assert "  world-b: *world\n" in text
        (folder / "inn.py").write_text(GAME, encoding="utf-8")
        (folder / "data").mkdir()
        (folder / "users").write_text("\n".join(documented_users()) + "\n", encoding="utf-8")
        for name in ("g1", "w1"):
            (folder / name).write_text("secret\n", encoding="utf-8")
        (folder / "database").write_text(str(folder / "data" / "inn.db"), encoding="utf-8")

    def local(self, text: str) -> str:
        """Return a part of the file with the names and paths of this machine."""
        text = text.replace("/run/secrets/", f"{self.folder}/").replace("@redis", f"@127.0.0.1:{self._redis}")
        return text.replace("--host 0.0.0.0 --port 4000", f"--port {self.port}")

    @contextmanager
    def running(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service for the length of the block."""
        (command,) = re.findall(r"^    command: (.*)$", self.services[service], re.MULTILINE)
        variables = re.findall(r"^    environment: \{(\w+): (.*)\}$", self.services[service], re.MULTILINE)
        program, *words = shlex.split(self.local(command))
        if program == "trio-mud":
            words = [sys.executable, "-m", "trio_mud", *words]
        else:
            assert program == "valkey-server"
            words = [PROGRAM or "", *words, "--port", str(self._redis), "--dir", str(self.folder / "data")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIO_MUD_")}
        environment |= {name: self.local(value) for name, value in variables} | {"PYTHONPATH": str(CHECKOUT)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(words, cwd=self.folder, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def says(self, text: str) -> None:
        """Wait until the log has a text."""
        until = time.monotonic() + PATIENCE
        while text not in (log := self.log.read_text(encoding="utf-8")):
            assert time.monotonic() < until, log[-3000:]
            time.sleep(0.02)


@pytest.mark.skipif(PROGRAM is None, reason="needs redis-server: apt-get install redis-server")
def test_each_service_of_the_compose_file_runs_and_worlds_take_turns(tmp_path: Path) -> None:
    compose = ComposeFile(tmp_path)
    assert sorted(compose.services) == ["gateway", "redis", "world-a", "world-b"]
    with ExitStack() as stack:
        stack.enter_context(compose.running("redis"))
        compose.says("Ready to accept connections")
        first = stack.enter_context(compose.running("world-a"))
        compose.says("the world serves")
        stack.enter_context(compose.running("gateway"))
        caller = stack.enter_context(ProgramCaller(compose.port))
        caller.sees("Welcome.")
        caller.send("one")
        caller.sees("1 words were said.")
        stack.enter_context(compose.running("world-b"))
        first.send_signal(signal.SIGUSR1)  # as `stop_signal` has it
        assert "stop_signal: SIGUSR1" in compose.services["world-a"]
        assert first.wait(PATIENCE) == 0
        caller.send("two")
        caller.sees("2 words were said.")
