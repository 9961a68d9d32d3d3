"""Fixtures shared by all tests."""

import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]  # for the tests of the kit's own plugin

# Fifty examples of each property, other ones every time; `--hypothesis-profile nightly` looks at twenty times as many.
# Neither counts seconds, for a busy machine is no fault: where time is what is tested, the test counts.
settings.register_profile("usual", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("usual"), max_examples=1000)
settings.load_profile("usual")


@pytest.fixture(autouse=True, scope="session")
def interrupts() -> Generator[None]:
    """Let Ctrl-C interrupt, in the tests and in the processes they start: `nohup` and `&` in a script ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--whole`: all of what is otherwise tried as a sample."""
    parser.addoption("--whole", action="store_true", help="try every case of the tests that usually try a sample")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test runs in one session: the usual one, `slow` or `proof`."""
    if both := [item.nodeid for item in items if item.get_closest_marker("slow") and item.get_closest_marker("proof")]:
        raise pytest.UsageError(f"marked as slow and as proof, choose one: {', '.join(both)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Let a test marked as unmeasured run at its own speed, and the processes it starts: traced they take twice it."""
    measuring = sys.modules.get("coverage")
    coverage = measuring and measuring.Coverage.current()
    if coverage is None or not item.get_closest_marker("unmeasured"):
        return (yield)
    coverage.stop()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
            return (yield)
    finally:
        coverage.start()
