"""The origins of coroutines: the lines that Python names when a coroutine was never awaited."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

Args = TypeVarTuple("Args")
R = TypeVar("R")


@contextmanager
def naming_forgotten_awaits() -> Iterator[None]:
    """Make Python's warning about a coroutine that was never awaited name the line that created it.

    By default the warning names the line that ran when the coroutine was dropped, which is often the driver's.
    Tracking costs 0.1 us for each call of an async function.
    """
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(1, depth))
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)


def without_origin(create: Callable[[*Args], R], *args: *Args) -> R:
    """Call a function that creates a coroutine of the driver, and keep no record of the line that created it.

    A record takes 112 bytes as long as the coroutine exists. Each connection has three that exist as long as it does,
    and the driver awaits them all.
    """
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(0)
    try:
        return create(*args)
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)
