"""Scenarios of a server with operations: bans and a mute among honest players, and a flood from a thousand networks.

Both use `staffed_server.py`, whose players have sessions, as those of a true game.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from .crowd import Caller, SoakTally, call, home, honest, hostile, log_in, street_of
from .flood import BANNED, WAIT
from .judging import (
    LATE,
    SETTLE,
    SPARE,
    Baseline,
    Say,
    Verdict,
    attack_from,
    judge_log,
    judge_rest,
    percentile,
    play,
    start_players,
    time_calm,
    warden_of,
)
from .process import IS_LINUX, ServerProcess, serving
from .scenarios import PLACES

PROGRAM: Final = "staffed_server.py"
SAID: Final = {"spam": "the muted", "siege": "the banned"}  # the words that each kind shouts
ON_THE_WAY: Final = 2.0  # seconds in which what was sent before a verb is read


class Ears:
    """A player in the room, who counts the lines of each speaker."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()

    async def listen(self, caller: Caller) -> None:
        """Read until cancelled."""
        await caller.send(b"listen\r\n")
        while True:
            said = (await caller.until("\n")).strip().rpartition(": ")[2]
            if said in SAID:
                self.heard[said] += 1

    async def hear_all_since(self, before: Counter[str]) -> None:
        """Wait for a line of each kind, but not for ever."""
        with trio.move_on_after(SETTLE):
            while any(self.heard[said] <= before[said] for said in SAID):  # noqa: ASYNC110
                await trio.sleep(0.1)


@dataclass(frozen=True)
class Sanctioned:
    """How many play, how many besiege them, and for how long."""

    seconds: float
    honest: int = 50
    besieging: int = 20
    pace: float = 0.2


