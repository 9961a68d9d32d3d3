"""The pytest plugin: a fixture `mud`, and the virtual clock for every test that uses it.

It comes with the package; nothing needs to be configured, and pytest-trio's `trio_mode` may be on or off.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .mud import OpenMud


@pytest.fixture
def mud() -> OpenMud:
    """`async with mud(hooks) as tavern:` serves hooks; `await tavern.player()` is a player at the door."""
    from .mud import open_mud

    return open_mud


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use `mud`: pytest-trio takes a clock only from a test's own arguments."""
    for item in items:
        function = getattr(item, "obj", None)
        inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
        if "mud" in getattr(item, "fixturenames", ()) and inspect.iscoroutinefunction(inner):
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)


def run_in_virtual_time(main: Callable[[], Awaitable[Any]], **settings: Any) -> Any:
    """`trio.run` with a clock that jumps to the next deadline as soon as every task waits.

    A single failure comes out as itself, without the groups that nurseries put it in.
    """
    import trio
    from trio.testing import MockClock

    from ..driver.isolation import sole_error

    if settings.get("clock") is None:
        settings["clock"] = MockClock(autojump_threshold=0)
    try:
        return trio.run(main, **settings)
    except BaseExceptionGroup as group:
        error = sole_error(group)
        raise error from error.__cause__
