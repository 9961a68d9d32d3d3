"""`trio-mud gateway` and `trio-mud world` over Redis, as an operator starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.ports import free_port

from .server import RedisServer

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE = 60  # seconds for a process on a busy machine
GAME = """
from trio_mud import Admitted, Hooks, Input

hooks = Hooks()
hooks.on(Admitted)(lambda event: event.connection.write("Welcome."))
hooks.on(Input)(lambda event: event.connection.write(f"You say {event.line}."))
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start programs in a folder with a game; all are ended with the test."""
    (tmp_path / "game.py").write_text(GAME, encoding="utf-8")
    processes: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}
        command = [sys.executable, "-m", "trio_mud", *arguments]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.PIPE, text=True
            )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


class ProgramCaller:
    """A player's socket."""

    def __init__(self, port: int) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError):
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                break
            assert time.monotonic() < until, "the port does not open"
            time.sleep(0.05)
        self._read = b""

    def send(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\r\n")

    def sees(self, text: str) -> None:
        while text.encode() not in self._read:
            data = self._socket.recv(4096)
            assert data, f"closed before {text!r}: {self._read!r}"
            self._read += data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()


def test_a_player_stays_while_one_world_follows_another(redis: RedisServer, start: Start) -> None:
    port, link = free_port(), f"redis+unix://{redis.path}"
    start("gateway", "--link", link, "--port", str(port), "--set", "cluster.name=g1")
    with ProgramCaller(port) as caller:
        first = start("world", "game:hooks", "--link", link)
        caller.sees("Welcome.")
        caller.send("one")
        caller.sees("You say one.")
        start("world", "game:hooks", "--link", link, "--standby")
        first.kill()
        caller.send("two")
        caller.sees("You say two.")
    assert redis.ask("smembers", "tm:{w1}:gateways") == "g1"


def test_a_world_hands_over_on_sigusr1(redis: RedisServer, start: Start) -> None:
    port, link = free_port(), f"redis+unix://{redis.path}"
    start("gateway", "--link", link, "--port", str(port), "--set", "cluster.name=g1")
    first = start("world", "game:hooks", "--link", link)
    with ProgramCaller(port) as caller:
        caller.sees("Welcome.")
        start("world", "game:hooks", "--link", link, "--standby")
        first.send_signal(signal.SIGUSR1)
        assert first.wait(PATIENCE) == 0
        caller.send("one")
        caller.sees("You say one.")


def test_an_operator_lets_a_standby_take_over(redis: RedisServer, start: Start, tmp_path: Path) -> None:
    port, link = free_port(), f"redis+unix://{redis.path}"

    def hand_over() -> tuple[int, str]:
        status = start("handover", "--link", link).wait(PATIENCE)
        return status, (tmp_path / "log").read_text(encoding="utf-8").splitlines()[-1]

    def wait_for_standby() -> None:
        until = time.monotonic() + PATIENCE
        while not redis.ask("get", "tm:{w1}:waiting"):
            assert time.monotonic() < until
            time.sleep(0.02)

    nobody = f"no world serves at {redis.path} as w1: start one by trio-mud world --standby"
    assert hand_over() == (1, nobody)
    start("gateway", "--link", link, "--port", str(port), "--set", "cluster.name=g1")
    first = start("world", "game:hooks", "--link", link, "--set", "cluster.lease=300")  # which is not waited for
    with ProgramCaller(port) as caller:
        caller.sees("Welcome.")
        alone = "no standby waits: start one with the new code by trio-mud world --standby, and repeat this"
        assert hand_over() == (1, alone)
        second = start("world", "game:hooks", "--link", link, "--standby")
        wait_for_standby()
        status, said = hand_over()
        assert (status, said.startswith("another world has taken over in ")) == (0, True), said
        assert first.wait(PATIENCE) == 0
        caller.send("one")
        caller.sees("You say one.")
        assert second.poll() is None


@pytest.mark.parametrize("program", [("gateway", "--port", "0"), ("world", "game:hooks")], ids=["gateway", "world"])
def test_without_redis_a_program_ends_with_a_sentence_and_status_75(start: Start, program: tuple[str, ...]) -> None:
    port = free_port()
    process = start(*program, "--link", f"redis://127.0.0.1:{port}", "--set", "cluster.name=g1")
    _, errors = process.communicate(timeout=PATIENCE)
    assert f"trio-mud: cannot reach the cluster link at 127.0.0.1:{port}" in errors
    assert process.returncode == 75


def test_a_second_world_that_does_not_wait_ends_with_status_75(redis: RedisServer, start: Start) -> None:
    link = f"redis+unix://{redis.path}"
    start("world", "game:hooks", "--link", link)
    until = time.monotonic() + PATIENCE
    while not redis.ask("get", "tm:{w1}:lease"):
        assert time.monotonic() < until
        time.sleep(0.05)
    second = start("world", "game:hooks", "--link", link)
    _, errors = second.communicate(timeout=PATIENCE)
    assert "wait for it with --standby" in errors
    assert second.returncode == 75


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("redis://g1:secret@redis", "write it into a file"),
        ("http://redis", "no known scheme"),
    ],
)
def test_a_wrong_link_ends_a_program_with_status_2(start: Start, link: str, words: str) -> None:
    process = start("gateway", "--link", link, "--port", "0")
    _, errors = process.communicate(timeout=PATIENCE)
    assert words in errors
    assert "secret" not in errors
    assert process.returncode == 2
