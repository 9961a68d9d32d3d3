"""The cost of storage: CPU of the loop's thread, memory, and commits; rows of `--bounds`.

    python tests/bench/storage.py           every figure, with its bound

Each figure is measured in a process of its own, on a new SQLite file in the folder for temporary files.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

import trio
import trio.lowlevel

from tests.bench.bounds import BoundRow, check, chosen
from trio_mud.storage import Record, Sqlite, Store, open_store

PAIRS = 5
SECONDS = 3.0  # of one half of a pair
RECORDS = 100_000
PATIENCE = 300.0  # seconds for one figure


class StoredThing(Record, family="thing", resident=True):
    """As large as those of a game."""

    name: str
    aliases: tuple[str, ...] = ()
    text: str = ""
    place: StoredThing | None = None
    weight: float = 1.0
    worth: int = 0
    is_lit: bool = False
    oil: float = 600.0
    gold: int = 0
    marks: dict[str, int] = {}  # noqa: RUF012  copied for each record


async def changes(path: Path) -> float:
    """Points of loop CPU that 1,000 changed records a second cost: median of pairs, each beside a quiet half."""
    async with open_store(Sqlite(path), StoredThing) as store:
        things = [store.add(StoredThing(name=f"thing {number}", marks={"seen": number})) for number in range(1000)]
        await store.saved()
        points = []
        for _ in range(PAIRS):
            quiet = await share(lambda: None)
            turn = 0

            def change() -> None:
                nonlocal turn
                turn += 1
                for thing in things[(turn % 50) * 20 : (turn % 50) * 20 + 20]:
                    thing.gold += 1

            busy = await share(change)
            points.append(busy - quiet)
    return statistics.median(points)


async def share(act: Callable[[], None]) -> float:
    """The percentage of CPU of this thread while `act` is called fifty times a second."""
    began, cpu = trio.current_time(), time.thread_time()
    while trio.current_time() < began + SECONDS:
        act()
        await trio.sleep(0.02)
    return (time.thread_time() - cpu) / (trio.current_time() - began) * 100


async def commits(path: Path) -> float:
    """Commits for 5,000 acknowledged saves by a hundred who save at once."""
    async with open_store(Sqlite(path), StoredThing) as store:
        things = [store.add(StoredThing(name=f"thing {number}")) for number in range(100)]
        await store.saved()
        before = store.counters["transactions"]

        async def save(thing: StoredThing) -> None:
            for _ in range(50):
                thing.gold += 1
                await store.saved(within=60)

        async with trio.open_nursery() as nursery:
            for thing in things:
                nursery.start_soon(save, thing)
        return store.counters["transactions"] - before


class LongestStep(trio.abc.Instrument):
    """Measures the CPU of every step of a task between two checkpoints, and keeps the longest, in seconds."""

    def __init__(self) -> None:
        self.longest, self._began = 0.0, time.thread_time()  # it is added in the middle of a step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began)


async def slices(path: Path) -> float:
    """Milliseconds of CPU of the longest step of any task while 100,000 changed records are saved."""

    def change(store: Store) -> None:
        for thing in store.all(StoredThing):
            thing.gold += 1

    return await longest_step(path, change)


async def removals(path: Path) -> float:
    """Milliseconds of CPU of the longest step of any task while 100,000 removed records are deleted."""

    def remove(store: Store) -> None:
        for thing in store.all(StoredThing):
            store.remove(thing)

    return await longest_step(path, remove)


async def sweeping(path: Path) -> float:
    """Milliseconds of CPU of the longest step of any task while 100,000 records are swept for changes in place."""
    return await longest_step(path, lambda store: None, work=Store.sweep)


async def save(store: Store) -> None:
    """Save everything."""
    await store.saved(within=PATIENCE)


async def longest_step(
    path: Path, act: Callable[[Store], None], work: Callable[[Store], Awaitable[object]] = save
) -> float:
    """Milliseconds of CPU of the longest step of any task while what was done to 100,000 records is saved."""
    async with open_store(Sqlite(path), StoredThing, interval=1e6) as store:
        fill(store)
        await store.saved(within=PATIENCE)
        act(store)
        gc.collect()
        gc.disable()  # a collection belongs to whichever step it happens to come in
        await trio.lowlevel.checkpoint()
        steps = LongestStep()
        trio.lowlevel.add_instrument(steps)
        await work(store)
        trio.lowlevel.remove_instrument(steps)
        gc.enable()
    return steps.longest * 1e3


def fill(store: Store) -> None:
    """Add many things in few rooms."""
    rooms = [store.add(StoredThing(name=f"room {number}", text="A place like another. " * 8)) for number in range(2000)]
    for number in range(RECORDS - len(rooms)):
        store.add(
            StoredThing(
                name=f"coin {number}", aliases=("coin", "gold"), place=rooms[number % len(rooms)], worth=number % 17
            )
        )


async def filled(path: Path) -> float:
    """Make the file that `loading` reads."""
    async with open_store(Sqlite(path), StoredThing) as store:
        fill(store)
        await store.saved(within=PATIENCE)
    return 0.0


async def loading(path: Path) -> float:
    """Seconds of CPU of the process to open 100,000 records."""
    cpu = time.process_time()
    async with open_store(Sqlite(path), StoredThing) as store:
        cpu = time.process_time() - cpu
        assert len(list(store.all(StoredThing))) == RECORDS
    return cpu


async def memory(path: Path) -> float:
    """MB of memory that 100,000 records take once they are loaded."""
    gc.collect()
    before = resident()
    async with open_store(Sqlite(path), StoredThing):
        gc.collect()
        return resident() - before


def resident() -> float:
    """The resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096 / 1e6


