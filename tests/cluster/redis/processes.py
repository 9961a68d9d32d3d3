"""Starts the processes of a cluster, reads their reports, and ends them by their process id."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

from .process import main

PATIENCE = 30.0  # seconds for a process to report
# One process imports everything, and the others are its forks: ten worlds start in the time of one.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "tests.cluster.redis.process"])


class Child:
    """A process of `tests.cluster.redis.process`.

    Attributes:
        name: Names its log.
        pid: Its process id.
    """

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._log.touch()
        self._process = FORKS.Process(target=main, args=(self._log, *arguments), daemon=True)
        self._process.start()
        assert self._process.pid is not None, "it is started"
        self.pid = self._process.pid

    def reports(self) -> list[Mapping[str, Any]]:
        """Return its reports so far."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def log(self) -> str:
        """Return what else it has written: warnings and tracebacks."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if not line.startswith("{"))

    async def reported(self, what: str, within: float = PATIENCE) -> Mapping[str, Any]:
        """Wait for a report, and return it."""
        with trio.fail_after(within):
            while True:
                for report in self.reports():
                    if what in report:
                        return report
                if self.status is not None:
                    raise AssertionError(f"{self.name} ended by {self.status}: {self.log()[-3000:]}")
                await trio.sleep(0.005)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    async def ended(self, within: float = PATIENCE) -> int:
        """Wait for its end, and return its exit status."""
        with trio.fail_after(within):
            while (status := self.status) is None:  # noqa: ASYNC110 - of another process
                await trio.sleep(0.005)
        return status

    def kill(self) -> None:
        """Kill it, and return when it is dead."""
        self._process.kill()
        self._process.join()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        return cpu_of(self.pid)

    def close(self) -> None:
        """End it, whatever its state."""
        if self.status is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            self._process.join(5)
            self.kill()


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def now() -> float:
    """Return the time by the clock that reports have."""
    return time.time()
