"""Measure the driver beside others: CPU of the server process for each operation, in one run on one machine.

    python tests/bench/run.py                      every cell, three rounds
    python tests/bench/run.py --cells echo-50,idle --rounds 1
    python tests/bench/run.py --kinds driver,trio
    python tests/bench/run.py --kinds driver,mccp2,tls      the driver compressing, or encrypting, for all
    python tests/bench/run.py --growth             curves from 10 to 15,000 connections, into docs/topics/figures
    python tests/bench/run.py --full               what happens past limits.max_connections and max_per_address
    python tests/bench/run.py --engine             the telnet engine alone, by `engine.py`
    python tests/bench/run.py --bounds             figures that must hold, by `bounds.py`; exit status 1 if one does not

Each measurement starts one server and one load (`servers.py`, `load.py`) as processes of their own on loopback, on one
core each where there are two.  The servers take turns within a round, another one begins each round, so that a busy
moment of the machine meets them all.  uvloop, Twisted and telnetlib3 take part if they are installed.
Only ratios within one run mean something on another machine.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

from tests.bench import (
    accounts,
    besieged,
    bounds,
    crowds,
    encryption,
    handshakes,
    links,
    page,
    storage,
    storms,
    texts,
    web,
    world,
)
from tests.bench.figures import draw
from tests.bench.measuring import Cell, Measurement, measure, say
from tests.bench.servers import SERVERS
from trio_mud.compiled import is_compiled

HERE = Path(__file__).resolve().parent
FIGURES = HERE.parent.parent / "docs" / "topics" / "figures"
SPARE = 64  # descriptors that a process needs beside its connections
PEERS = {"uvloop": "uvloop", "twisted": "twisted", "conch": "twisted", "telnetlib3": "telnetlib3"}  # and the packages
KINDS = ("driver", "trio", "asyncio", *(name for name, package in PEERS.items() if importlib.util.find_spec(package)))
GROWTH = (10, 30, 100, 300, 1000, 3000, 10_000, 15_000)  # connections


BOUNDS = (
    *storms.ROWS,
    *handshakes.ROWS,
    *encryption.ROWS,
    *web.ROWS,
    *page.ROWS,
    *besieged.ROWS,
    *crowds.ROWS,
    *texts.ROWS,
    *storage.ROWS,
    *accounts.ROWS,
    *world.ROWS,
    *links.ROWS,
)

CELLS = (
    *(Cell(f"echo-{n}", "echo", (n,), "CPU us a command") for n in (50, 200, 1000, 10_000)),
    Cell("room-10", "room", (10, 1000), "CPU us a delivery"),
    Cell("fan-1000", "fan", (1000,), "CPU us a delivery"),
    Cell("fan-5000", "fan", (5000,), "CPU us a delivery"),
    Cell("storm", "storm", (5000,), "CPU us a connection"),
    Cell("idle", "idle", (10_000,), "bytes a connection", 1),
    Cell("death", "death", (10_000,), "p99 ms of the survivors", 1e3),
    Cell("beat-100", "beat", (100,), "p50 ms late of a 10 ms timer", 1e3),
    Cell("beat", "beat", (10_000,), "p50 ms late of a 10 ms timer", 1e3),
    Cell("worst", "worst", (10_000,), "most ms late of a 10 ms timer", 1e3),
)


def bounded(cells: Sequence[Cell]) -> list[Cell]:
    """Return the same with at most as many connections as this process's limit of descriptors allows."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    fitting = [cell._replace(numbers=tuple(min(n, most - SPARE) for n in cell.numbers)) for cell in cells]
    for cell, ours in zip(cells, fitting, strict=True):
        if cell != ours:
            say(f"RLIMIT_NOFILE is {most}: {cell.name} with {ours.numbers}")
    return fitting


