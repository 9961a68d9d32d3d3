"""The web port under attack: how long two players wait for an echo beside fifty hostile peers.

They are compared with two players of a second server, at the same time: the attackers take processor time from both.
The figure has a bound (`bounds.py` checks it); the attack is that of the soak. The servers and the attackers are
processes of their own, on loopback.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import trio

from tests.bench.bounds import BoundRow
from tests.soak.crowd import SoakTally, WebCaller, honest
from tests.soak.judging import percentile
from tests.soak.process import IS_LINUX, ServerProcess, serving
from tests.soak.web_attacks import LIMITS

CHECKOUT = Path(__file__).parents[2]
PEERS = 50
SECONDS = 15.0  # of the attack
LIFETIME = 120  # seconds
PACE = 0.03  # seconds between two lines of a player

MOST_SLOWED = 1.3


def slowed() -> float:
    """Return the p99 of the waits of two players under attack, divided by that of two others.

    Raises:
        SystemExit: A player lost a line, or an attacker read another answer than expected.
    """
    limits = {**LIMITS, "max_per_address": "none", "accept_rate_per_address": "none", "command_rate": "none"}
    with serving(lifetime=LIFETIME, limits=limits) as quiet, serving(lifetime=LIFETIME, limits=limits) as attacked:
        waits = trio.run(_play, quiet, attacked)
    quietly, besieged = (percentile(each, 0.99) for each in waits)
    return besieged / quietly


async def _play(*servers: ServerProcess) -> list[list[float]]:
    """Return the waits of each server's players, while the last one is attacked."""
    tallies, over = [SoakTally() for _ in servers], trio.Event()
    async with trio.open_nursery() as players:
        for server, tally in zip(servers, tallies, strict=True):
            players.start_soon(partial(honest, server.port, 1, tally, over, pace=PACE))
            players.start_soon(partial(honest, server.web_port, 2, tally, over, pace=PACE, by=WebCaller))
        await trio.sleep(1)
        for tally in tallies:
            tally.latencies.clear()
        program = [sys.executable, "-m", "tests.soak.web_attacks", str(servers[-1].web_port), str(PEERS), str(SECONDS)]
        process = await trio.run_process(program, capture_stdout=True, cwd=CHECKOUT)
        waits = [tally.latencies.copy() for tally in tallies]
        over.set()
    problems: list[str] = [
        *json.loads(process.stdout)["problems"],
        *(each for tally in tallies for each in tally.problems),
    ]
    if problems:
        raise SystemExit(problems[0])
    return waits


WHAT = f"a player's wait beside {PEERS} hostile peers of the web port"
ROWS = [BoundRow(WHAT, "p99, ratio", MOST_SLOWED, slowed)] if IS_LINUX else []  # elsewhere all have one address
