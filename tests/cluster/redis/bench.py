"""CPU of a command at saturation: one process, and a gateway and a world over Redis, in turn.

    python -m tests.cluster.redis.bench
    python -m tests.cluster.redis.bench --verb room         each line is heard by 19 others

Each player sends four lines and waits for their answers. The figures are microseconds of CPU for a command, by
process, from /proc, and the rate at which the busiest process would use a whole core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import trio

from .processes import Child, cpu_of
from .server import AOF, RedisServer, free_port

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


async def measure(processes: dict[str, int], port: int, options: argparse.Namespace) -> dict[str, float]:
    """Return the CPU of a command by process."""
    load, players = SaturatingLoad(options.verb), options.players
    async with trio.open_nursery() as nursery:
        for _ in range(players):
            nursery.start_soon(load.play, port)
        while load.answered < players * BURST:  # noqa: ASYNC110 - of other processes
            await trio.sleep(0.05)
        await trio.sleep(WARM_UP)
        began, before = load.answered, {name: cpu_of(pid) for name, pid in processes.items()}
        await trio.sleep(options.seconds)
        commands = load.answered - began
        used = {name: (cpu_of(pid) - before[name]) / commands * 1e6 for name, pid in processes.items()}
        nursery.cancel_scope.cancel()
    return used


async def one_process(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Measure a server in one process."""
    port = free_port()
    child = Child(folder, f"single-{port}", "single", str(port))
    try:
        await child.reported("serving")
        return await measure({"one process": child.pid}, port, options)
    finally:
        child.close()


async def over_redis(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Measure a gateway, a world and Redis."""
    port = free_port()
    (folder / str(port)).mkdir()
    redis = RedisServer(folder / str(port), *AOF)
    url = f"redis+unix://{redis.path}"
    gateway = Child(folder, f"gateway-{port}", "gateway", url, "g1", str(port))
    world = Child(folder, f"world-{port}", "world", url)
    try:
        await gateway.reported("serving")
        await world.reported("serving")
        pids = {"gateway": gateway.pid, "world": world.pid, "redis": redis.process.pid}
        return await measure(pids, port, options)
    finally:
        gateway.close()
        world.close()
        redis.close()


def main() -> None:
    """Measure in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--verb", choices=["say", "room"], default="say")
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    ratios = []
    with tempfile.TemporaryDirectory() as base:
        for _ in range(options.rounds):
            single = trio.run(one_process, Path(base), options)
            split = trio.run(over_redis, Path(base), options)
            ratios.append((split["gateway"] + split["world"] + split["redis"]) / single["one process"])
            for name, value in [*single.items(), *split.items()]:
                found.setdefault(name, []).append(value)
    for name, values in found.items():
        middle = statistics.median(values)
        sys.stdout.write(f"{name:12} {middle:6.1f} us a command ({min(values):.1f} to {max(values):.1f})")
        sys.stdout.write(f", a core at {1e6 / middle:,.0f} a second\n")
    sys.stdout.write(f"split / one process: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})\n")


if __name__ == "__main__":
    main()
