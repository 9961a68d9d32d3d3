"""The cost of a gateway and a world beside that of one process, saturated, by `tests.cluster.redis.bench`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tests.bench.bounds import BoundRow
from tests.cluster.redis.bench import Saturation, measured, ratios
from tests.cluster.redis.server import PROGRAM

MOST_OVER_UNIX = 2.5
MOST_OVER_REDIS = 4.0


def measure(link: str) -> float:
    """Return the sum of CPU for a command over a link, divided by that of one process."""
    return min(ratios(measured(["one process", link], 2, Saturation(seconds=2.0)), link))


ROWS = [
    row
    for row, has_parts in (
        (BoundRow("a command over the Unix link", "of one process", MOST_OVER_UNIX, lambda: measure("unix")), True),
        (
            BoundRow("a command over Redis", "of one process", MOST_OVER_REDIS, lambda: measure("redis")),
            PROGRAM is not None and importlib.util.find_spec("coredis") is not None,
        ),
    )
    if has_parts and Path("/proc/self/stat").exists()
]
