"""What the scenarios share: the verdict, the warden who asks a server for its status, and the checks of its rest."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import trio

from .crowd import CANARY, Caller, Lost, SoakTally, call, home, honest, log_in
from .process import HERE, ServerProcess

SETTLE: Final = 30.0  # seconds until a server is as it was before the crowd came; machines are shared
SLOWEST: Final = 2.0  # seconds, the 99th percentile of answers that is too slow on any machine
LATE: Final = 0.25  # seconds, the same where a bound on one peer's work is what is looked at
GROWTH: Final = 128 * 1024 * 1024  # bytes a process may be larger than idle after a crowd: caches, and fragmentation
SPARE: Final = 60  # seconds that a server may live longer than its scenario should

Say = Callable[[str], None]


@dataclass
class Verdict:
    """The result of a scenario.

    Attributes:
        figures: By name.
        problems: Descriptions of failures; empty if the server passed.
    """

    name: str
    figures: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Record a problem unless the condition is true."""
        if not is_so:
            self.problems.append(otherwise)

    def take(self, tally: SoakTally) -> None:
        """Take over what honest players and others saw."""
        self.figures["lines answered"] = f"{tally.lines:,}"
        self.figures["connections"] = f"{tally.connected:,}"
        self.problems += tally.problems[:10]
        if len(tally.problems) > 10:
            self.problems.append(f"and {len(tally.problems) - 10} more of that kind")

    def take_latencies(self, latencies: list[float], when: str = "") -> None:
        """Take over how long answers took."""
        if len(latencies) > 1:
            slow = percentile(latencies, 0.99)
            self.figures[f"answers{when}, p50/p99"] = f"{percentile(latencies, 0.5) * 1e3:.1f}/{slow * 1e3:.1f} ms"
            self.expect(slow < SLOWEST, f"the slowest hundredth of answers{when} took {slow:.1f} s and more")
        else:
            self.problems.append(f"no answers were timed{when}")

    def take_growth(self, name: str, calm: list[float], loaded: list[float]) -> None:
        """Take over how much longer the slowest hundredth of answers took under load."""
        if len(calm) > 1 and len(loaded) > 1:
            self.figures[name] = f"{percentile(loaded, 0.99) / percentile(calm, 0.99):.2f}"

    def expect_farewells(self, tally: SoakTally, honest: int) -> None:
        """Record a problem unless each honest player read its farewell."""
        farewells = tally.seen["ended: farewell"]
        self.expect(farewells == honest, f"{farewells} of {honest} honest players had their farewell")

    def expect_counted(self, rose: Mapping[str, int], seen: Mapping[str, int], names: Iterable[str]) -> None:
        """Record a problem unless the server counted what its peers saw, by words; a name with a blank begins words."""

        def is_meant(word: str) -> bool:
            return any(word.startswith(name) if name.endswith(" ") else word == name for name in names)

        for word in sorted({*seen, *filter(is_meant, rose)}):
            saw, counted = seen.get(word, 0), rose.get(word, 0)
            self.figures[word] = f"{saw:,}"
            self.expect(counted == saw, f"{saw} saw {word!r}, and the server counted {counted}")


class Warden:
    """A player that asks the server for its status."""

    def __init__(self, caller: Caller, server: ServerProcess) -> None:
        self._caller = caller
        self.server = server

    async def status(self) -> dict[str, Any]:
        """Return the server's own status."""
        await self._caller.send(b"status\r\n")
        await self._caller.until("{")
        told: dict[str, Any] = json.loads("{" + await self._caller.until("}}"))
        return told

    async def counters(self) -> Counter[str]:
        """The server's counters."""
        return Counter((await self.status())["counters"])

    async def use(self, line: str, answer: str) -> None:
        """Use a verb of operations, and wait for its answer."""
        await self._caller.send(f"{line}\r\n".encode())
        await self._caller.until(answer)


@dataclass(frozen=True)
class Baseline:
    """The resources of an idle server."""

    tasks: int
    descriptors: int | None
    memory: int | None

    @classmethod
    async def of(cls, warden: Warden) -> Baseline:
        """As it is now."""
        status = await warden.status()
        return cls(status["tasks"], warden.server.descriptors, warden.server.memory)


@contextlib.asynccontextmanager
async def warden_of(server: ServerProcess) -> AsyncIterator[Warden]:
    """Return a warden, and a warm server: one player has connected, played and left."""
    tally = SoakTally()
    over = trio.Event()
    over.set()
    await honest(server.port, 0, tally, over, pace=0)
    async with call(server.port, home(1, 249), tally) as caller:
        await log_in(caller, "warden")
        if tally.problems:
            raise Lost(tally.problems[0])
        await trio.sleep(0.5)
        yield Warden(caller, server)


