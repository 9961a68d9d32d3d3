"""Worlds of a bank are killed at random moments while players pay; then the books are compared with the payments.

Used by a row of the failure table and by `drills`.
"""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import trio

from trio_mud.storage.sqlite import rows_of

from ..bank import audit
from .server import RedisServer
from .stage import judge, on_stage

FEW_SECONDS = 0.6  # at most, from the moment at which a world serves until it is killed


async def pay_over_kills(redis: RedisServer, kills: int, *, players: int = 20, every: float = 0.1) -> dict[str, int]:
    """Kill worlds while players pay, and audit the database.

    Returns:
        What the players saw, and how many kills came between a commit and the database: the cluster link held changes
        that were not there yet.
    """
    dice, between, database = random.Random(kills), 0, redis.folder / "bank.db"
    async with on_stage(redis, players=players, every=every, database=database) as stage:
        for _ in range(kills):
            spare = stage.start_world()
            await spare.reported("loaded")
            await trio.sleep(dice.random() * FEW_SECONDS)
            stage.world.kill()
            between += waits_for_database(redis)
            await stage.kill_world(spare, is_told=True)
        await stage.crowd.settled()
        with trio.fail_after(30):
            while waits_for_database(redis):  # noqa: ASYNC110 - of another process
                await trio.sleep(0.05)
        seen = judge(stage.crowd)
        paid = {f"payer{number}": range(1, player.sent + 1) for number, player in enumerate(stage.crowd.players)}
    audit_database(database, paid)
    return {**seen, "between commit and database": between}


def waits_for_database(redis: RedisServer) -> bool:
    """Return True if the cluster link holds changes that are not in the database."""
    return redis.ask("hlen", "tm:{w1}:held") not in ("", "0")


def audit_database(database: Path, paid: dict[str, range]) -> None:
    """Compare the database with the payments."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        audit(rows_of(connection), paid)
    finally:
        connection.close()
