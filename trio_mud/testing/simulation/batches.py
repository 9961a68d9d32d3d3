"""Plays many seeds in forked processes: a failed seed leaves suspended coroutines, which must not affect other seeds.

Used by the command, and by the tests of the simulator itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection, wait

from .comparing import isolated
from .games import SimulatedGame
from .plan import RunPlan
from .simulator import Patch, RunResult, simulate
from .trace import Trace

COMPARED = 50  # every 50th seed is also played as a comparison
BATCH = 40  # seeds per process: a fork costs about as much as one seed


@dataclass
class BatchTally:
    """The results of many seeds.

    Attributes:
        seeds: Number of seeds played.
        failed: Outcomes of the failed seeds, in order of completion.
        fired: Number of times each action succeeded.
        pairs: Number of times one kind of event followed another.
    """

    seeds: int = 0
    failed: list[RunResult] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: BatchTally) -> None:
        """Add the results of another tally."""
        self.seeds += other.seeds
        self.failed += other.failed
        self.fired += other.fired
        self.pairs += other.pairs


def run_batches(
    seeds: Iterable[int],
    *,
    jobs: int = 1,
    batch: int = BATCH,
    game: Callable[[Trace], SimulatedGame] | None = None,
    patch: Patch = nullcontext,
    name: str = "",
    split: bool = False,
    stop_at_failure: bool = False,
) -> Iterator[BatchTally]:
    """Play seeds in separate processes, and yield the results of each batch.

    Args:
        jobs: Processes at a time.
        batch: Seeds per process.
        game: As for `simulate`; so are `patch`, `name` and `split`.
        stop_at_failure: True to start no further batch after a failure.
    """

    def play(numbers: Sequence[int]) -> BatchTally:
        tally = BatchTally()
        for seed in numbers:
            outcome = judged(seed, game=game, patch=patch, name=name, split=split)
            tally.seeds += 1
            tally.fired += outcome.fired
            tally.pairs += outcome.pairs
            if outcome.violations:
                tally.failed.append(outcome)
                if stop_at_failure:
                    break
        return tally

    todo = iter(seeds)
    running: dict[Connection, multiprocessing.process.BaseProcess] = {}
    has_failed = False
    try:
        while True:
            while len(running) < jobs and not has_failed and (numbers := list(islice(todo, batch))):
                reading, process = _fork(lambda numbers=numbers: play(numbers))  # type: ignore[misc]
                running[reading] = process
            if not running:
                return
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                tally = _result(ready, running.pop(ready))
                assert isinstance(tally, BatchTally)
                has_failed = has_failed or (stop_at_failure and bool(tally.failed))
                yield tally
    finally:
        for process in running.values():
            process.kill()
            process.join()


def judged(
    what: int | RunPlan,
    *,
    game: Callable[[Trace], SimulatedGame] | None = None,
    patch: Patch = nullcontext,
    name: str = "",
    split: bool = False,
) -> RunResult:
    """Run `simulate`, and for every 50th seed also the comparison of `isolated`."""
    outcome = simulate(what, game=game, patch=patch, name=name, split=split)
    if game is None and not split and isinstance(what, int) and what % COMPARED == 0:
        outcome.violations += isolated(what, patch=patch)
    return outcome


def in_fork(
    what: int | RunPlan,
    *,
    game: Callable[[Trace], SimulatedGame] | None = None,
    patch: Patch = nullcontext,
    name: str = "",
    split: bool = False,
) -> RunResult:
    """Run `judged` in a separate process."""
    outcome = _result(*_fork(lambda: judged(what, game=game, patch=patch, name=name, split=split)))
    assert isinstance(outcome, RunResult)
    return outcome


def first_caught(
    patch: Patch, *, seeds: int = 1000, first: int = 0, jobs: int = 1, name: str = "hostile", split: bool = False
) -> tuple[int, str] | None:
    """Return the first seed that catches a planted defect, and the invariant broken; None if no seed does.

    Args:
        patch: Makes a context in which the defect is present.
        seeds: Number of seeds to try.
        first: The first of them.
        name: The game to play.
        split: True to split the server.
    """
    found: list[tuple[int, str]] = []
    for tally in run_batches(
        range(first, first + seeds), jobs=jobs, batch=20, patch=patch, name=name, split=split, stop_at_failure=True
    ):
        found += [(outcome.seed, outcome.broken) for outcome in tally.failed]
    return min(found) if found else None


def _fork(work: Callable[[], object]) -> tuple[Connection, multiprocessing.process.BaseProcess]:
    reading, writing = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(work, writing), daemon=True)
    with _quiet_about_threads():
        process.start()
    writing.close()
    return reading, process


def _work(work: Callable[[], object], writing: Connection) -> None:
    """In the child: run, send the result, and exit before the remains of a failed seed are garbage-collected."""
    try:
        writing.send(work())
    except BaseException:  # noqa: BLE001 - sent to the parent, which raises it
        writing.send(traceback.format_exc())
    writing.close()
    sys.stdout.flush()
    os._exit(0)


def _result(reading: Connection, process: multiprocessing.process.BaseProcess) -> object:
    try:
        result: object = reading.recv()
    except EOFError:
        result = "the process ended without a word"
    finally:
        reading.close()
        process.join()
    if isinstance(result, str):
        raise RuntimeError(f"a batch of seeds could not be played:\n{result}")
    return result


@contextmanager
def _quiet_about_threads() -> Iterator[None]:
    """Suppress Python's warning about forks in a threaded process; the child uses none of the threads' locks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