def run_rounds(
    cells: Sequence[Cell], kinds: Sequence[str], rounds: int, seconds: float, budget: float
) -> dict[tuple[str, str], list[Measurement]]:
    """Measure every cell with every server, round by round; stop before a round that would not end in time."""
    figures: dict[tuple[str, str], list[Measurement]] = {}
    start = time.monotonic()
    for number in range(rounds):
        spent = time.monotonic() - start
        if number and spent + spent / number > budget:
            say(f"stopped after {number} rounds: another would go past {budget:g} s")
            break
        first = number % len(kinds)
        for cell in cells:
            for kind in (*kinds[first:], *kinds[:first]):
                figure = measure(kind, cell, seconds)
                figures.setdefault((cell.name, kind), []).append(figure)
                say(f"round {number + 1}  {cell.name:10}  {kind:10}  {_told(figure, cell)}")
    return figures


def _told(figure: Measurement, cell: Cell) -> str:
    value = "not known" if figure.value is None else f"{figure.value * cell.scale:,.2f}"
    return f"{value:>10} {cell.unit}" + ("" if figure.rate is None else f"  {figure.rate:10,.0f}/s")


def table(cells: Sequence[Cell], kinds: Sequence[str], figures: Mapping[tuple[str, str], Sequence[Measurement]]) -> str:
    """Medians over the rounds; a ratio is the median of the driver's ratios to that server within each round."""
    lines = [f"| cell | what | {' | '.join(kinds)} |", "|---" * (2 + len(kinds)) + "|"]
    for cell in cells:
        ours = [figure.value for figure in figures[cell.name, kinds[0]]]
        shown = []
        for kind in kinds:
            theirs = [figure.value for figure in figures[cell.name, kind]]
            known = [value for value in theirs if value is not None]
            text = f"{statistics.median(known) * cell.scale:,.2f}" if known else "-"
            ratios = [a / b for a, b in zip(ours, theirs, strict=True) if a is not None and b]
            if kind != kinds[0] and ratios:
                text += f" ({statistics.median(ratios):.2f}, {min(ratios):.2f}-{max(ratios):.2f})"
            shown.append(text)
        lines.append(f"| {cell.name} | {cell.unit} | {' | '.join(shown)} |")
    return "\n".join(lines)


