"""A flood of connections, as a program of its own: the players' clocks stay in another process.

    python -m tests.soak.flood PORT CONNECTIONS SECONDS HOLD

Each connection comes from one of 1,000 /24 networks in turn, reads its first words, and is counted by them. One that
was let in says nothing and stays for HOLD seconds. The result is printed as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final

import trio

from .crowd import TEXTS, Lost, SoakTally, call

PREFIXES: Final = 1000
BANNED: Final = "127.40.0.0/18"  # 64 of them
WAIT: Final = 120.0  # seconds; the server accepts a hundred a second, and the others wait in the kernel
FIRST_WORDS: Final = {  # and the server's counter of them
    "Name? ": "admitted",
    "You may not come in.": "vetoed: banned",
    TEXTS.server_full: "refused: full",
    TEXTS.too_many_from_address: "refused by network",
    TEXTS.too_many_without_session: "refused without a session",
}


def source_of(number: int) -> str:
    """Return the address of a connection; every thousandth comes from the same network."""
    network, host = number % PREFIXES, number // PREFIXES
    return f"127.{40 + network // 250}.{network % 250}.{1 + host % 250}"


async def visit(port: int, number: int, hold: float, tally: SoakTally) -> None:
    """Connect, read the first words, and stay if let in."""
    try:
        async with call(port, source_of(number), tally) as caller:
            word = await caller.sees_one_of(FIRST_WORDS, WAIT)
            tally.seen[word] += 1
            if word == "admitted":
                await trio.sleep(hold)
            else:
                await caller.rest()
    except Lost as error:
        tally.problems.append(f"connection {number}: {error}")


async def flood(port: int, count: int, seconds: float, hold: float) -> SoakTally:
    """Make all connections at an even rate, and return what they saw."""
    tally = SoakTally()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(count):
            await trio.sleep_until(began + number * seconds / count)
            nursery.start_soon(visit, port, number, hold, tally)
        tally.latencies.append(trio.current_time() - began)
    return tally


if __name__ == "__main__":
    # A flood comes from other machines. Here it may use only the time that the server and the players leave.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    told = trio.run(flood, int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    sys.stdout.write(json.dumps(vars(told)))