async def judge_rest(warden: Warden, before: Baseline, verdict: Verdict) -> None:
    """Check the server after the crowd: it must return to its baseline, and its counters must add up."""
    began = trio.current_time()
    while (now := await Baseline.of(warden)) != before and trio.current_time() - began < SETTLE:
        if (now.tasks, now.descriptors) == (before.tasks, before.descriptors):
            break
        await trio.sleep(0.25)
    verdict.figures["tasks"] = f"{before.tasks} -> {now.tasks}"
    verdict.figures["descriptors"] = f"{before.descriptors} -> {now.descriptors}"
    verdict.expect(now.tasks == before.tasks, f"{now.tasks} tasks are left, idle it had {before.tasks}")
    verdict.expect(
        now.descriptors == before.descriptors, f"{now.descriptors} descriptors are open, idle {before.descriptors}"
    )
    if now.memory is not None and before.memory is not None:
        verdict.figures["memory, MiB"] = f"{before.memory / 2**20:.1f} -> {now.memory / 2**20:.1f}"
        verdict.expect(now.memory - before.memory < GROWTH, f"memory stays at {now.memory / 2**20:.0f} MiB")
    status = await warden.status()
    judge_counters(Counter(status["counters"]), status["live"], verdict)


def judge_counters(counters: Counter[str], live: int, verdict: Verdict) -> None:
    """Every connection is counted once on its way in, and once on its way out."""
    refused = sum(count for word, count in counters.items() if word.startswith("refused: "))
    ended = sum(count for word, count in counters.items() if word.startswith(("quit: ", "linkdeath: ")))
    accepted, admitted = counters["accepted"], counters["admitted"]
    failed = sum(counters[word] for word in ("handshakes failed", "closed by rate", "requests answered"))
    verdict.expect(
        accepted == refused + admitted + failed,
        f"accepted {accepted} is not refused {refused} + admitted {admitted} + handshakes failed {failed}",
    )
    verdict.expect(admitted == live + ended, f"admitted {admitted} is not live {live} + ended {ended}")


def judge_log(log: str, verdict: Verdict) -> None:
    """No traceback, no warning of Python's, and no password."""
    for what in ("Traceback", "Exception ignored", "Warning:", CANARY):
        found = log.find(what)
        verdict.expect(found < 0, f"the log holds {what!r}: {log[max(0, found - 200) : found + 800]}")
    verdict.figures["log, KiB"] = f"{len(log) / 1024:.0f}"


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them lies; nan if there are too few."""
    return (
        statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1]
        if len(values) > 1
        else math.nan
    )


def slope(samples: list[tuple[float, int]]) -> float:
    """MiB in ten minutes, by a linear fit over the second half of samples of moment and bytes."""
    half = samples[len(samples) // 2 :]
    if len(half) < 3:
        return math.nan
    fit = statistics.linear_regression([when for when, _ in half], [size for _, size in half])
    return fit.slope * 600 / 2**20


# Steps


async def start_players(
    players: trio.Nursery, server: ServerProcess, count: int, pace: float, tally: SoakTally, over: trio.Event
) -> None:
    """Start this many honest players, one after the other."""
    for number in range(1, count + 1):
        players.start_soon(partial(honest, server.port, number + 249, tally, over, pace=pace))
        await trio.sleep(0.002)


async def time_calm(tally: SoakTally, seconds: float) -> list[float]:
    """Return the latencies of these seconds before the load; the first second is left out."""
    await trio.sleep(1)
    tally.latencies.clear()
    await trio.sleep(seconds)
    calm, tally.latencies = tally.latencies, []
    return calm


async def attack_from(module: str, *arguments: object, within: float) -> dict[str, Any]:
    """Run a program of this package that attacks the server, and return what it reports."""
    program = [sys.executable, "-m", f"tests.soak.{module}", *map(str, arguments)]
    with trio.fail_after(within):
        process = await trio.run_process(program, capture_stdout=True, cwd=HERE.parent.parent)
    told: dict[str, Any] = json.loads(process.stdout)
    return told


def play(verdict: Verdict, scene: Callable[..., Any], *arguments: object) -> None:
    """Run it; a server that is not there any more, or does not answer its warden, is a problem like others."""
    try:
        trio.run(scene, *arguments)
    except* Lost as lost:
        verdict.problems += [str(error) for error in lost.exceptions]
