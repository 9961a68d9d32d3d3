"""How long a player waits for a restart on a socket that a supervisor holds.

    python -m tests.bench.restarts           ten restarts by SIGTERM, and ten by SIGKILL

A program is cut, connects again at once, returns with its token and asks for its inventory. The time is counted from
the signal to the answer; the new server is started when the old process has ended, as by `systemctl restart`.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import tempfile
import time
from pathlib import Path

from ..supervisor import Program, Supervisor


def main() -> None:
    """Print the medians, and the longest times."""
    parser = argparse.ArgumentParser(description="How long a player waits for a restart.")
    parser.add_argument("--restarts", type=int, default=10, help="of each kind")
    restarts: int = parser.parse_args().restarts
    with tempfile.TemporaryDirectory() as folder, Supervisor(Path(folder)) as supervisor:
        ann = supervisor.program()
        supervisor.start()
        ann.connect(["new", "Ann", "open sesame", "open sesame", "open door", "in", "take lamp"])
        ann.sees("You take the brass lamp.")
        for number in (signal.SIGTERM, signal.SIGKILL):
            times = [restart(supervisor, ann, number) for _ in range(restarts)]
            for part, values in zip(("old process ended", "answered"), zip(*times, strict=True), strict=True):
                print(f"{number.name}, {part}: median {statistics.median(values):.2f} s, longest {max(values):.2f} s")


def restart(supervisor: Supervisor, ann: Program, number: signal.Signals) -> tuple[float, float]:
    """Return the seconds from the signal to the end of the process, and to the answer of the next one."""
    supervisor.saves()
    began = time.perf_counter()
    supervisor.stop(number, ann)
    ended = time.perf_counter()
    ann.connect(["inventory"])
    supervisor.start()
    ann.sees("You carry brass lamp.")
    return ended - began, time.perf_counter() - began


if __name__ == "__main__":
    main()
