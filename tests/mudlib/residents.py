"""Players with an account in the valley that keeps them."""

from __future__ import annotations

import trio

from trio_mud.testing import Mud, Player

PASSWORD = "the river's time"


async def answers(player: Player, *lines: str) -> None:
    """Type each line when the question before it has come."""
    await trio.sleep(1)
    for line in lines:
        await player.catches_up()
        await player.type(line)
    await player.sees("You can go")
    await player.catches_up()


async def newcomer(valley: Mud, name: str) -> Player:
    """Return a player who has just made an account, and has read everything so far."""
    player = await valley.player()
    await answers(player, "new", name, PASSWORD, PASSWORD)
    return player


async def returning(valley: Mud, name: str) -> Player:
    """Return a player who has logged in; `screen` has what was read."""
    player = await valley.player()
    await answers(player, name, PASSWORD)
    return player


async def visitor(valley: Mud, name: str) -> Player:
    """Return a guest."""
    player = await valley.player()
    await answers(player, "guest", name)
    return player