def machine() -> str:
    """Return the environment of this run, without anything that identifies the machine."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    build = "compiled" if is_compiled() else "in pure Python"
    return f"{system}, trio_mud {build}, {interpreter()}, {time.strftime('%Y-%m-%d')}"


def interpreter() -> str:
    """Return the interpreter and its build, since one that was built with profiles is a tenth faster.

    Debian builds with profiles, and without this option, which is how others do.
    """
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    built = "with" if "--enable-optimizations" in options else "without"
    return (
        f"{platform.python_implementation()} {platform.python_version()} "
        f"({platform.python_compiler()}, {built} --enable-optimizations)"
    )


CURVES = (
    ("growth-command", "What a command costs", "CPU, µs per command", "echo", 1e6),
    ("growth-delivery", "What a line to one listener costs, ten lines a second", "CPU, µs per delivery", "fan", 1e6),
    ("growth-memory", "What an idle connection costs", "memory, kB per connection", "idle", 1e-3),
    ("growth-lateness", "How late a timer is under full load, median", "lateness, ms", "beat", 1e3),
    ("growth-worst", "How late a timer is under full load, at worst", "lateness, ms", "worst", 1e3),
)


def grow(kinds: Sequence[str], numbers: Sequence[int], rounds: int, seconds: float, folder: Path) -> None:
    """Measure curves over the number of connections; write them as JSON and CSV, and draw them."""
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, object] = {}
    rows: list[tuple[object, ...]] = []
    for name, title, up, what, scale in CURVES:
        cells = bounded([Cell(f"{what}-{n}", what, (n,), up, scale) for n in numbers if what != "idle" or n >= 1000])
        figures = run_rounds(cells, kinds, rounds, seconds, float("inf"))
        curves: dict[str, list[tuple[int, float]]] = {kind: [] for kind in kinds}
        for cell in cells:
            for kind in kinds:
                values = [figure.value * scale for figure in figures[cell.name, kind] if figure.value is not None]
                if values:
                    curves[kind].append((cell.numbers[0], statistics.median(values)))
                    rows.append((name, kind, *curves[kind][-1], min(values), max(values)))
        told[name] = {"title": title, "across": "connections", "up": up, "curves": curves}
    path = folder / "growth.json"
    path.write_text(json.dumps({"machine": machine(), "rounds": rounds, "figures": told}, indent=1), encoding="utf-8")
    with (folder / "growth.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("figure", "server", "connections", "median", "least", "most"), *rows])
    for drawn in draw(path):
        say(f"drawn: {drawn}")


def past_the_limits(players: int, refused: int, seconds: float) -> str:
    """Return a table of connections over the limit: their output, and their effect on the players."""
    lines = [
        "| past | refused | players' p99, ms: before | meanwhile | players left | they read |",
        "|---" * 6 + "|",
    ]
    many = 1_000_000
    for name, limits in (("max_connections", (players, many)), ("max_per_address", (many, players))):
        found = measure("full", Cell(name, "full", (players, refused), "", 1), seconds, *limits).found
        p99 = [found["before"], found["value"]]
        shown = [f"{each * 1e3:.2f}" for each in p99 if isinstance(each, float)]
        words = found["words"]
        assert isinstance(words, dict)
        lines.append(
            f"| limits.{name} = {players} | {found['refused']} of {found['knocked']} | {' | '.join(shown)} "
            f"| {found['players left']} | {' / '.join(words)} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each cell is measured (default: 3)")
    parser.add_argument("--cells", default=",".join(cell.name for cell in CELLS), help="which; all by default")
    parser.add_argument("--kinds", default=",".join(KINDS), help="servers; the others are set beside the first")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured in each cell and round (default: 1)")
    parser.add_argument("--budget", type=float, default=1200, help="seconds; no round that would pass it is begun")
    parser.add_argument("--engine", action="store_true", help="measure only the telnet engine, in a few seconds")
    parser.add_argument("--growth", action="store_true", help="measure curves and draw them")
    parser.add_argument("--connections", default=",".join(map(str, GROWTH)), help="of the curves")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="where the curves go")
    parser.add_argument("--full", action="store_true", help="measure only what happens past the limits")
    parser.add_argument(
        "--bounds", nargs="?", const="", metavar="NAMES", help="measure only figures that have a bound; all by default"
    )
    asked = parser.parse_args()
    kinds, wanted = asked.kinds.split(","), asked.cells.split(",")
    for name in {*wanted} - {cell.name for cell in CELLS}:
        parser.error(f"there is no cell {name!r}; choose from {', '.join(cell.name for cell in CELLS)}")
    for kind in {*kinds} - {*SERVERS}:
        parser.error(f"there is no kind {kind!r}; choose from {', '.join(SERVERS)}")
    for kind in {*kinds} & {*PEERS} - {*KINDS}:
        parser.error(f"{kind} needs the package {PEERS[kind]}: pip install {PEERS[kind]}")
    say(machine())
    if asked.bounds is not None:
        return 0 if bounds.check(bounds.chosen(BOUNDS, asked.bounds), say) else 1
    if asked.growth:
        numbers = [int(number) for number in asked.connections.split(",")]
        grow(kinds, numbers, asked.rounds, asked.seconds, asked.figures)
        return 0
    if asked.full:
        say(past_the_limits(200, 1000, asked.seconds))
        return 0
    engine = subprocess.run([sys.executable, HERE / "engine.py"], stdout=subprocess.PIPE, text=True, check=True).stdout
    say(f"\n{engine}")
    if asked.engine:
        return 0
    if not Path("/proc/self/stat").exists():
        say("there is no /proc here: only rates are measured, no CPU")
    cells = bounded([cell for cell in CELLS if cell.name in wanted])
    start = time.monotonic()
    figures = run_rounds(cells, kinds, asked.rounds, asked.seconds, asked.budget)
    say(f"\n{machine()}; {time.monotonic() - start:.0f} s in all\n")
    say("In brackets: the first server's figure divided by this one's, the median of the rounds and their range.\n")
    say(table(cells, kinds, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
