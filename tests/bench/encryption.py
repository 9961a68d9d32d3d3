"""Encryption: the cost of a line behind TLS beyond a plain one, and how late timers are beside busy players behind TLS.

The figures have bounds (`bounds.py` checks them). Server and load are processes of their own, on loopback.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.bench.bounds import BoundRow
from tests.bench.measuring import Cell, measure

SECONDS = 1.0  # of each measurement
PLAYERS = 1000  # of the cost of a line
CROWDS = {100: 5.0, 3000: 5.0, 10_000: 10.0}  # players beside the timer, and how late it may be: ms in the median

MOST_ADDED = 25.0  # us of CPU for each line


def figure(kind: str, cell: str, players: int) -> float:
    """Return the value of a cell of `load.py`, in seconds.

    Raises:
        SystemExit: It was not measured; the reason was printed.
    """
    value = measure(kind, Cell(cell, cell, (players,), ""), SECONDS).value
    if value is None:
        raise SystemExit(f"{cell} with {kind} was not measured")
    return value


def added() -> float:
    """us of CPU that TLS adds to an echoed line."""
    return 1e6 * (figure("tls", "echo", PLAYERS) - figure("driver", "echo", PLAYERS))


def late(players: int) -> float:
    """ms that a timer of 10 ms is late in the median, while so many players behind TLS never pause."""
    return 1e3 * figure("tls", "beat", players)


ROWS = [
    row
    for row in (
        BoundRow(f"a line behind TLS beyond a plain one, {PLAYERS} players", "CPU us", MOST_ADDED, added),
        *(
            BoundRow(f"a timer beside {players} busy players behind TLS", "ms, p50", most, partial(late, players))
            for players, most in CROWDS.items()
        ),
    )
    if Path("/proc/self/schedstat").exists()
]
