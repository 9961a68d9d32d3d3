"""Fuzz every target, two at a time; `nox -s fuzz` runs this.

    python tests/fuzz/run.py                    a million executions, shared out among the targets
    python tests/fuzz/run.py --runs 10000 engine gmcp
    python tests/fuzz/run.py --seconds 60       as many as fit into a minute

With atheris the inputs follow the code they reach; without it they come from the mutator in this folder.
An input that breaks a promise is written to tests/fuzz/found, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import math
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
FOUND: Final = HERE / "found"
NEWS: Final = 5.0  # seconds between two lines of progress from one target
TOO_SLOW: Final = 10  # seconds for one input
TOO_MUCH: Final = 1024  # MiB of the whole process

# One target, in a process of its own


def _counting(name: str, test: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return the same test, which also prints a count of its runs at intervals, and stores failing inputs."""
    began = told = time.monotonic()
    count = 0

    def run(data: bytes) -> None:
        nonlocal count, told
        try:
            test(data)
        except Exception:
            FOUND.mkdir(exist_ok=True)
            path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{name}: {path} breaks a promise\n{traceback.format_exc()}", flush=True)
            raise
        count += 1
        if (now := time.monotonic()) - told > NEWS:
            told = now
            print(f"{name}: {count:,}, {count / (now - began):,.0f} a second", flush=True)

    return run


def work_by_mutation(name: str, runs: int, seconds: float, seed: int, keep: Path | None = None) -> None:
    del keep  # it learns nothing
    from tests.fuzz.mutator import inputs
    from tests.fuzz.targets import TARGETS

    began = time.monotonic()
    count = 0
    test = _counting(name, TARGETS[name].run)
    for count, data in enumerate(inputs(TARGETS[name], seed), 1):
        test(data)
        if count >= runs or time.monotonic() - began > seconds:
            break
    print(f"Done {count} runs in {time.monotonic() - began:.0f} second(s)", flush=True)


def work_by_coverage(name: str, runs: int, seconds: float, seed: int, keep: Path | None = None) -> NoReturn:
    # The compiled module has no types, and is not there on every Python.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["trio_mud"]):
        from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(keep or folder, name), Path(folder, "words")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(data)
        escaped = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.words if len(word) <= 64]
        words.write_text("".join(f'"{word}"\n' for word in escaped), encoding="ascii")
        arguments = [
            sys.argv[0],
            f"-runs={runs}",
            f"-seed={seed}",
            f"-dict={words}",
            f"-max_len={target.longest}",
            "-len_control=0",  # long ones from the beginning
            f"-timeout={TOO_SLOW}",
            f"-rss_limit_mb={TOO_MUCH}",
            f"-artifact_prefix={folder}/",
            *([f"-max_total_time={math.ceil(seconds)}"] if math.isfinite(seconds) else []),
            str(corpus),
        ]
        atheris.Setup(arguments, _counting(name, target.run))
        atheris.Fuzz()
    raise SystemExit("atheris came back")


# All targets


@dataclass
class Job:
    """One process that fuzzes one target."""

    name: str
    runs: int
    process: subprocess.Popen[str]
    began: float


def start(name: str, runs: int, seconds: float, arguments: list[str]) -> Job:
    command = [sys.executable, __file__, *arguments, "--runs", str(runs), name]
    if math.isfinite(seconds):
        command += ["--seconds", str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return Job(name, runs, process, time.monotonic())


def follow(job: Job) -> tuple[int, bool]:
    """Print the relevant output of a job; return the number of runs, and True if it found nothing."""
    assert job.process.stdout is not None
    done = 0
    tail: list[str] = []
    for line in job.process.stdout:
        tail = [*tail[-60:], line]
        if line.startswith(f"{job.name}:"):
            print(line, end="", flush=True)
        elif line.startswith("Done "):
            done = int(line.split()[1])
    held = job.process.wait() == 0 and done > 0
    if not held:
        print("".join(tail), flush=True)
    seconds = max(0.001, time.monotonic() - job.began)
    verdict = "held" if held else "BROKE A PROMISE"
    print(f"{job.name}: {done:,} executions in {seconds:,.0f} s, {done / seconds:,.0f} a second: {verdict}", flush=True)
    return done, held


def shares(names: list[str], runs: int) -> dict[str, int]:
    """How many of the executions each target gets; together exactly `runs`."""
    from tests.fuzz.targets import TARGETS

    total = sum(TARGETS[name].share for name in names)
    of_each = {name: runs * TARGETS[name].share // total for name in names}
    of_each[names[0]] += runs - sum(of_each.values())
    return of_each


def fuzz(names: list[str], runs: int, seconds: float, processes: int, arguments: list[str]) -> bool:
    """Fuzz targets in this many processes, and print the results; return True if every promise held."""
    from concurrent.futures import ThreadPoolExecutor

    of_each = shares(names, runs)
    began = time.monotonic()
    patience = seconds * processes / len(names)

    def job(name: str) -> tuple[int, bool]:
        return follow(start(name, of_each[name], patience, arguments))

    with ThreadPoolExecutor(processes) as pool:
        results = list(pool.map(job, names))
    done, spent = sum(count for count, _ in results), time.monotonic() - began
    held = all(each for _, each in results)
    verdict = "all held" if held else "NOT ALL HELD"
    print(f"{done:,} executions in {spent:,.0f} s, {done / spent:,.0f} a second, {verdict}")
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz what reads bytes of peers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--runs", type=int, default=None, help="number of executions (default: a million)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for all targets together")
    parser.add_argument("--seed", type=int, default=None, help="from 1 up (default: random)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--without-atheris", action="store_true", help="use the mutator even if atheris is installed")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that reached new code")
    parser.add_argument("--worker", choices=["atheris", "mutator"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else 1 + time.time_ns() % 2**31
    runs = arguments.runs if arguments.runs is not None else 1_000_000 if math.isinf(arguments.seconds) else 2**31 - 1
    if arguments.worker is not None:
        work = work_by_coverage if arguments.worker == "atheris" else work_by_mutation
        work(arguments.targets[0], runs, arguments.seconds, seed, arguments.keep)
        return
    from tests.fuzz.targets import TARGETS

    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    has_atheris = importlib.util.find_spec("atheris") is not None and not arguments.without_atheris
    if not has_atheris:
        print("without atheris: inputs come from the mutator, which does not see what code they reach")
    print(f"seed {seed}")
    names = arguments.targets or [*TARGETS]
    to_each = ["--worker", "atheris" if has_atheris else "mutator", "--seed", str(seed)]
    to_each += ["--keep", str(arguments.keep)] if arguments.keep is not None else []
    held = fuzz(names, runs, arguments.seconds, arguments.processes, to_each)
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent.parent))  # the checkout is not where Python looks for a program's modules
    main()
