"""One measurement: a server and a load as processes of their own, on one core each where there are two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PATIENCE = 90.0  # seconds for one measurement; then its processes are ended


class Cell(NamedTuple):
    """A measurement to make."""

    name: str
    what: str  # a cell of load.py
    numbers: tuple[int, ...]
    unit: str  # what a value is, for people
    scale: float = 1e6  # of a value, to that


class Measurement(NamedTuple):
    """The result of one measurement."""

    value: float | None  # what the cell is about
    rate: float | None  # operations a second
    found: Mapping[str, object] = {}  # all that the load told


def say(text: str) -> None:
    print(text, flush=True)


def pinned(process: subprocess.Popen[bytes], core: int) -> None:
    """Give a process a core of its own, where there are two."""
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(process.pid, {cores[core]})


def measure(kind: str, cell: Cell, seconds: float, *more: int) -> Measurement:
    """Start a server, load it, end it; `more` is for a server that wants numbers."""
    server = subprocess.Popen(
        [sys.executable, HERE / "servers.py", kind, *map(str, more)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        pinned(server, 0)
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        if not port:
            raise SystemExit(f"the {kind} server did not start")
        numbers = [str(number) for number in (port, server.pid, *cell.numbers, seconds)]
        with subprocess.Popen(
            [sys.executable, HERE / "load.py", kind, cell.what, *numbers],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as load:
            pinned(load, 1)
            try:
                told, complaint = load.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                load.kill()
                complaint, told = b"it took too long", b""
    finally:
        server.kill()
        server.communicate()
    if not told:
        say(f"{cell.name} with {kind}: {complaint.decode(errors='replace').strip().splitlines()[-1]}")
        return Measurement(None, None)
    found = json.loads(told)
    return Measurement(found["value"], found["rate"], found)
