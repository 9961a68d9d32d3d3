"""Protection from Ctrl-C for tasks of the driver, in the pure Python build and in the compiled one."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import ParamSpec, TypeVar

from trio.lowlevel import enable_ki_protection

P = ParamSpec("P")
R = TypeVar("R")


def protect_task(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Mark an async function of the driver: Ctrl-C interrupts no code that it calls, unless that is marked otherwise.

    trio finds the mark in the frames of the functions that run. A compiled function has no frame, so one is put around
    it.
    """
    if isinstance(function, FunctionType):
        return enable_ki_protection(function)

    @enable_ki_protection
    async def protected(*args: P.args, **kwargs: P.kwargs) -> R:
        return await function(*args, **kwargs)

    functools.wraps(function)(protected)
    protected.__name__ = protected.__name__.rpartition(".")[2]  # mypyc calls it `Poller.run`, and tasks are named by it
    return protected
