"""The pytest plugin: the fixture `mud`, and virtual time for every test that uses it.

It is installed with the package and needs no configuration; pytest-trio's `trio_mode` may be on or off.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from typing import Any

import pytest
from trio.testing import MockClock

from .mud import OpenMud, open_mud
from .virtual import DeadlockWatch, run_in_virtual_time, with_sole_error


@pytest.fixture(scope="session")  # it has no state, and Hypothesis warns about function-scoped fixtures
def mud() -> OpenMud:
    """Serve hooks in a test, without sockets and in virtual time.

    `async with mud(hooks) as tavern:` serves them; `await tavern.player()` connects a player.
    """
    return open_mud


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use `mud`: pytest-trio accepts a clock only from a test's own arguments."""
    for item in items:
        if _plays_in_mud(item):
            if not config.pluginmanager.hasplugin("trio"):
                raise pytest.UsageError(f"{item.nodeid} uses `mud`, which needs pytest-trio: install trio-mud[testing]")
            if _asyncio_takes_all(config):
                raise pytest.UsageError(
                    f"{item.nodeid} uses `mud`, which runs on trio, but asyncio_mode = auto runs every async test on "
                    f"asyncio: set it to strict, and mark the tests that need asyncio"
                )
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time))  # takes precedence over that of trio_mode


# Tests with Hypothesis: pytest-trio runs each example with `trio.run` and accepts only the test's own arguments. So an
# outer layer adds a clock to the arguments of each example, and an inner layer removes it.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The inner layer; pytest-trio wraps it afterwards."""
    handle = _hypothesis_of(item)
    if handle is None or not _plays_in_mud(item):
        return (yield)
    test = handle.inner_test

    @functools.wraps(test)
    async def test_watched(*, clock: object, watch: DeadlockWatch, **arguments: object) -> None:
        __tracebackhide__ = True
        await watch.guard(functools.partial(test, **arguments))

    handle.inner_test = test_watched
    try:
        return (yield)
    finally:
        handle.inner_test = test


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """The outer layer."""
    handle = _hypothesis_of(pyfuncitem)
    if handle is None or pyfuncitem.get_closest_marker("trio") is None or "mud" not in pyfuncitem.fixturenames:
        return (yield)
    run = handle.inner_test

    def run_example(**arguments: object) -> None:
        __tracebackhide__ = True
        clock, watch = MockClock(autojump_threshold=0), DeadlockWatch()
        with_sole_error(functools.partial(run, clock=clock, watch=watch, **arguments))

    run_example.__name__ = pyfuncitem.function.__name__  # the name that Hypothesis shows
    handle.inner_test = run_example
    return (yield)


def _asyncio_takes_all(config: pytest.Config) -> bool:
    """True if pytest-asyncio is installed in its mode "auto", in which it also runs the tests of trio."""
    if not config.pluginmanager.hasplugin("asyncio"):
        return False
    mode = config.getoption("asyncio_mode", None) or config.getini("asyncio_mode")
    return str(getattr(mode, "value", mode)) == "auto"


def _plays_in_mud(item: pytest.Item) -> bool:
    """True for an async test that uses `mud`."""
    function = getattr(_hypothesis_of(item), "inner_test", getattr(item, "obj", None))
    return "mud" in getattr(item, "fixturenames", ()) and inspect.iscoroutinefunction(function)


def _hypothesis_of(item: pytest.Item) -> Any:
    """Return the handle whose attribute `inner_test` Hypothesis provides for replacing the tested function."""
    return getattr(getattr(item, "obj", None), "hypothesis", None)
