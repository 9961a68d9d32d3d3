"""The drills: kill worlds, gateways and Redis again and again, while players count; one line of JSON for each drill.

    python -m tests.cluster.redis.drills                    200 worlds, 50 gateways, 20 Redis with and without AOF,
                                                            and 100 worlds of a bank
    python -m tests.cluster.redis.drills --only spare,redis --share 0.1

`lost` and `doubled` count lines as the players see them; `heard` is the world's own count, where the world lives.
`unexplained` are lost lines that no dying gateway can have held.
`silence` is the time from a kill to the next answer to any player, in seconds: median and worst.
The bank stores money in an SQLite file, and the drill fails if any is lost or made; "between commit and database"
counts the kills that came while changes were committed, and not in the database.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from .money import pay_over_kills
from .processes import now
from .server import AOF, RedisServer
from .stage import Stage, judge, on_stage

Drill = Callable[[RedisServer, int], Awaitable[None]]
PLAYERS = 100
EVERY = 0.5  # seconds between two lines of a player


def report(name: str, stage: Stage, kills: int, silences: list[float], **more: object) -> None:
    """Print the figures of a drill."""
    median, worst = round(statistics.median(silences), 3), round(max(silences), 3)
    figures = {"drill": name, "kills": kills, **judge(stage.crowd), "silence": [median, worst], **more}
    sys.stdout.write(json.dumps({**figures, "load": round(os.getloadavg()[0], 1)}) + "\n")
    sys.stdout.flush()


async def kill_worlds(redis: RedisServer, kills: int, *, is_told: bool) -> None:
    """Kill the world; a loaded one is told at once, or waits for the lease."""
    silences = []
    async with on_stage(redis, players=PLAYERS, every=EVERY) as stage:
        for _ in range(kills):
            spare = stage.start_world()
            await spare.reported("loaded")
            await trio.sleep(0.3)
            silences.append(await stage.kill_world(spare, is_told=is_told))
        await stage.crowd.settled()
        report("spare" if is_told else "standby", stage, kills, silences, connects=stage.crowd.total("connects"))


async def hand_over(redis: RedisServer, kills: int) -> None:
    """Let the world hand over to a loaded one."""
    silences = []
    async with on_stage(redis, players=PLAYERS, every=EVERY) as stage:
        for _ in range(kills):
            standby = stage.start_world()
            await standby.reported("loaded")
            await trio.sleep(0.3)
            silences.append(await stage.hand_over(standby))
        await stage.crowd.settled()
        report("handover", stage, kills, silences, connects=stage.crowd.total("connects"))


async def kill_gateways(redis: RedisServer, kills: int) -> None:
    """Kill one of two gateways; its players return by the other one."""
    silences = []
    async with on_stage(redis, gateways=2, players=PLAYERS, every=EVERY) as stage:
        for kill in range(kills):
            await trio.sleep(1.5)
            killed = now()
            stage.gateways[kill % 2].kill()
            silences.append(await stage.crowd.heard_since(killed))
            await stage.start_gateway(kill % 2).reported("serving")
        await trio.sleep(1)
        await stage.crowd.settled(within=10)
        total = stage.crowd.total
        report("gateway", stage, kills, silences, unexplained=total("unexplained"), connects=total("connects"))


async def kill_redis(redis: RedisServer, kills: int, *, has_aof: bool) -> None:
    """Kill Redis, and start it again after half a second."""
    silences = []
    async with on_stage(redis, players=PLAYERS, every=EVERY) as stage:
        for _ in range(kills):
            await trio.sleep(1.5)
            killed = now()
            redis.kill()
            await trio.sleep(0.5)
            redis.restart()
            silences.append(now() - killed + await stage.crowd.heard_since(now()))
        await trio.sleep(1)
        await stage.crowd.settled(within=10)
        name = "redis" if has_aof else "redis-without-disk"
        report(name, stage, kills, silences, heard=await stage.crowd.stats())


async def kill_bank(redis: RedisServer, kills: int) -> None:
    """Kill worlds at random moments while money goes from purse to purse, and audit the database at the end."""
    figures = {"drill": "money", "kills": kills, **await pay_over_kills(redis, kills)}
    sys.stdout.write(json.dumps({**figures, "load": round(os.getloadavg()[0], 1)}) + "\n")
    sys.stdout.flush()


DRILLS: dict[str, tuple[int, tuple[str, ...], Drill]] = {
    "spare": (140, AOF, lambda redis, kills: kill_worlds(redis, kills, is_told=True)),
    "standby": (60, AOF, lambda redis, kills: kill_worlds(redis, kills, is_told=False)),
    "handover": (30, AOF, hand_over),
    "gateway": (50, AOF, kill_gateways),
    "redis": (20, AOF, lambda redis, kills: kill_redis(redis, kills, has_aof=True)),
    "money": (100, AOF, kill_bank),
    "redis-without-disk": (20, (), lambda redis, kills: kill_redis(redis, kills, has_aof=False)),
}


def main() -> None:
    """Run the drills that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of drills, with commas: " + ", ".join(DRILLS))
    parser.add_argument("--share", type=float, default=1.0, help="the share of the kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        for name in options.only.split(",") if options.only else DRILLS:
            kills, settings, drill = DRILLS[name]
            folder = Path(base) / name
            folder.mkdir()
            redis = RedisServer(folder, *settings)
            try:
                trio.run(drill, redis, max(1, math.ceil(kills * options.share)))
            finally:
                redis.close()


if __name__ == "__main__":
    main()
