"""Tasks of the driver are protected from Ctrl-C, whether they are compiled or not."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest
import trio

from trio_mud.interrupts import protect_task


class WithoutFrame:
    """An async function that is no Python function, as those of a compiled module."""

    def __init__(self, function: Callable[[], Awaitable[None]]) -> None:
        self._function = function

    def __call__(self) -> Awaitable[None]:
        return self._function()


@pytest.mark.parametrize("is_compiled", [False, True])
def test_an_interrupt_waits_until_a_protected_task_has_ended(is_compiled: bool) -> None:
    seen: list[str] = []

    def called_by_it() -> None:
        signal.raise_signal(signal.SIGINT)
        seen.append("went on")

    async def work() -> None:
        called_by_it()

    async def main() -> None:
        function = WithoutFrame(work) if is_compiled else work
        async with trio.open_nursery() as nursery:
            nursery.start_soon(protect_task(function))

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert seen == ["went on"]


async def test_a_protected_task_keeps_its_name_arguments_and_result() -> None:
    async def add(left: int, right: int) -> int:
        return left + right

    assert protect_task(add).__name__ == "add"
    assert await protect_task(add)(2, right=3) == 5
