"""A redis-server of the tests' own, on loopback and on a Unix socket, which is ended by its process.

The environment variable REDIS_SERVER names another program than the first one that is installed, such as Valkey's.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from trio_mud.cluster.redis_access import RedisAccess

PROGRAM = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
CLIENT = shutil.which("redis-cli") or shutil.which("valkey-cli")
AOF = ("--appendonly", "yes", "--appendfsync", "everysec")


class RedisServer:
    """A server process.

    Args:
        folder: The folder for its socket, its log and its data.
        options: Further options of the command line.

    Attributes:
        path: Its Unix socket.
        port: Its TCP port; 0 without one.
        process: The process.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.folder = folder
        self.port = port
        self.path = folder / "redis.sock"
        self._options = options
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        assert PROGRAM is not None, "the fixture skips the test"
        command = [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self.path)]
        command += ["--dir", str(self.folder), "--save", "", *self._options]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(500):
            if self.path.exists() and self._answers():
                return process
            time.sleep(0.01)
        process.kill()
        process.wait()
        raise AssertionError(f"redis-server does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(self.path))
                sock.sendall(b"PING\r\n")
                return sock.recv(64).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False

    def access(self, user: str = "", password_file: Path | None = None) -> RedisAccess:
        """Return the way to it, by its socket."""
        return RedisAccess.from_url(f"redis+unix://{user and user + '@'}{self.path}", password_file=password_file)

    def ask(self, *arguments: str, login: Sequence[str] = ()) -> str:
        """Run one command, and return the reply as text."""
        assert CLIENT is not None, "it comes with the server"
        command = [CLIENT, "-s", str(self.path), *login, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip()

    def kill(self) -> None:
        """End it without a chance to write anything."""
        self.process.kill()
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Start it again with the same options."""
        self.process = self._start()

    def sleep(self) -> None:
        """Stop its process, so that it does not answer."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Continue its process."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, whatever its state."""
        self.wake()
        self.kill()