async def assigning(path: Path) -> float:
    """Microseconds of one assignment to a stored field, over many records that are saved now and then."""
    async with open_store(Sqlite(path), StoredThing) as store:
        things = [store.add(StoredThing(name=f"thing {number}")) for number in range(1000)]
        rounds = []
        for turn in range(50):
            await store.saved()
            cpu = time.thread_time()
            for thing in things:
                thing.gold = turn
            for thing in things:
                thing.worth = turn
            rounds.append((time.thread_time() - cpu) / len(things) / 2)
    return statistics.median(rounds) * 1e6


FIGURES: dict[str, tuple[Callable[[Path], Awaitable[float]], str]] = {
    "changes": (changes, ""),
    "commits": (commits, ""),
    "slices": (slices, ""),
    "removals": (removals, ""),
    "sweeping": (sweeping, ""),
    "loading": (loading, "filled"),
    "memory": (memory, "filled"),
    "assigning": (assigning, ""),
    "filled": (filled, ""),
}


def measure(name: str) -> float:
    """Measure one figure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        said = ""
        for step in filter(None, (FIGURES[name][1], name)):
            command = [sys.executable, __file__, "--one", step, f"{folder}/bench.db"]
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        return float(json.loads(said))


ROWS = [
    BoundRow("store: 1,000 changed records a second", "points of loop CPU", 3.0, lambda: measure("changes")),
    BoundRow("store: 5,000 saves by a hundred at once", "commits", 100.0, lambda: measure("commits")),
    BoundRow("store: longest slice while 100,000 records are saved", "ms CPU", 2.0, lambda: measure("slices")),
    BoundRow("store: longest slice while 100,000 records are removed", "ms CPU", 2.0, lambda: measure("removals")),
    BoundRow("store: longest slice while 100,000 records are swept", "ms CPU", 2.0, lambda: measure("sweeping")),
    BoundRow("store: opening 100,000 records", "s CPU", 2.5, lambda: measure("loading")),
    BoundRow("store: memory of 100,000 records", "MB", 100.0, lambda: measure("memory")),
    BoundRow("store: assigning a stored field", "us", 0.7, lambda: measure("assigning")),
]


def main() -> int:
    """Measure one figure for a parent process, or all of them."""
    if sys.argv[1:2] == ["--one"]:
        print(trio.run(FIGURES[sys.argv[2]][0], Path(sys.argv[3])))
        return 0
    return 0 if check(chosen(ROWS, ",".join(sys.argv[1:])), print) else 1


if __name__ == "__main__":
    sys.exit(main())
