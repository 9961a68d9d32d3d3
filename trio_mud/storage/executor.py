"""Executors: where the plain calls of a backend run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, TypeVarTuple

import trio

__all__ = ["Executor", "in_thread", "inline"]

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Executor(Protocol):
    """Runs a function and returns its result; never two at a time."""

    def __call__(self, function: Callable[[*Args], T], *args: *Args) -> Awaitable[T]: ...


def in_thread() -> Executor:
    """Return an executor that runs functions in a thread, one after the other.

    A cancelled call stops waiting; its function runs to its end, and the next one waits for that.
    """
    limiter = trio.CapacityLimiter(1)

    async def run(function: Callable[[*Args], T], *args: *Args) -> T:
        return await trio.to_thread.run_sync(function, *args, limiter=limiter, abandon_on_cancel=True)

    return run


async def inline(function: Callable[[*Args], T], *args: *Args) -> T:
    """Run the function in place, for tests in virtual time."""
    await trio.lowlevel.checkpoint()
    return function(*args)
