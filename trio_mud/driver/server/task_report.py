"""A report of all tasks: their tree, the line at which each waits, and the scopes of each connection.

It only reads, so it may run in a signal handler, or in another thread while the event loop is blocked; then the tree
may change meanwhile, and the report is a snapshot that need not be of one moment.
Used by the console's `tasks`, and on SIGUSR2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import FrameType
from typing import Any

import trio

from ..connection.lifecycle import Lifecycle
from ..core.describing import describe
from .stacks import place_of

__all__ = ["report_tasks"]


def report_tasks(root: trio.lowlevel.Task | None) -> Iterator[str]:
    """Yield one line for each task below `root`, indented by its depth, and one for each scope of a connection."""
    waiting = [(root, 0)] if root is not None else []
    while waiting:
        task, depth = waiting.pop()
        frames = _frames_of(task.coro)
        where = f", at {place_of(frames[-1])}" if frames else ""
        yield f"{'  ' * depth}{task.name}{where}"
        lifecycle = frames[0].f_locals.get("self") if frames else None
        if isinstance(lifecycle, Lifecycle):
            yield from (f"{'  ' * depth}  - {line}" for line in _scopes_of(lifecycle))
        children = [child for nursery in list(task.child_nurseries) for child in nursery.child_tasks]
        waiting += ((child, depth + 1) for child in sorted(children, key=lambda child: child.name, reverse=True))


def _frames_of(coroutine: object) -> list[FrameType]:
    """Return the frames of a coroutine from the outermost to the one that waits, without those of trio itself."""
    frames: list[FrameType] = []
    inner: Any = coroutine
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None) or getattr(inner, "ag_frame", None)
        if isinstance(frame, FrameType) and (not frames or not _is_of_trio(frame)):
            frames.append(frame)
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return frames


def _is_of_trio(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "trio"


def _scopes_of(lifecycle: Lifecycle) -> Iterator[str]:
    """Yield the state of a connection and of each of its scopes."""
    cause = lifecycle.cause
    yield f"{lifecycle._owner._label}: {'lives' if cause is None else f'ends by {cause.reason.value} ({cause})'}"
    yield f"link scope: {_state_of(lifecycle.link_scope)}"
    yield f"active scope: {_state_of(lifecycle.active_scope)}"
    for scope, (what, function) in list((lifecycle._works or {}).items()):
        yield f"scope of {what} {describe(function)}: {_state_of(scope)}"


def _state_of(scope: trio.CancelScope | None) -> str:
    if scope is None:
        return "not begun"
    # Not `cancel_called`: it asks trio for the time, which another thread may not, and may cancel the scope.
    state = "cancelled" if scope._cancel_called else "open"
    return state if scope.deadline == math.inf else f"{state}, with a deadline"
