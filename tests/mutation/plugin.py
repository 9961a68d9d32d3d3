"""A pytest plugin that lets a run of mutmut take hours instead of days; it does nothing outside of one.

With a mutant active the quick tests run first and the slow ones not at all, and a test that hangs is stopped early.
mutmut itself would wait as long as all tests take together, and a mutant of a clock or a queue often hangs.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

QUICK = 0.2  # seconds, as measured by mutmut without a mutant
PATIENCE = 8  # seconds of true time for one test; those in virtual time take some ten milliseconds
TIMED_OUT = 36  # what mutmut takes for a timeout


def _is_mutated() -> bool:
    return "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", "")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick tests, the quickest first."""
    measured = Path("mutmut-stats.json")
    if _is_mutated() and measured.exists():
        took = json.loads(measured.read_text())["duration_by_test"]
        items[:] = sorted(
            (item for item in items if took.get(item.nodeid, 0) < QUICK), key=lambda item: took.get(item.nodeid, 0)
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the process that tries a mutant when one test takes too long."""
    if not _is_mutated():
        return (yield)
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(TIMED_OUT))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
