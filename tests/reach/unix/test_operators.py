"""The consoles and watches of a gateway and a world that were started alone, as an operator uses them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.ports import free_port
from trio_mud.program.admin_command import ask

from .served import GAME, PATIENCE, command, environment

pytestmark = pytest.mark.slow


@contextmanager
def program(folder: Path, *arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start a program in a folder, and yield it with its first line."""
    with (
        (folder / f"{arguments[0]}.log").open("w") as log,
        subprocess.Popen(
            command(*arguments), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_consoles_and_watches_of_a_gateway_and_a_world_answer(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(GAME)
    port, link = free_port(), str(tmp_path / "game.link")
    with ExitStack() as stack:
        gateway, first = stack.enter_context(
            program(tmp_path, "gateway", "--link", link, "--port", str(port), "--watch-port", "0")
        )
        world, second = stack.enter_context(
            program(tmp_path, "world", "game:hooks", "--link", link, "--console", "world.sock", "--watch-port", "0")
        )
        assert gateway.stdout is not None
        assert re.fullmatch(r"Gateway \S+ is open\. To connect:\n", gateway.stdout.readline())
        ann = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        ann.sendall(b"look\r\n")
        read = b""
        while b"look\r" not in read:
            read += ann.recv(4096)
        consoles = {"gateway": tmp_path / "game.gateway.sock", "world": tmp_path / "world.sock"}
        for what, line in (("gateway", first), ("world", second)):
            found = re.fullmatch(r"To watch the (\w+): (http://127\.0\.0\.1:\d+/admin)#(\S+)\n", line)
            assert found is not None, line
            assert found[1] == {"gateway": "gateway", "world": "game"}[what]
            with urlopen(
                Request(f"{found[2]}/state", headers={"Authorization": f"Bearer {found[3]}"}), timeout=PATIENCE
            ) as answer:
                state = json.load(answer)
            assert (state["status"], state["connections"]["playing"]) == ("ok", 1)
            for asked, said in (
                ("status", "connections: 1 open, 1 admitted"),
                ("help", "status"),
                ("tasks", "Service"),
            ):
                reply = ask(consoles[what], asked)
                assert (reply.has_failed, said in reply.text) == (False, True), reply.text
            assert not ask(consoles[what], "stack").has_failed
        nobody_waits = "nobody waits for the world"
        assert ask(consoles["gateway"], "waiting").text == nobody_waits
        assert ask(consoles["world"], "reload").text.startswith("game is reloaded: 1 modules")

        world.kill()
        world.wait()
        ann.sendall(b"anyone?\r\n")
        until = time.monotonic() + PATIENCE
        while (waits := ask(consoles["gateway"], "waiting").text) == nobody_waits:
            assert time.monotonic() < until
        assert waits == "guest-1 (#1) from 127.0.0.1: connected; 1 line or message is not handled yet"
        assert ask(consoles["gateway"], "shutdown").text == "the gateway ends"
        assert gateway.wait(PATIENCE) == 0
