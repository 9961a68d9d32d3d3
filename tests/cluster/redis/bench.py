"""CPU of a command at saturation: one process, and a gateway and a world over each cluster link, in turn.

    python -m tests.cluster.redis.bench
    python -m tests.cluster.redis.bench --links unix        without Redis
    python -m tests.cluster.redis.bench --verb room         each line is heard by 19 others

Each player sends four lines and waits for their answers. The figures are microseconds of CPU for a command, by
process, from /proc, and the rate at which the process would use a whole core. `python tests/bench/run.py --bounds`
compares the sum over the processes with one process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import trio

from tests.ports import free_port

from .processes import Child, cpu_of
from .server import AOF, RedisServer

BURST = 4  # lines of a player in one send
WARM_UP = 1.0  # seconds


class SaturatingLoad:
    """Players who never rest.

    Attributes:
        answered: The number of answers so far.
    """

    def __init__(self, verb: str) -> None:
        self.answered = 0
        self._burst = f"{verb} 1\r\n".encode() * BURST

    async def play(self, port: int) -> None:
        """Send four lines, wait for their answers, and so on."""
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            while True:
                await stream.send_all(self._burst)
                missing = BURST
                while missing > 0:
                    missing -= (await stream.receive_some(65536)).count(b"ok ")
                self.answered += BURST


class Saturation:
    """How a server is loaded.

    Args:
        players: How many there are.
        seconds: How long the CPU is measured.
        verb: "say", or "room" for lines that 19 others hear.
    """

    def __init__(self, players: int = 500, seconds: float = 4.0, verb: str = "say") -> None:
        self.players = players
        self.seconds = seconds
        self.verb = verb

    async def measure(self, processes: dict[str, int], port: int) -> dict[str, float]:
        """Return the microseconds of CPU of a command, by process."""
        load = SaturatingLoad(self.verb)
        async with trio.open_nursery() as nursery:
            for _ in range(self.players):
                nursery.start_soon(load.play, port)
            while load.answered < self.players * BURST:  # noqa: ASYNC110 - of other processes
                await trio.sleep(0.05)
            await trio.sleep(WARM_UP)
            began, before = load.answered, {name: cpu_of(pid) for name, pid in processes.items()}
            await trio.sleep(self.seconds)
            commands = load.answered - began
            used = {name: (cpu_of(pid) - before[name]) / commands * 1e6 for name, pid in processes.items()}
            nursery.cancel_scope.cancel()
        return used


async def one_process(folder: Path, load: Saturation) -> dict[str, float]:
    """Measure a server in one process."""
    port = free_port()
    child = Child(folder, f"single-{port}", "single", str(port))
    try:
        await child.reported("serving")
        return await load.measure({"one process": child.pid}, port)
    finally:
        child.close()


async def over(link: str, folder: Path, load: Saturation) -> dict[str, float]:
    """Measure a gateway and a world over a link, "unix" or "redis"."""
    port = free_port()
    with ExitStack() as stack:
        (here := folder / str(port)).mkdir()
        place, pids = str(here / "link"), dict[str, int]()
        if link == "redis":
            redis = RedisServer(here, *AOF)
            stack.callback(redis.close)
            place, pids["redis"] = f"redis+unix://{redis.path}", redis.process.pid
        for kind, arguments in (("gateway", ("g1", str(port))), ("world", ())):
            child = Child(folder, f"{kind}-{port}", kind, place, *arguments)
            stack.callback(child.close)
            await child.reported("serving")
            pids[kind] = child.pid
        return await load.measure({name: pids[name] for name in ("gateway", "world", "redis") if name in pids}, port)


SERVERS: dict[str, Callable[[Path, Saturation], Awaitable[dict[str, float]]]] = {
    "one process": one_process,
    "unix": partial(over, "unix"),
    "redis": partial(over, "redis"),
}


def measured(servers: Sequence[str], rounds: int, load: Saturation) -> dict[str, list[dict[str, float]]]:
    """Measure servers in turn; return the figures of each round."""
    found: dict[str, list[dict[str, float]]] = {server: [] for server in servers}
    with tempfile.TemporaryDirectory() as base:
        for number in range(rounds):
            first = number % len(servers)
            for server in (*servers[first:], *servers[:first]):
                found[server].append(trio.run(SERVERS[server], Path(base), load))
    return found


def ratios(found: dict[str, list[dict[str, float]]], link: str) -> list[float]:
    """Return the CPU of a split server beside that of one process, for each round."""
    pairs = zip(found[link], found["one process"], strict=True)
    return [sum(split.values()) / single["one process"] for split, single in pairs]


def main() -> None:
    """Measure in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--verb", choices=["say", "room"], default="say")
    parser.add_argument("--links", default="unix,redis")
    options = parser.parse_args()
    links = options.links.split(",")
    load = Saturation(options.players, options.seconds, options.verb)
    found = measured(["one process", *links], options.rounds, load)
    for server, rounds in found.items():
        for part in rounds[0]:
            values = [figures[part] for figures in rounds]
            name, middle = part if part == server else f"{server}: {part}", statistics.median(values)
            sys.stdout.write(f"{name:15} {middle:6.1f} us a command ({min(values):.1f} to {max(values):.1f})")
            sys.stdout.write(f", a core at {1e6 / middle:,.0f} a second\n")
    for link in links:
        values = ratios(found, link)
        sys.stdout.write(f"{link} / one process: {statistics.median(values):.2f} ")
        sys.stdout.write(f"({min(values):.2f} to {max(values):.2f})\n")


if __name__ == "__main__":
    main()
