"""The compiled build plays what pure Python plays: equal digests of simulated runs.

`python -m tests.builds` plays seeds on this build and on a copy of its sources alone, which is pure Python, and prints
those that differ. `nox -s compiled` runs it where the modules are compiled. The digest covers each step of each task,
its time, and the events of the game.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import trio_mud
from trio_mud.compiled import build

PACKAGE = Path(trio_mud.__file__).parent
BATCH = 20  # seeds per process: those of one are played in one order on both builds

_PLAY = """
import sys
from trio_mud.compiled import build
from trio_mud.testing.simulation import simulate
first, count, split = map(int, sys.argv[1:])
print(build())
for seed in range(first, first + count):
    result = simulate(seed, split=bool(split))
    print(seed, result.digest, result.steps, result.broken or "-")
"""


def copy_sources(folder: Path) -> Path:
    """Copy the package without its compiled modules into this folder, and return the folder."""
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    return folder


def played(root: Path, first: int, count: int, *, split: bool = False) -> list[str]:
    """Return the build below `root`, and a row for each seed: its digest, its steps, and the invariant it broke."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", _PLAY, str(first), str(count), str(int(split))],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ran.stdout.splitlines()


def differences(sources: Path, first: int, count: int, *, split: bool = False) -> Iterator[str]:
    """Yield the differences between the runs of this build and of pure Python at `sources`."""
    for since in range(first, first + count, BATCH):
        size = min(BATCH, first + count - since)
        pure, ours = (played(root, since, size, split=split) for root in (sources, PACKAGE.parent))
        if pure[0] == ours[0] or ours[0] != build():
            yield f"{pure[0]} is compared with {ours[0]}"
        rows = zip(pure[1:], ours[1:], strict=True)
        yield from (f"pure Python {one}, compiled {other}" for one, other in rows if one != other)


def main() -> int:
    """Compare the two builds; 0 if all seeds are equal."""
    parser = argparse.ArgumentParser(prog="python -m tests.builds", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--split", type=int, default=60, help="seeds of a split server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = copy_sources(Path(folder))
        found = [*differences(sources, options.first, options.seeds)]
        found += differences(sources, options.first, options.split, split=True)
    found.append(f"{options.seeds} seeds and {options.split} of a split server: {len(found)} differ")
    sys.stdout.write("".join(f"{row}\n" for row in found))
    return 1 if len(found) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
