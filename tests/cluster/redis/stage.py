"""One Redis, gateways, worlds and a crowd, for the rows of the failure table and for the drills."""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.ports import free_ports

from ..bank import payment
from .crowd import CountingCrowd, speaking
from .processes import Child, now
from .server import RedisServer


class Stage:
    """The processes of one drill.

    Args:
        redis: The server.
        database: The SQLite file of the bank, which the worlds play then.

    Attributes:
        redis: The server.
        gateways: The gateways, by the order of their start.
        worlds: The worlds, by the order of their start; the last that serves is `world`.
        world: The world that serves.
        crowd: The players.
    """

    crowd: CountingCrowd
    world: Child

    def __init__(self, redis: RedisServer, database: Path | None = None) -> None:
        self.redis = redis
        self._database = database
        self.gateways: list[Child] = []
        self.worlds: list[Child] = []
        self.ports: list[int] = []

    @property
    def _url(self) -> str:
        return f"redis+unix://{self.redis.path}"

    def start_gateway(self, number: int) -> Child:
        """Start a gateway, or start one again at its port."""
        name = f"g{number + 1}"
        child = Child(self.redis.folder, f"{name}-{now()}", "gateway", self._url, name, str(self.ports[number]))
        self.gateways[number : number + 1] = [child]
        return child

    def start_world(self) -> Child:
        """Start a world, which waits for the claim."""
        game = ("world", self._url) if self._database is None else ("bank", self._url, str(self._database))
        child = Child(self.redis.folder, f"w{len(self.worlds)}", *game)
        self.worlds.append(child)
        return child

    async def kill_world(self, spare: Child, *, is_told: bool) -> float:
        """Kill the world that serves, and return the seconds until a player is answered by the other one."""
        killed = now()
        self.world.kill()
        if is_told:
            spare.send(signal.SIGUSR1)
        report = await spare.reported("serving")
        self.world = spare
        silence = await self.crowd.heard_since(report["at"])
        return float(report["at"]) - killed + silence

    async def hand_over(self, spare: Child) -> float:
        """Let the world hand over to one that waits; return the seconds until a player is answered by that."""
        asked = now()
        self.world.send(signal.SIGUSR2)
        report = await spare.reported("serving")
        assert await self.world.ended() == 0
        self.world = spare
        return float(report["at"]) - asked + await self.crowd.heard_since(report["at"])

    def close(self) -> None:
        """End all processes but Redis."""
        for child in [*self.worlds, *self.gateways]:
            child.close()


@asynccontextmanager
async def on_stage(
    redis: RedisServer,
    *,
    gateways: int = 1,
    players: int = 40,
    every: float = 0.2,
    spares: int = 0,
    database: Path | None = None,
) -> AsyncGenerator[Stage]:
    """Start everything; the players speak for the length of the block."""
    stage = Stage(redis, database)
    try:
        first = free_ports(gateways)
        stage.ports = list(range(first, first + gateways))
        for number in range(gateways):
            stage.start_gateway(number)
        stage.world = stage.start_world()
        for child in [*stage.gateways, stage.world]:
            await child.reported("serving")
        for _ in range(spares):
            await stage.start_world().reported("loaded")
        stage.crowd = CountingCrowd(players, stage.ports, every)
        if database is not None:
            for number, player in enumerate(stage.crowd.players):
                player.line = partial(_payment, f"payer{number}", random.Random(number))
        async with speaking(stage.crowd):
            yield stage
    finally:
        stage.close()


def _payment(name: str, dice: random.Random, verb: str, number: int) -> str:
    return payment(name, number, dice)


def judge(crowd: CountingCrowd) -> dict[str, int]:
    """Return what was sent, answered, lost and doubled, as the players see it."""
    sent, skipped = crowd.total("sent"), crowd.total("skipped")
    answered = crowd.total("answered") - skipped
    return {"sent": sent, "answered": answered, "lost": sent - answered, "doubled": crowd.total("doubled")}
