"""Measure the driver beside trio alone: CPU of the server process for each command, in one run on one machine.

    python tests/bench/run.py
    python tests/bench/run.py --rounds 3 --connections 50,5000
    python tests/bench/run.py --engine

Each measurement starts one server and one load (`servers.py`, `load.py`) as processes of their own on loopback.
The two servers take turns within a round and begin in turn, so that a busy moment of the machine meets both.
Only ratios within one run mean something on another machine.
The telnet engine alone is measured before that, by `engine.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SPARE = 64  # descriptors that a process needs beside its connections
PATIENCE = 25.0  # seconds for one measurement; then its processes are ended
SPEAKERS, LISTENERS = 10, 200
KINDS = ("raw", "driver")


class Cell(NamedTuple):
    """What is measured."""

    name: str
    what: str  # "echo" or "room"
    connections: tuple[int, ...]
    unit: str


class Figure(NamedTuple):
    """What came out of one measurement."""

    rate: float  # commands or deliveries a second
    cpu: float | None  # seconds for each of them


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(kind: str, cell: Cell, seconds: float) -> Figure:
    """Start a server, load it, end it."""
    server = subprocess.Popen([sys.executable, HERE / "servers.py", f"{kind}-{cell.what}"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        if not port:
            raise SystemExit(f"the {kind} server did not start")
        numbers = [str(number) for number in (port, server.pid, *cell.connections, seconds)]
        load = [sys.executable, str(HERE / "load.py"), cell.what, *numbers]
        found = json.loads(subprocess.run(load, stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout)
    finally:
        server.kill()
        server.communicate()
    count = found["answers"] if cell.what == "echo" else found["lines"]
    if not count:
        raise SystemExit(f"the {kind} server answered nothing in {seconds:g} s")
    return Figure(count / found["seconds"], None if found["cpu"] is None else found["cpu"] / count)


def cells_for(connections: list[int]) -> list[Cell]:
    """One echo cell for each number, as far as this process's limit of descriptors goes, and the room."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    possible = list(dict.fromkeys(min(number, most - SPARE) for number in connections))
    if possible != connections:
        say(f"RLIMIT_NOFILE is {most}: measuring with {', '.join(map(str, possible))} connections")
    echo = [Cell(f"echo, {number} connections", "echo", (number,), "command") for number in possible]
    return [*echo, Cell(f"room, {SPEAKERS} speak to {LISTENERS}", "room", (SPEAKERS, LISTENERS), "delivery")]


def run_rounds(cells: list[Cell], rounds: int, seconds: float, budget: float) -> dict[tuple[str, str], list[Figure]]:
    """Measure every cell with every server, round by round; stop before a round that would not end in time."""
    figures: dict[tuple[str, str], list[Figure]] = {}
    start = time.monotonic()
    for number in range(rounds):
        spent = time.monotonic() - start
        if number and spent + spent / number > budget:
            say(f"stopped after {number} rounds: another would go past {budget:g} s")
            break
        for cell in cells:
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                figure = measure(kind, cell, seconds)
                figures.setdefault((cell.name, kind), []).append(figure)
                say(f"round {number + 1}  {cell.name:24}  {kind:6}  {_told(figure, cell.unit)}")
    return figures


def _told(figure: Figure, unit: str) -> str:
    cpu = "no /proc: CPU not known" if figure.cpu is None else f"{figure.cpu * 1e6:6.1f} us CPU/{unit}"
    return f"{figure.rate:9,.0f}/s  {cpu}"


def table(cells: list[Cell], figures: dict[tuple[str, str], list[Figure]]) -> str:
    """Medians over the rounds; the ratio is the median of the ratios within each round."""
    lines = [
        "| | trio alone, CPU us | driver, CPU us | driver / alone (range) | trio alone, per s | driver, per s |",
        "|---|---|---|---|---|---|",
    ]
    for cell in cells:
        raw, driver = figures[cell.name, "raw"], figures[cell.name, "driver"]
        costs, ratio = ["-", "-"], "-"
        raw_cpu = [figure.cpu for figure in raw if figure.cpu]
        driver_cpu = [figure.cpu for figure in driver if figure.cpu]
        if len(raw_cpu) == len(driver_cpu) == len(raw):
            costs = [f"{statistics.median(cpu) * 1e6:.1f}" for cpu in (raw_cpu, driver_cpu)]
            ratios = [ours / theirs for ours, theirs in zip(driver_cpu, raw_cpu, strict=True)]
            ratio = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f})"
        rates = [f"{statistics.median(figure.rate for figure in found):,.0f}" for found in (raw, driver)]
        lines.append(f"| {cell.name}, per {cell.unit} | {' | '.join([*costs, ratio, *rates])} |")
    return "\n".join(lines)


def machine() -> str:
    """What this ran on, without anything that names the machine."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each cell is measured (default: 5)")
    parser.add_argument("--connections", default="50,200,1000", help="of the echo cells (default: 50,200,1000)")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured in each cell and round (default: 1)")
    parser.add_argument("--budget", type=float, default=80, help="seconds; no round that would pass it is begun")
    parser.add_argument("--engine", action="store_true", help="measure only the telnet engine, in a few seconds")
    asked = parser.parse_args()
    engine = subprocess.run([sys.executable, HERE / "engine.py"], stdout=subprocess.PIPE, text=True, check=True).stdout
    say(f"\n{machine()}\n\n{engine}")
    if asked.engine:
        return
    if not Path("/proc/self/stat").exists():
        say("there is no /proc here: only rates are measured, no CPU")
    cells = cells_for([int(number) for number in asked.connections.split(",")])
    start = time.monotonic()
    figures = run_rounds(cells, asked.rounds, asked.seconds, asked.budget)
    rounds = len(next(iter(figures.values())))
    say(f"\n{machine()}; {rounds} rounds of {asked.seconds:g} s, {time.monotonic() - start:.0f} s in all\n")
    say(table(cells, figures))


if __name__ == "__main__":
    main()
