"""The web port under attack: hostile peers of every kind while others play, by WebSocket and by telnet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from .crowd import Caller, SoakTally, WebCaller, honest
from .judging import (
    SETTLE,
    SPARE,
    Baseline,
    Say,
    Verdict,
    attack_from,
    judge_log,
    judge_rest,
    play,
    time_calm,
    warden_of,
)
from .process import IS_LINUX, ServerProcess, serving
from .web_attacks import LIMITS, PATIENCE, SLOW

# The server's counters of connections.
WAYS_OUT: Final = ("refused: ", "linkdeath: ", "quit: ", "handshakes failed", "requests answered", "closed by rate")
BY: Final[tuple[type[Caller], ...]] = (Caller, WebCaller)


@dataclass(frozen=True)
class Besieged:
    """How many play, half of them by WebSocket, and how many attack for how long."""

    seconds: float = 20.0
    honest: int = 100
    hostile: int = 50
    pace: float = 0.5


def web_port(besieged: Besieged, say: Say) -> Verdict:
    """Hostile peers use the web port: nobody else loses a line, and each of their connections is counted by cause."""
    verdict = Verdict("web port")
    if not IS_LINUX:
        return verdict  # all would come from one address
    limits = {**LIMITS, "max_per_address": "none", "accept_rate_per_address": "none"}
    lifetime = int(2 * besieged.seconds + PATIENCE + SETTLE + 2 * SPARE)
    with serving(lifetime=lifetime, limits=limits) as server:
        play(verdict, _besiege, server, besieged, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _besiege(server: ServerProcess, besieged: Besieged, verdict: Verdict, say: Say) -> None:
    tally, over = SoakTally(), trio.Event()
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        async with trio.open_nursery() as players:
            for number in range(1, besieged.honest + 1):
                by = BY[number % len(BY)]
                port = server.web_port if by is WebCaller else server.port
                players.start_soon(partial(honest, port, number + 249, tally, over, pace=besieged.pace, by=by))
                await trio.sleep(0.01)
            calm = await time_calm(tally, besieged.seconds / 2)
            counted, cpu, began = await warden.counters(), server.cpu, trio.current_time()
            told = await attack_from(
                "web_attacks",
                server.web_port,
                besieged.hostile,
                besieged.seconds,
                within=besieged.seconds + PATIENCE + SPARE,
            )
            attacked, tally.latencies = tally.latencies, []
            await trio.sleep(2 * float(str(LIMITS["linger_timeout"])))  # the last ones are counted
            now, used, took = await warden.counters(), server.cpu, trio.current_time() - began
            over.set()
        verdict.take(tally)
        verdict.problems += told["problems"][:5]
        verdict.expect_farewells(tally, besieged.honest)
        verdict.take_latencies(calm, " in the calm")
        verdict.take_latencies(attacked, " under attack")
        verdict.take_growth("p99 attack/calm", calm, attacked)
        if cpu is not None and used is not None:
            verdict.figures["server CPU"] = f"{(used - cpu) / took:.0%} of a core for {took:.0f} s"
        verdict.figures["hostile connections"] = f"{told['connected']:,}, {len(SLOW)} slow kinds among them"
        rose = now - counted
        verdict.expect(told["connected"] == sum(told["seen"].values()), "not every hostile connection has ended")
        verdict.expect_counted(rose, told["seen"], WAYS_OUT)
        for word in sorted(word for word in Counter(rose) if word.startswith("anomaly: ")):
            verdict.figures[word] = f"{rose[word]:,}"
        await judge_rest(warden, before, verdict)
        say(f"  {told['connected']:,} hostile connections, {tally.lines:,} lines answered")