def bans_and_a_mute(sanctioned: Sanctioned, say: Say) -> Verdict:
    """A staff mutes a flooder and bans a network; honest players lose nothing, and hear no more of either."""
    verdict = Verdict("bans and a mute")
    limits = {"first_input_timeout": 10.0, "max_per_address": PLACES, "accept_rate_per_address": "none", "grace": 1.0}
    lifetime = int(3 * sanctioned.seconds + 2 * SETTLE + 2 * SPARE)
    with serving(lifetime=lifetime, limits=limits, program=PROGRAM) as server:
        play(verdict, _sanction, server, sanctioned, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _sanction(server: ServerProcess, sanctioned: Sanctioned, verdict: Verdict, say: Say) -> None:
    tally, others, over, gone, ears = SoakTally(), SoakTally(), trio.Event(), trio.Event(), Ears()
    siege = f"127.{street_of('besieges')}.0.0/16"
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        async with trio.open_nursery() as crowd, call(server.port, home(1, 248), tally) as caller:
            async with trio.open_nursery() as players:
                await log_in(caller, "ears")
                players.start_soon(ears.listen, caller)
                await start_players(players, server, sanctioned.honest, sanctioned.pace, tally, over)
                calm = await time_calm(tally, sanctioned.seconds / 2)
                crowd.start_soon(hostile, server.port, "raves", 0, others, gone)
                for number in range(sanctioned.besieging):
                    crowd.start_soon(hostile, server.port, "besieges", number, others, gone)
                await trio.sleep(sanctioned.seconds / 2)
                await ears.hear_all_since(Counter())
                await warden.use("mute raver flooding", "is muted until")
                await warden.use(f"ban {siege} besieging", "is banned until")
                await trio.sleep(ON_THE_WAY)
                first, cpu, tally.latencies = ears.heard.copy(), server.cpu, []
                await trio.sleep(sanctioned.seconds)
                second, noisy = ears.heard.copy(), tally.latencies
                if cpu is not None and server.cpu is not None:
                    verdict.figures["server CPU"] = f"{(server.cpu - cpu) / sanctioned.seconds:.0%} of a core"
                refused = (await warden.counters())["vetoed: banned"]
                await warden.use("unmute raver", "Done.")
                await warden.use(f"unban {siege}", "Done.")
                await ears.hear_all_since(second)
                third = ears.heard.copy()
                over.set()
                while tally.seen["ended: farewell"] < sanctioned.honest and not tally.problems:  # noqa: ASYNC110
                    await trio.sleep(0.1)
                players.cancel_scope.cancel()  # the ears
            gone.set()
        # The kernel holds megabytes of its lines, which are handled at their pace as long as it is not kicked.
        await warden.use("kick raver", "raver is ")
        verdict.take(tally)
        verdict.take_latencies(calm, " in the calm")
        verdict.take_latencies(noisy, " with bans")
        verdict.figures["refused as banned"] = f"{refused:,}"
        for said, name in SAID.items():
            counts = first[said], second[said] - first[said], third[said] - second[said]
            verdict.figures[f"lines of {name}"] = "{:,} before, {:,} meanwhile, {:,} after".format(*counts)
            verdict.expect(counts[0] > 0 and counts[2] > 0, f"lines of {name} were never heard: {counts}")
            verdict.expect(counts[1] == 0, f"{counts[1]} lines of {name} were heard")
        verdict.expect(refused > 0 or not IS_LINUX, "no banned one came back and was refused")
        verdict.expect_farewells(tally, sanctioned.honest)
        await judge_rest(warden, before, verdict)
        say(f"  {others.connected} hostile connections, {tally.lines:,} lines answered")


@dataclass(frozen=True)
class Flooding:
    """How many play, and how many connect in how many seconds."""

    seconds: float = 10.0
    honest: int = 200
    connections: int = 5000
    hold: float = 5.0
    is_paced: bool = True  # by `accept_rate`, as usual
    pace: float = 0.5


def connect_flood(flooding: Flooding, say: Say) -> Verdict:
    """Thousands connect from a thousand networks: players are answered as before, and each refusal has its cause."""
    verdict = Verdict("connect flood")
    if not IS_LINUX:
        return verdict  # all would come from one address
    limits = {"grace": 1.0} if flooding.is_paced else {"grace": 1.0, "accept_rate": "none"}
    lifetime = int(2 * flooding.seconds + WAIT + SETTLE + 2 * SPARE)
    with serving(lifetime=lifetime, limits=limits, program=PROGRAM) as server:
        play(verdict, _flood, server, flooding, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _flood(server: ServerProcess, flooding: Flooding, verdict: Verdict, say: Say) -> None:
    tally, over = SoakTally(), trio.Event()
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        await warden.use(f"ban {BANNED} flooding", "is banned until")
        async with trio.open_nursery() as players:
            for number in range(1, flooding.honest + 1):  # each from a network of its own
                players.start_soon(partial(honest, server.port, number * 250, tally, over, pace=flooding.pace))
                await trio.sleep(0.005)
            calm = await time_calm(tally, flooding.seconds)
            counted, cpu, began = await warden.counters(), server.cpu, trio.current_time()
            told = await attack_from(
                "flood",
                server.port,
                flooding.connections,
                flooding.seconds,
                flooding.hold,
                within=flooding.seconds + WAIT + SPARE,
            )
            flooded, tally.latencies = tally.latencies, []
            now, used, took = await warden.counters(), server.cpu, trio.current_time() - began
            over.set()
        verdict.take(tally)
        verdict.problems += told["problems"][:5]
        verdict.take_latencies(calm, " in the calm")
        verdict.take_latencies(flooded, " in the flood")
        verdict.take_growth("p99 flood/calm, 2 wanted", calm, flooded)
        if len(flooded) > 1:
            # The ratio itself is of two small numbers, and on a busy machine says more of that machine.
            verdict.expect(percentile(flooded, 0.99) <= LATE, "the slowest hundredth of answers came too late")
        verdict.figures["flood"] = f"{told['connected']:,} in {told['latencies'][0]:.1f} s"
        if cpu is not None and used is not None:
            verdict.figures["server CPU"] = f"{(used - cpu) / took:.0%} of a core for {took:.0f} s"
        verdict.expect(told["connected"] == flooding.connections, f"{told['connected']} could connect")
        rose = now - counted
        verdict.expect_counted(rose, told["seen"], ("refused ", "vetoed: "))
        await judge_rest(warden, before, verdict)
        say(f"  {told['connected']:,} connections, {tally.lines:,} lines answered")
