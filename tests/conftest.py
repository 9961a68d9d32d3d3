"""Fixtures shared by all tests."""

import signal
import sys
from collections.abc import Generator
from functools import partial

import pytest
from hypothesis import HealthCheck, settings

from trio_mud.testing.mud import OpenMud, open_mud

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
    parser.addoption("--split", action="store_true", help="serve the players of `mud` at a gateway apart from the game")
    parser.addoption("--whole", action="store_true", help="try every case of the tests that usually try a sample")


@pytest.fixture(scope="session")
def mud(request: pytest.FixtureRequest) -> OpenMud:
    """The fixture of the kit; with `--split`, each server is a gateway and a world, unless a test says otherwise."""
    return partial(open_mud, split=True) if request.config.getoption("--split") else open_mud


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test runs in one session: the usual one, `slow` or `proof`; with `--split`, those that use `mud`."""
    if config.getoption("--split"):
        for item in items:
            if (mark := item.get_closest_marker("one_process")) is not None:
                item.add_marker(pytest.mark.skip(reason=f"about one process: {mark.args[0]}"))
            elif "mud" not in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="serves no game by `mud`"))
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
