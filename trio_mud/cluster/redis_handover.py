"""The request that a world hands over to its standby, by way of Redis: from any machine that may use the link.

A standby signs that it waits. The request names the epoch that is to end, so the next world does not obey it, too. The
world reads it while it looks for gateways, and hands over in order: nothing is lost.

Used by `trio-mud handover`; `redis_link` has the other side.
"""

from __future__ import annotations

from typing import Final

import trio

from ..errors import TrioMudError
from .redis_access import ATTEMPT, RedisAccess, describe, first_of, troubles
from .redis_scripts import Keys

__all__ = ["HandOverRefused", "hand_over_by_redis"]

HAND_OVER_TIMEOUT: Final = 30.0  # seconds until another world serves; the request expires then
POLL: Final = 0.02  # seconds between two looks for another world


class HandOverRefused(TrioMudError):
    """No other world has taken over; the text says why, and what to do."""


async def hand_over_by_redis(access: RedisAccess, world: str) -> float:
    """Let the standby of a world take over from the one that serves; return the seconds from the request to its claim.

    Args:
        access: The way to the server, as a user who may write the keys of the world.
        world: The name of the world.

    Raises:
        HandOverRefused: No world serves, none waits, or the one that serves has not handed over in time.
    """
    keys, failed, refusal = Keys(world), list[BaseException](), ""
    try:
        async with access.client() as client:
            with trio.fail_after(ATTEMPT):
                epoch, lease = await client.hget(keys.state, "epoch"), await client.get(keys.lease)
                standby = await client.get(keys.waiting)
            if epoch is None or lease is None:
                refusal = f"no world serves at {access} as {world}: start one by trio-mud world --standby"
            elif standby is None:
                refusal = "no standby waits: start one with the new code by trio-mud world --standby, and repeat this"
            else:
                began = trio.current_time()
                await client.set(keys.wanted, epoch, px=int(HAND_OVER_TIMEOUT * 1000))
                with trio.move_on_after(HAND_OVER_TIMEOUT):
                    while await client.hget(keys.state, "epoch") == epoch:  # noqa: ASYNC110 - another process
                        await trio.sleep(POLL)
                    return trio.current_time() - began
                refusal = f"the world has not handed over within {HAND_OVER_TIMEOUT:g} s: see its log"
    except* troubles() as group:
        failed.append(first_of(group))
    if failed:
        refusal = f"the cluster link at {access} fails: {describe(failed[0])}; look at who serves, and repeat this"
    raise HandOverRefused(refusal)
