"""The crash drill: kill a process that saves under load, and look at what is on disk, again and again.

    python -m tests.crash.run                  200 kills, SQLite
    python -m tests.crash.run --kills 40
    python -m tests.crash.run --url postgresql://…

After each kill every save that had returned has to be there, in the records and in the log, and there has to be as
much money as at the start. The exit status is 1 if not.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.child import GOLD, PURSES
from trio_mud.storage import Backend, backend_of
from trio_mud.storage.inspection import check
from trio_mud.storage.sqlite import Sqlite

CHECKOUT = Path(__file__).resolve().parents[2]
LONGEST_LIFE = 0.35  # seconds after the process is ready
PATIENCE = 60.0  # seconds for a process to be ready


@dataclass
class Tally:
    """The saves that were acknowledged, and those of them that were missing."""

    acknowledged: dict[int, int] = field(default_factory=dict)  # the last turn of each player
    saves: int = 0
    lost: int = 0
    torn: int = 0

    @property
    def is_clean(self) -> bool:
        """True if nothing was missing, and something was tried."""
        return self.saves > 0 and not self.lost and not self.torn


def live_and_die(url: str, seed: int, tally: Tally, chance: random.Random) -> None:
    """Start a process, kill it at some moment, and note what it has acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.child", url, str(seed)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            child.wait(PATIENCE)
            raise RuntimeError(f"the process did not start: status {child.returncode}")
        time.sleep(chance.random() * LONGEST_LIFE)
        child.send_signal(signal.SIGKILL)
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                player, turn = map(int, line.split())
                tally.acknowledged[player] = turn
                tally.saves += 1


def look(backend: Backend, tally: Tally) -> None:
    """Compare what is on disk with what was acknowledged."""
    if isinstance(backend, Sqlite):
        assert check(backend.path).problems == []
    backend.open()
    try:
        purses = {row.key: json.loads(row.data) for rows in backend.scan("purse") for row in rows}
        logged: dict[int, int] = {}
        for entry in backend.entries("audit", 1_000_000):
            found = json.loads(entry.data)
            logged[found["who"]] = max(found["turn"], logged.get(found["who"], 0))
    finally:
        backend.close()
    for player, turn in tally.acknowledged.items():
        tally.lost += purses[f"p{player}"].get("turn", 0) < turn or logged.get(player, 0) < turn
    tally.torn += sum(purse.get("gold", 0) for purse in purses.values()) != PURSES * GOLD


def drill(url: str, kills: int, seed: int) -> Tally:
    """Kill this many processes, one after the other, on one database."""
    chance = random.Random(seed)
    tally = Tally()
    for number in range(kills):
        live_and_die(url, seed + number, tally, chance)
        look(backend_of(url), tally)
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drill and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--url", help="a database; a new SQLite file by default")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tally = drill(asked.url or f"{folder}/crash.db", asked.kills, asked.seed)
    print(
        f"{asked.kills} kills (seed {asked.seed}): {tally.saves} acknowledged saves, {tally.lost} lost; "
        f"{tally.torn} worlds with another sum of money"
    )
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
