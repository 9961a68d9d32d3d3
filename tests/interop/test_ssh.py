"""Players who come by SSH: OpenSSH's server starts `trio-mud connect`, and its client shows the game."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import trio_mud
from trio_mud import Cause, Reason
from trio_mud.telnet import DEFAULT_OPTIONS

from .conftest import OpenServer, open_house
from .game import FAREWELL, QUESTIONS, WELCOME
from .terminal import RunningProgram, run, until

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SECRETS = ("sesame-1", "sesame-2")

pytestmark = [
    pytest.mark.skipif(SSHD is None, reason="sshd is missing: apt install openssh-server"),
    pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is missing: apt install openssh-client"),
]


def configure(folder: Path, command: str) -> int:
    """Write keys, and the settings of a server that runs this command; return its port."""
    for name in ("host", "player"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd, as root, shuts its unprivileged half in
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"""\
ListenAddress 127.0.0.1:{port}
HostKey {folder / "host"}
AuthorizedKeysFile {folder / "player.pub"}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
DisableForwarding yes
SetEnv PYTHONPATH={Path(trio_mud.__file__).parent.parent}
ForceCommand {command}
"""
    )
    return port


@asynccontextmanager
async def sshd(folder: Path, command: str) -> AsyncIterator[list[str]]:
    """Run OpenSSH's server for a command on 127.0.0.1; give the client's command line."""
    port = configure(folder, command)
    assert SSHD is not None
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)  # noqa: ASYNC220
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    try:
        await until(lambda: answers(port), lambda: f"sshd: {(folder / 'sshd.log').read_text()}")
        yield [
            *("ssh", "-tt", "-F", "none", "-i", str(folder / "player"), "-p", str(port)),
            *(word for option in options for word in ("-o", option)),
            f"{getpass.getuser()}@127.0.0.1",
        ]
    finally:
        server.terminate()
        with trio.CancelScope(shield=True):
            await until(lambda: server.poll() is not None, lambda: "the end of sshd")


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        return probe.recv(4) == b"SSH-"
    return False


@asynccontextmanager
async def calling(folder: Path) -> AsyncIterator[tuple[OpenServer, RunningProgram]]:
    """A game, and a player who comes by SSH."""
    path = folder / "mud.door"
    command = f"{sys.executable} -m trio_mud connect {path}"
    async with (
        open_house(DEFAULT_OPTIONS, path=path) as house,
        sshd(folder, command) as client,
        run(client, folder) as terminal,
    ):
        yield house, terminal


async def test_a_player_by_ssh_answers_hidden_questions_plays_resizes_and_quits(tmp_path: Path) -> None:
    async with calling(tmp_path) as (house, terminal):
        visit = await house.visit()
        for question, secret in zip(QUESTIONS, SECRETS, strict=True):
            await terminal.sees(question)
            await until(lambda: house.engine.has_answers, lambda: "an answer to ECHO")
            await terminal.types(secret)
        await terminal.sees(WELCOME)
        assert visit.secrets == [*SECRETS]
        assert not any(secret in terminal.screen for secret in SECRETS)
        await terminal.types("echo naïve")
        await terminal.sees("Echo: naïve")
        client = visit.connection.client
        assert (visit.connection.address, client.is_secure, client.charset) == ("127.0.0.1", True, "utf-8")
        assert client.terminals == ("TRIO-MUD CONNECT", "XTERM-256COLOR", "MTTS 13")
        assert visit.sizes[-1] == (80, 24)
        terminal.resize(100, 30)
        await until(lambda: visit.sizes[-1] == (100, 30), lambda: "the new size")
        await terminal.presses(b"\x03\x1a")  # Ctrl-C and Ctrl-Z end nothing
        await terminal.types("echo still here")
        await terminal.sees("Echo: still here")
        await terminal.types("quit")
        await terminal.sees(FAREWELL)
        await terminal.has_ended()
        await until(lambda: bool(visit.endings), lambda: "the disconnect event")
        assert (visit.endings[0].reason, visit.endings[0].cause) == (Reason.QUIT, Cause.ASKED)


async def test_a_client_that_is_killed_is_one_link_death(tmp_path: Path) -> None:
    async with calling(tmp_path) as (house, terminal):
        visit = await house.visit()
        await terminal.sees(QUESTIONS[0])
        terminal.kill()
        await until(lambda: bool(visit.endings), lambda: "the disconnect event")
        assert visit.endings[0].reason is Reason.LINKDEATH
