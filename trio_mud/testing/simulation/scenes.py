"""Scenes: what one simulated person does over several connections. An action starts each as a task.

Used by `actions`.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import trio

from .network import Quality

if TYPE_CHECKING:
    from .harness import Harness
    from .players import SimulatedPlayer

STEP: Final = 0.1  # seconds between two looks at what a program has received
MOST_STEPS: Final = 30


async def return_by_token(harness: Harness, chance: Random, *, tabs: int) -> None:
    """Enter a session with a program that gets a token, lose the link, and return by the token, up to three times.

    Args:
        harness: The run.
        chance: The source of all choices.
        tabs: The number of connections that present the same token at once.
    """
    player = harness.join(chance, outcome="welcome", quality=Quality(), program="modern")
    if player is None:
        return
    harness.types(player, harness.game.enter(chance.randrange(3), chance))
    for _ in range(chance.randint(1, 3)):
        if not await _gets_token(player):
            return
        harness.types(player, harness.lines(player, chance, chance.randint(0, 3)))
        await trio.sleep(chance.choice((0.0, 0.1, 1.0)))
        if chance.random() < 0.5:
            player.stall()  # its link swallows text from here on, and the server does not notice
            harness.game.post(harness.server, chance)
            await trio.sleep(chance.choice((0.0, 0.5, 2.0)))
        if chance.random() < 0.5:
            player.vanish()
            await trio.sleep(chance.choice((0.0, 0.5)))
        came = [_comes_back(harness, player, chance) for _ in range(tabs)]
        player = next((tab for tab in came if tab is not None), player)


async def _gets_token(player: SimulatedPlayer) -> bool:
    assert player.terminal is not None, "the program speaks telnet"
    for _ in range(MOST_STEPS):
        if player.terminal.returns is not None:
            return True
        await trio.sleep(STEP)
    return False


def _comes_back(harness: Harness, player: SimulatedPlayer, chance: Random) -> SimulatedPlayer | None:
    quality = Quality()  # a cut by the network itself would hide a line that is lost
    return harness.join(
        chance, address=player.address, outcome="welcome", quality=quality, program="modern", came_from=player
    )
