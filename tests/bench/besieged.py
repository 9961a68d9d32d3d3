"""The web port under attack: how long two players wait for an echo beside fifty hostile peers, and by themselves.

The figure has a bound (`bounds.py` checks it); the attack is that of the soak. Server, players and attackers are
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
from tests.soak.process import IS_LINUX, ServerProcess, serving
from tests.soak.scenarios import percentile
from tests.soak.web_attacks import LIMITS

CHECKOUT = Path(__file__).parents[2]
PEERS = 50
SECONDS = 10.0  # of each part
LIFETIME = 120  # seconds
PACE = 0.03  # seconds between two lines of a player

MOST_SLOWED = 1.3


def slowed() -> float:
    """Return the p99 of the waits of both players under attack, divided by that before it.

    Raises:
        SystemExit: A player lost a line, or an attacker read another answer than expected.
    """
    limits = {**LIMITS, "max_per_address": "none", "accept_rate_per_address": "none", "command_rate": "none"}
    with serving(lifetime=LIFETIME, limits=limits) as server:
        calm, attacked = trio.run(_play, server)
    return percentile(attacked, 0.99) / percentile(calm, 0.99)


async def _play(server: ServerProcess) -> tuple[list[float], list[float]]:
    tally, over = SoakTally(), trio.Event()
    async with trio.open_nursery() as players:
        players.start_soon(partial(honest, server.port, 1, tally, over, pace=PACE))
        players.start_soon(partial(honest, server.web_port, 2, tally, over, pace=PACE, by=WebCaller))
        await trio.sleep(1)
        tally.latencies.clear()
        await trio.sleep(SECONDS)
        calm, tally.latencies = tally.latencies, []
        program = [sys.executable, "-m", "tests.soak.web_attacks", str(server.web_port), str(PEERS), str(SECONDS)]
        process = await trio.run_process(program, capture_stdout=True, cwd=CHECKOUT)
        attacked = tally.latencies
        over.set()
    if problems := [*tally.problems, *json.loads(process.stdout)["problems"]]:
        raise SystemExit(problems[0])
    return calm, attacked


WHAT = f"a player's wait beside {PEERS} hostile peers of the web port"
ROWS = [BoundRow(WHAT, "p99, ratio", MOST_SLOWED, slowed)] if IS_LINUX else []  # elsewhere all have one address
