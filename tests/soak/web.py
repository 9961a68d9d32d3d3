"""The web port under attack: hostile peers of every kind while others play, by WebSocket and by telnet."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from .crowd import Caller, SoakTally, WebCaller, honest
from .process import HERE, IS_LINUX, ServerProcess, serving
from .scenarios import (
    SETTLE,
    SPARE,
    Baseline,
    Say,
    Verdict,
    _play,
    _tell_latencies,
    _time_calm,
    judge_log,
    judge_rest,
    percentile,
    warden_of,
)
from .web_attacks import LIMITS, PATIENCE, SLOW

ENDINGS: Final = ("refused: ", "linkdeath: ", "quit: ")  # the server's counters of connections begin with these
OTHERS: Final = {"handshakes failed", "requests answered", "closed by rate"}  # or are these
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
        _play(verdict, _besiege, server, besieged, verdict, say)
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
            calm = await _time_calm(tally, besieged.seconds / 2)
            counted, cpu, began = await warden.counters(), server.cpu, trio.current_time()
            arguments = [server.web_port, besieged.hostile, besieged.seconds]
            program = [sys.executable, "-m", "tests.soak.web_attacks", *map(str, arguments)]
            with trio.fail_after(besieged.seconds + PATIENCE + SPARE):
                process = await trio.run_process(program, capture_stdout=True, cwd=HERE.parent.parent)
            attacked, tally.latencies = tally.latencies, []
            await trio.sleep(2 * float(str(LIMITS["linger_timeout"])))  # the last ones are counted
            now, used, took = await warden.counters(), server.cpu, trio.current_time() - began
            over.set()
        told = json.loads(process.stdout)
        verdict.take(tally)
        verdict.problems += told["problems"][:5]
        verdict.expect(
            tally.seen["ended: farewell"] == besieged.honest,
            f"{tally.seen['ended: farewell']} of {besieged.honest} honest players had their farewell",
        )
        _tell_latencies(verdict, calm, " in the calm")
        _tell_latencies(verdict, attacked, " under attack")
        if len(calm) > 1 and len(attacked) > 1:
            verdict.figures["p99 attack/calm"] = f"{percentile(attacked, 0.99) / percentile(calm, 0.99):.2f}"
        if cpu is not None and used is not None:
            verdict.figures["server CPU"] = f"{(used - cpu) / took:.0%} of a core for {took:.0f} s"
        verdict.figures["hostile connections"] = f"{told['connected']:,}, {len(SLOW)} slow kinds among them"
        rose = now - counted
        verdict.expect(told["connected"] == sum(told["seen"].values()), "not every hostile connection has ended")
        for word in sorted({*told["seen"], *(word for word in rose if word.startswith(ENDINGS) or word in OTHERS)}):
            seen = told["seen"].get(word, 0)
            verdict.figures[word] = f"{seen:,}"
            verdict.expect(rose[word] == seen, f"{seen} ended as {word!r}, and the server counted {rose[word]}")
        for word in sorted(word for word in Counter(rose) if word.startswith("anomaly: ")):
            verdict.figures[word] = f"{rose[word]:,}"
        await judge_rest(warden, before, verdict)
        say(f"  {told['connected']:,} hostile connections, {tally.lines:,} lines answered")
