"""The scenarios that a server must survive: each is a plain function that starts a server and a crowd, and judges.

None raises because of the server's behaviour: a `Verdict` contains the figures and the problems. `run.py` plays them
at full size, `test_small.py` as miniatures.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import trio

from .crowd import HOSTILE, SHUTDOWN, SoakTally, call, home, hostile, log_in, stormer
from .judging import (
    LATE,
    SETTLE,
    SPARE,
    Baseline,
    Say,
    Verdict,
    Warden,
    judge_log,
    judge_rest,
    percentile,
    play,
    slope,
    start_players,
    time_calm,
    warden_of,
)
from .process import IS_LINUX, ServerProcess, serving

NEWS: Final = 5.0  # seconds between two lines of progress
SLOPE: Final = 4.0  # MiB in ten minutes, over the second half of a crowd that stays long enough to tell
LONG: Final = 600.0  # seconds; that is long enough
BUSY: Final = 0.3  # of one core: a server that cannot accept and spins takes all of it
PLACES: Final = 10 if IS_LINUX else "none"  # for one address; elsewhere all come from one

# 1 and 5: the hostile mix


@dataclass(frozen=True)
class Mix:
    """How many of each, and for how long."""

    seconds: float
    honest: int = 200
    drips: int = 500
    never_reads: int = 100
    fuzzes: int = 50
    pace: float = 1.0  # seconds between two bursts of an honest player


def hostile_mix(mix: Mix, say: Say) -> Verdict:
    """Honest players among slowloris peers, peers that never read, and fuzzers lose no line; then nothing is left."""
    verdict = Verdict("hostile mix")
    limits: dict[str, object] = {
        "first_input_timeout": 10.0,
        "write_stall_timeout": 10.0,
        "max_connections": 4000,
        "accept_rate": "none",
    }
    limits |= {"max_per_address": PLACES, "accept_rate_per_address": "none"}
    lifetime = int(mix.seconds + SETTLE + 2 * SPARE)
    with serving(lifetime=lifetime, limits=limits) as server:
        play(verdict, _mix, server, mix, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _mix(server: ServerProcess, mix: Mix, verdict: Verdict, say: Say) -> None:
    tally, noise, over, gone = SoakTally(), SoakTally(), trio.Event(), trio.Event()
    samples: list[tuple[float, int]] = []
    parts = {
        "drips before login": mix.drips - mix.drips // 2,
        "drips after login": mix.drips // 2,
        "never reads": mix.never_reads,
        "fuzzes": mix.fuzzes,
    }
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        cpu = server.cpu
        async with trio.open_nursery() as crowd:
            async with trio.open_nursery() as players:
                await start_players(players, server, mix.honest, mix.pace, tally, over)
                for kind, count in parts.items():
                    for number in range(count):
                        crowd.start_soon(hostile, server.port, kind, number, noise, gone)
                        await trio.sleep(0.002)
                await _watch(mix.seconds, server, warden, tally, noise, samples, say)
                over.set()
            gone.set()
        verdict.take(tally)
        verdict.figures["hostile connections"] = f"{noise.connected:,}"
        verdict.take_latencies(tally.latencies)
        verdict.expect_farewells(tally, mix.honest)
        if cpu is not None and server.cpu is not None:
            verdict.figures["server CPU"] = f"{(server.cpu - cpu) / mix.seconds:.0%} of a core"
        if samples:
            verdict.figures["memory slope"] = f"{slope(samples):+.2f} MiB in 10 min"
            verdict.expect(
                mix.seconds < LONG or slope(samples) < SLOPE, f"memory grows by {slope(samples):.2f} MiB in 10 min"
            )
        await judge_rest(warden, before, verdict)
        for word, count in sorted((await warden.counters()).items()):
            say(f"    {word}: {count:,}")


async def _watch(
    seconds: float,
    server: ServerProcess,
    warden: Warden,
    tally: SoakTally,
    noise: SoakTally,
    samples: list[tuple[float, int]],
    say: Say,
) -> None:
    began = told = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        memory = server.memory
        if memory is not None:
            samples.append((now, memory))
        if now - told > max(NEWS, seconds / 100):
            told = now
            live = (await warden.status())["live"]
            size = "" if memory is None else f", {memory / 2**20:.0f} MiB"
            say(
                f"  {now - began:4.0f} s: {live} live, {tally.lines:,} lines answered, "
                f"{noise.connected:,} hostile connections{size}, {len(tally.problems)} problems"
            )
        await trio.sleep(min(1.0, seconds / 10))


# 2: connect storms


@dataclass(frozen=True)
class StormMix:
    """The number of players, the rate of the other connections, and the duration."""

    seconds: float
    honest: int = 200
    rate: float = 100.0  # connections a second
    pace: float = 0.5


CROWD: Final = 5  # places for one address
HOLDERS: Final = 40  # who fill the last places at the end


def connect_storm(storm: StormMix, say: Say) -> Verdict:
    """Peers connect in masses while others play: each is counted by its result, and players are hardly affected."""
    verdict = Verdict("connect storm")
    places = storm.honest + 1 + CROWD + HOLDERS
    limits = {
        "max_connections": places,
        "max_per_address": CROWD if IS_LINUX else "none",
        "accept_rate_per_address": "none",
        "linger_timeout": 0.2,
        "first_input_timeout": "none",
    }
    with serving(lifetime=int(3 * storm.seconds + SETTLE + 2 * SPARE), limits=limits) as server:
        play(verdict, _storm, server, storm, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _storm(server: ServerProcess, storm: StormMix, verdict: Verdict, say: Say) -> None:
    tally, stormers, over, stay = SoakTally(), SoakTally(), trio.Event(), trio.Event()
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        async with trio.open_nursery() as players:
            await start_players(players, server, storm.honest, storm.pace, tally, over)
            calm = await time_calm(tally, storm.seconds / 2)
            counted = await warden.counters()
            async with trio.open_nursery() as visitors:
                for number in range(CROWD):  # then everybody else from there is one too many
                    visitors.start_soon(stormer, server.port, home(20, 0), stormers, stay)
                    del number
                await trio.sleep(0.5)
                await _send_stormers(server, storm, storm.seconds, stormers, visitors, say, street=20)
                for number in range(HOLDERS):  # and now the house is full
                    visitors.start_soon(stormer, server.port, home(21, number), stormers, stay)
                await trio.sleep(1)
                await _send_stormers(server, storm, storm.seconds / 2, stormers, visitors, say, street=22)
                stay.set()
            stormy, tally.latencies = tally.latencies, []
            now = await warden.counters()
            over.set()
        verdict.take(tally)
        verdict.problems += stormers.problems[:5]
        verdict.take_latencies(calm, " in the calm")
        verdict.take_latencies(stormy, " in the storm")
        verdict.take_growth("p99 storm/calm", calm, stormy)
        verdict.figures["visitors"] = f"{stormers.connected:,}"
        rose = {word: now[word] - counted[word] for word in now if now[word] != counted[word]}
        verdict.expect(
            rose.get("accepted") == stormers.connected,
            f"{stormers.connected} connected, and the server counted {rose.get('accepted')}",
        )
        verdict.expect_counted(rose, stormers.seen, ("refused: ",))
        await judge_rest(warden, before, verdict)


async def _send_stormers(
    server: ServerProcess,
    storm: StormMix,
    seconds: float,
    tally: SoakTally,
    visitors: trio.Nursery,
    say: Say,
    *,
    street: int,
) -> None:
    """From a crowded address, from a banned one, and from many, one after the other."""
    began = told = trio.current_time()
    for number in range(round(seconds * storm.rate)):
        await trio.sleep_until(began + number / storm.rate)
        source = (home(20, 0), "127.0.9.1", home(street, 1 + number % 1000))[number % 3]
        visitors.start_soon(stormer, server.port, source, tally)
        if trio.current_time() - told > NEWS:
            told = trio.current_time()
            say(f"  {told - began:4.0f} s: {tally.connected:,} visitors, {dict(tally.seen)}")


# 3: floods of commands and payloads, and long lines in a crowd


@dataclass(frozen=True)
class Noise:
    """How many play beside how many of which hostile kinds, and for how long."""

    seconds: float
    kinds: Mapping[str, int]  # of `crowd.HOSTILE`
    honest: int = 20
    pace: float = 0.2


FLOODS: Final = {kind: 2 for kind in HOSTILE if kind.startswith("storms: ")}
ROOM: Final = {"listens": 60, "shouts": 5}


def noise(name: str, noise: Noise, say: Say) -> Verdict:
    """Players are answered as before while others keep the server as busy as it lets them."""
    verdict = Verdict(name)
    limits = {"first_input_timeout": "none"}
    with serving(lifetime=int(2 * noise.seconds + SETTLE + 2 * SPARE), limits=limits) as server:
        play(verdict, _make_noise, server, noise, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _make_noise(server: ServerProcess, noise: Noise, verdict: Verdict, say: Say) -> None:
    tally, others, over, gone = SoakTally(), SoakTally(), trio.Event(), trio.Event()
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        async with trio.open_nursery() as crowd:
            async with trio.open_nursery() as players:
                await start_players(players, server, noise.honest, noise.pace, tally, over)
                calm = await time_calm(tally, noise.seconds / 2)
                for kind, count in noise.kinds.items():
                    for number in range(count):
                        crowd.start_soon(hostile, server.port, kind, number, others, gone)
                cpu = server.cpu
                await trio.sleep(noise.seconds)
                noisy, tally.latencies = tally.latencies, []
                if cpu is not None and server.cpu is not None:
                    verdict.figures["server CPU"] = f"{(server.cpu - cpu) / noise.seconds:.0%} of a core"
                over.set()
            gone.set()
        verdict.take(tally)
        verdict.figures["noisy connections"] = f"{others.connected:,}"
        verdict.take_latencies(calm, " in the calm")
        verdict.take_latencies(noisy, " in the noise")
        if len(noisy) > 1:
            slow = percentile(noisy, 0.99)
            verdict.expect(
                slow < LATE, f"the slowest hundredth of answers in the noise took {slow * 1e3:.0f} ms and more"
            )
        verdict.expect_farewells(tally, noise.honest)
        await judge_rest(warden, before, verdict)
        say(f"  {others.connected} noisy connections, {tally.lines:,} lines answered")


# 4: out of descriptors


@dataclass(frozen=True)
class Shortage:
    """How many play, how many more want to, and for how long."""

    seconds: float
    honest: int = 20
    surplus: int = 40
    pace: float = 0.3


def out_of_descriptors(shortage: Shortage, say: Say) -> Verdict:
    """A server without free descriptors does not spin, logs little, serves its connections, and recovers."""
    verdict = Verdict("out of descriptors")
    descriptors = shortage.honest + 25
    limits = {"first_input_timeout": "none", "max_per_address": "none", "accept_rate_per_address": "none"}
    lifetime = int(shortage.seconds + SETTLE + 2 * SPARE)
    with serving(lifetime=lifetime, descriptors=descriptors, limits=limits) as server:
        play(verdict, _run_short, server, shortage, verdict, say)
        judge_log(server.log, verdict)
        warnings = server.log.count("cannot accept connections")
        verdict.figures["warnings in the log"] = str(warnings)
        most = 2 + (shortage.seconds + SETTLE) // 10  # limits.log_interval
        verdict.expect(1 <= warnings <= most, f"{warnings} warnings in the log, at most {most:g} were allowed")
    return verdict


async def _run_short(server: ServerProcess, shortage: Shortage, verdict: Verdict, say: Say) -> None:
    tally, surplus, over = SoakTally(), SoakTally(), trio.Event()
    async with warden_of(server) as warden:
        before = await Baseline.of(warden)
        async with trio.open_nursery() as players:
            await start_players(players, server, shortage.honest, shortage.pace, tally, over)
            await trio.sleep(1)
            async with contextlib.AsyncExitStack() as stack:
                callers = [
                    await stack.enter_async_context(call(server.port, home(30, number), surplus))
                    for number in range(shortage.surplus)
                ]
                await trio.sleep(0.5)
                cpu, answered, tries = server.cpu, tally.lines, await _tries(warden)
                say(f"  {shortage.honest} play, {shortage.surplus} more have connected; {tries} accepts failed so far")
                await trio.sleep(shortage.seconds)
                failed = await _tries(warden) - tries
                verdict.figures["accepts that failed"] = f"{failed / shortage.seconds:.1f} a second"
                verdict.expect(0 < failed <= 11 * shortage.seconds + 5, f"{failed} accepts failed: it never rests")
                verdict.expect(tally.lines > answered, "players were not served meanwhile")
                if cpu is not None and server.cpu is not None:
                    load = (server.cpu - cpu) / shortage.seconds
                    verdict.figures["server CPU"] = f"{load:.0%} of a core"
                    verdict.expect(load < BUSY, f"the server takes {load:.0%} of a core")
                last = callers[-1]
                for caller in callers[:-1]:
                    caller.socket.close()
                await log_in(last, "last")
                say("  the others have gone, and the last one is in")
            over.set()
        verdict.take(tally)
        await judge_rest(warden, before, verdict)


async def _tries(warden: Warden) -> int:
    return (await warden.counters())["accepts without resources"]


# 5: a shutdown among blackholes


@dataclass(frozen=True)
class Farewell:
    """How many play, how many read nothing, and what the server may take."""

    honest: int = 150
    blackholes: int = 30
    drain: float = 10.0  # seconds
    pace: float = 0.5
    seconds: float = 4.0  # until the signal


def shutdown_among_blackholes(farewell: Farewell, say: Say) -> Verdict:
    """SIGTERM ends the server in time and with status 0, though some read nothing; all others get the farewell."""
    verdict = Verdict("shutdown")
    limits = {
        "shutdown_timeout": farewell.drain,
        "write_stall_timeout": 300.0,
        "max_per_address": "none",
        "accept_rate_per_address": "none",
        "max_connections": 4000,
    }
    lifetime = int(farewell.seconds + farewell.drain + 2 * SPARE)
    with serving(lifetime=lifetime, limits=limits) as server:
        play(verdict, _shut_down, server, farewell, verdict, say)
        judge_log(server.log, verdict)
    return verdict


async def _shut_down(server: ServerProcess, farewell: Farewell, verdict: Verdict, say: Say) -> None:
    tally, noise, never = SoakTally(), SoakTally(), trio.Event()
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as players, warden_of(server) as warden:
            for number in range(farewell.blackholes):
                nursery.start_soon(hostile, server.port, "never reads", number, noise, never)
            await start_players(players, server, farewell.honest, farewell.pace, tally, never)
            await trio.sleep(farewell.seconds)
            dropped = (await warden.counters())["messages dropped"]
            verdict.figures["messages dropped before"] = f"{dropped:,}"
            verdict.expect(dropped >= farewell.blackholes, "the blackholes were not full")
            began = time.monotonic()
            server.terminate()
            say(f"  SIGTERM, with {farewell.honest} players and {farewell.blackholes} blackholes")
            with trio.move_on_after(farewell.drain + SPARE / 2):
                while server.poll() is None:  # noqa: ASYNC110 - a process, not an event of ours
                    await trio.sleep(0.02)
            status = server.poll()
            took = time.monotonic() - began
            verdict.figures["ended within"] = f"{took:.2f} s"
            verdict.expect(took <= farewell.drain + 2, f"the end took {took:.1f} s")
            verdict.expect(status == 0, f"its exit status is {status}")
            never.set()
        nursery.cancel_scope.cancel()
    verdict.take(tally)
    heard = tally.seen["ended: last words"]
    verdict.figures["last words heard"] = f"{heard} of {farewell.honest}"
    verdict.expect(heard == farewell.honest, f"{heard} of {farewell.honest} players heard {SHUTDOWN!r}")
