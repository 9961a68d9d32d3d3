"""A server process: started in a process group of its own, observed through /proc, ended by its own pid.

Only Linux reports all figures; elsewhere memory, descriptors and CPU are None, and the checks of them are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

HERE: Final = Path(__file__).resolve().parent
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")  # seconds; the unit of /proc/PID/stat
PAGE: Final = os.sysconf("SC_PAGE_SIZE")  # bytes
IS_LINUX: Final = Path("/proc/self/statm").exists()


class ServerProcess:
    """One running server.

    Attributes:
        port: Its port on 127.0.0.1.
        web_port: Its port for WebSocket.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start:\n{self.log}")
        self.port, self.web_port = map(int, line.split())

    @property
    def log(self) -> str:
        """All that it has logged."""
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    @property
    def memory(self) -> int | None:
        """Resident bytes."""
        if not IS_LINUX:
            return None
        return int(self._proc("statm").read_text(encoding="ascii").split()[1]) * PAGE

    @property
    def descriptors(self) -> int | None:
        """How many it has open."""
        return sum(1 for _ in self._proc("fd").iterdir()) if IS_LINUX else None

    @property
    def cpu(self) -> float | None:
        """Seconds of CPU that it has used, user and system."""
        if not IS_LINUX:
            return None
        fields = self._proc("stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def poll(self) -> int | None:
        """Its exit status, or None as long as it runs."""
        return self._process.poll()

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self._process.pid}/{name}")


@contextlib.contextmanager
def serving(
    *, lifetime: int, limits: Mapping[str, object], descriptors: int = 0, program: str = "server.py"
) -> Iterator[ServerProcess]:
    """A server for the length of the block; ended hard if it still runs then.

    Args:
        lifetime: Seconds after which the kernel ends it.
        limits: As in a configuration file.
        descriptors: Its RLIMIT_NOFILE, if it is to be lower than it can be.
        program: The file of this folder that it runs.
    """
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent), "PYTHONWARNINGS": "always"}
    with tempfile.NamedTemporaryFile(prefix="soak-", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / program), str(lifetime), str(descriptors), json.dumps(dict(limits))],
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        try:
            yield ServerProcess(process, log)
        finally:
            process.kill()  # by its own number; nothing happens to one that has ended
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
