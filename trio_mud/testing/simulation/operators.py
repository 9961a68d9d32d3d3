"""The operator: the ways to end a run before its quiet end. To add one, add one line."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from .harness import Harness


class Operator(NamedTuple):
    """One way to end a run."""

    weight: float  # relative frequency; 0: only for games with records
    act: Callable[[Harness], object]
    raises: tuple[type[BaseException], ...] = ()  # raised by `serve` in that case
    counts_task_steps: bool = False  # acts before a step of any task, not of the script
    is_hard: bool = False  # takes the hard path at once


def _break_the_door(harness: Harness) -> None:
    harness.listener.fail(OSError(errno.EBADF, "the listener broke"))


def _interrupt(harness: Harness) -> None:
    harness.interrupt()


def _kill(harness: Harness) -> None:
    harness.kill()


OPERATORS: Final[dict[str, Operator]] = {
    "nobody": Operator(8, lambda harness: None),
    "shutdown": Operator(3, lambda harness: harness.server.shutdown()),
    "shutdown at once": Operator(2, lambda harness: harness.server.shutdown(within=0)),
    "abort": Operator(2, lambda harness: harness.server.abort(), is_hard=True),
    "abort at once": Operator(1, lambda harness: harness.server.abort(within=0), is_hard=True),
    "cancel": Operator(2, lambda harness: harness.outside.cancel(), is_hard=True),
    "cancel anywhere": Operator(2, lambda harness: harness.outside.cancel(), counts_task_steps=True, is_hard=True),
    "interrupt": Operator(1, _interrupt, raises=(KeyboardInterrupt,), is_hard=True),
    "broken door": Operator(1, _break_the_door, raises=(OSError,), is_hard=True),
    "kill": Operator(0, _kill, counts_task_steps=True, is_hard=True),  # of games with records
}
