"""Many seeds, in forked processes: a failed seed leaves half-dead coroutines, and no other shall run beside them.

Who uses it: the command, and the tests of the simulator's own power.
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
from .games import Game
from .plan import Plan
from .simulator import Outcome, Patch, simulate
from .trace import Trace

COMPARED = 50  # each so-many-th seed is also a comparison
BATCH = 40  # seeds of one process: a fork costs about as much as one of them


@dataclass
class Tally:
    """What came of many seeds.

    Attributes:
        seeds: How many were played.
        failed: Their outcomes, in the order they came.
        fired: How often each deed came off.
        pairs: How often one event followed another.
    """

    seeds: int = 0
    failed: list[Outcome] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count those of another."""
        self.seeds += other.seeds
        self.failed += other.failed
        self.fired += other.fired
        self.pairs += other.pairs


def run_batches(
    seeds: Iterable[int],
    *,
    jobs: int = 1,
    batch: int = BATCH,
    game: Callable[[Trace], Game] | None = None,
    patch: Patch = nullcontext,
    name: str = "",
    stop_at_failure: bool = False,
) -> Iterator[Tally]:
    """Play seeds in processes of their own, and yield what came of each batch.

    Args:
        jobs: Processes at a time.
        batch: Seeds of one process.
        game: As for `simulate`, and so are `patch` and `name`.
        stop_at_failure: Begin no further batch once one has failed.
    """

    def play(numbers: Sequence[int]) -> Tally:
        tally = Tally()
        for seed in numbers:
            outcome = judged(seed, game=game, patch=patch, name=name)
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
                assert isinstance(tally, Tally)
                has_failed = has_failed or (stop_at_failure and bool(tally.failed))
                yield tally
    finally:
        for process in running.values():
            process.kill()
            process.join()


def judged(
    what: int | Plan, *, game: Callable[[Trace], Game] | None = None, patch: Patch = nullcontext, name: str = ""
) -> Outcome:
    """`simulate`, and for each fiftieth seed the comparison of `isolated`, too."""
    outcome = simulate(what, game=game, patch=patch, name=name)
    if game is None and isinstance(what, int) and what % COMPARED == 0:
        outcome.violations += isolated(what, patch=patch)
    return outcome


def in_fork(
    what: int | Plan, *, game: Callable[[Trace], Game] | None = None, patch: Patch = nullcontext, name: str = ""
) -> Outcome:
    """`judged` in a process of its own."""
    outcome = _result(*_fork(lambda: judged(what, game=game, patch=patch, name=name)))
    assert isinstance(outcome, Outcome)
    return outcome


def first_caught(
    patch: Patch, *, seeds: int = 1000, first: int = 0, jobs: int = 1, name: str = "hostile"
) -> tuple[int, str] | None:
    """The first seed at which a planted defect is caught, and the invariant that caught it; None if it is not.

    Args:
        patch: Makes a context in which the defect is there.
        seeds: How many are tried.
        first: The first of them.
        name: The game to play.
    """
    found: list[tuple[int, str]] = []
    for tally in run_batches(
        range(first, first + seeds), jobs=jobs, batch=20, patch=patch, name=name, stop_at_failure=True
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
    """In the child: do it, tell it, and be gone before anybody collects what a failed seed has left."""
    try:
        writing.send(work())
    except BaseException:  # noqa: BLE001 - it is told, and raised by who waits for it
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
    """Python warns of forks beside threads; the child uses none of their locks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
