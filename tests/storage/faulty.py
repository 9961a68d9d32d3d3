"""A database in memory that fails and is slow as a test wants it, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from trio_mud.storage import Changes, Executor, Memory, Stored

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Faulty(Memory):
    """Fails while `error` is set; `writes` has the number of rows of each write, also of those that failed."""

    def __init__(self, stored: Stored | None = None, error: Exception | None = None) -> None:
        super().__init__(stored)
        self.error = error
        self.writes: list[int] = []

    def write(self, changes: Changes) -> None:
        self.writes.append(len(changes.rows))
        if self.error is not None:
            raise self.error
        super().write(changes)


def delayed(seconds: Callable[[], float]) -> Executor:
    """An executor whose calls take this long, one after the other."""
    turn = trio.Lock()

    async def run(function: Callable[[*Args], T], *args: *Args) -> T:
        async with turn:
            await trio.sleep(seconds())
            return function(*args)

    return run


FULL = OSError(28, "No space left on device")
