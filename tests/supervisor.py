"""A supervisor as systemd is one: it holds listening sockets, and starts a game on them again and again.

Used by `test_warm_restart.py`, and by `tests/bench/restarts.py`, which measures how long players wait.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from trio_mud.program.admin_command import ask
from trio_mud.program.new import create

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds for what a process or a peer should do; a busy machine needs a few
BECOME = """
import fcntl, os, sys
held = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in sys.argv[1].split()]
for place, descriptor in enumerate(held, 3):
    os.dup2(descriptor, place)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""  # the process that is started becomes the server, so LISTEN_PID is its number

WILL_GMCP, DO_GMCP, GMCP, END = b"\xff\xfb\xc9", b"\xff\xfd\xc9", b"\xff\xfa\xc9", b"\xff\xf0"


class Supervisor:
    """Holds a socket of each name for a new game in `folder`, and runs one process of it at a time.

    Attributes:
        addresses: Those of the sockets, in the order of the names.
    """

    def __init__(self, folder: Path, *names: str) -> None:
        self.game = create("inn", folder)
        self.names = names or ("telnet",)
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in self.names]
        self.addresses: list[tuple[str, int]] = [held.getsockname() for held in self._sockets]
        self.process: subprocess.Popen[str] | None = None
        self._programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stderr is not None
            self.process.stderr.close()
        for program in self._programs:
            program.close()
        for held in self._sockets:
            held.close()

    def program(self) -> Program:
        """Return a program of a player, which is closed at the end."""
        self._programs.append(Program(self.addresses[0]))
        return self._programs[-1]

    def start(self, *arguments: str, program: str = "run") -> subprocess.Popen[str]:
        """Start the game, with the sockets as its descriptors from 3 on."""
        descriptors = [held.fileno() for held in self._sockets]
        command = [sys.executable, "-m", "trio_mud", program, "--config", "mud.toml", "--web-port", "0", *arguments]
        environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "TRIO_MUD_ACCOUNTS_PLAIN_GMCP": "true",
            "RUNTIME_DIRECTORY": str(self.game / "run"),
            "LISTEN_FDS": str(len(descriptors)),
            "LISTEN_FDNAMES": ":".join(self.names),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", BECOME, " ".join(map(str, descriptors)), *command],
            cwd=self.game,
            env=environment,
            pass_fds=descriptors,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def saves(self) -> None:
        """Return when all that has happened is on disk: the audit of this command is written behind it."""
        answer = ask(self.game / "data/inn.sock", "reports")
        assert not answer.has_failed, answer.text

    def stop(self, number: signal.Signals, *cut: Program | WebProgram) -> int:
        """End the process by a signal, while these programs read the end of their links; return its status."""
        assert self.process is not None
        self.process.send_signal(number)
        for program in cut:
            program.is_cut()
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


class Program:
    """A player's program that returns by itself, with the token of its last visit."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.token = ""
        self.seen = b""
        self.link: socket.socket | None = None

    def connect(self, lines: Sequence[str] = ()) -> None:
        """Connect, which never fails while a supervisor holds the port; say what it supports, and type lines."""
        self.link = socket.create_connection(self.address, timeout=PATIENCE)
        self.seen = b""
        self.link.sendall(DO_GMCP + _gmcp('Core.Supports.Set ["Session 1"]'))
        if self.token:
            self.link.sendall(_gmcp(f'Session.Resume {{"token": "{self.token}"}}'))
        self.type(*lines)

    def type(self, *lines: str) -> None:
        """Send lines."""
        assert self.link is not None
        self.link.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def sees(self, text: str) -> None:
        """Read until the text has come; keep the last token."""
        assert self.link is not None
        while text.encode() not in self.seen:
            data = self.link.recv(4096)
            assert data, f"{text!r} did not come before the end: {self.seen!r}"
            self.seen += data
            if tokens := re.findall(rb'Session\.Token \{"token": ?"([^"]+)"', self.seen):
                self.token = tokens[-1].decode()
        self.seen = self.seen[self.seen.index(text.encode()) + len(text) :]

    def is_cut(self) -> None:
        """Read up to the end of the link."""
        assert self.link is not None
        try:
            while self.link.recv(4096):
                pass
        except ConnectionResetError:  # by a process that was killed
            pass
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self.link is not None:
            self.link.close()


class WebProgram:
    """The same by WebSocket, on a link that is connected already: it opens the WebSocket, and returns with a token."""

    def __init__(self, link: socket.socket, token: str = "") -> None:
        host, port = link.getpeername()
        protocol = Subprotocol("gmcp.mudstandards.org")
        self._stack = ExitStack()
        self._link = self._stack.enter_context(
            connect(f"ws://{host}:{port}/", sock=link, subprotocols=[protocol], compression=None, open_timeout=PATIENCE)
        )
        self.token = token
        self.seen = ""
        self._link.send('Core.Supports.Set ["Session 1"]')
        if token:
            self._link.send(f'Session.Resume {{"token": "{token}"}}')

    def type(self, *lines: str) -> None:
        """Send lines."""
        for line in lines:
            self._link.send(line.encode())

    def sees(self, text: str) -> None:
        """Read until the text has come; keep the last token."""
        while text not in self.seen:
            message = self._link.recv(PATIENCE)
            if isinstance(message, bytes):
                self.seen += message.decode()
            elif found := re.match(r'Session\.Token \{"token": ?"([^"]+)"', message):
                self.token = found[1]
        self.seen = self.seen.partition(text)[2]

    def is_cut(self) -> None:
        """Read up to the end of the link."""
        for _ in self._link:
            pass
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._stack.close()


def _gmcp(message: str) -> bytes:
    return GMCP + message.encode() + END
