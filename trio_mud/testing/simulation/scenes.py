"""Scenes: what one simulated person does over several connections. An action starts each as a task.

Used by `actions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import trio

from ..gmcp import Return
from .doors import RETURNING
from .network import Quality

if TYPE_CHECKING:
    from .harness import Harness
    from .players import SimulatedPlayer

STEP: Final = 0.1  # seconds between two looks at what a program has received
MOST_STEPS: Final = 30
MOST_TABS: Final = 5
FOREIGN: Final = "foreign-token"  # the token of no session
NOTHING_SHOWN: Final = -1  # the count of a page that was loaded again: it has its token, and shows nothing


@dataclass(frozen=True, slots=True)
class _Way:
    """How a person returns.

    Attributes:
        tabs: The number of connections that present the same token at once.
        is_foreign: True if the first of them presents a token that no server gave.
        is_loaded_again: True if they are pages that were loaded again.
        quits: True if the person quits first.
        hangs_up: True if the link ends in order, unless it is lost.
        pause: Seconds after the loss of the link; a long one is longer than the grace.
        outcome: What the game does with them when they connect, such as asking a question.
    """

    tabs: int
    is_foreign: bool = False
    is_loaded_again: bool = False
    quits: bool = False
    hangs_up: bool = False
    pause: float = 0.0
    outcome: str = "welcome"


def _any_way(chance: Random, tabs: int) -> _Way:
    return _Way(
        tabs if tabs == 1 else chance.randint(2, MOST_TABS),
        is_foreign=chance.random() < 0.15,
        is_loaded_again=chance.random() < 0.2,
        quits=chance.random() < 0.1,
        hangs_up=chance.random() < 0.2,
        pause=chance.choice((0.0, 0.0, 0.0, 0.6, 6.0)),
        outcome=chance.choice(("welcome", "welcome", "login", "dialog", "wait")),
    )


async def return_by_token(harness: Harness, chance: Random, *, tabs: int) -> None:
    """Enter a session with a program that gets a token, lose the link, and return by the token, up to three times.

    Args:
        harness: The run.
        chance: The source of all choices.
        tabs: The number of connections that present the same token at once; several stand for any number of them.
    """
    player = harness.join(chance, outcome="welcome", quality=Quality(), program="modern", doors=RETURNING)
    if player is None:
        return
    more = Random(f"ways {player.number} {harness.plan.seed}")
    harness.types(player, harness.game.enter(chance.randrange(3), chance))
    for _ in range(chance.randint(1, 3)):
        if not await _gets_token(player):
            return
        way = _any_way(more, tabs) if harness.plan.is_mixed else _Way(tabs)
        harness.types(player, harness.lines(player, chance, chance.randint(0, 3)))
        await trio.sleep(chance.choice((0.0, 0.1, 1.0)))
        if chance.random() < 0.5:
            player.stall()  # its link swallows text from here on, and the server does not notice
            harness.game.post(harness.server, chance)
            await trio.sleep(chance.choice((0.0, 0.5, 2.0)))
        if way.quits:
            harness.types(player, harness.game.leave(chance))
        if chance.random() < 0.5:
            player.vanish()
            await trio.sleep(chance.choice((0.0, 0.5)))
        elif way.hangs_up:
            harness.start(player.end_input)
        if way.pause:
            await trio.sleep(way.pause)
        came = [_comes_back(harness, player, chance, way, number) for number in range(way.tabs)]
        arrived = [tab for tab in came if tab is not None]
        if arrived:
            player = await _one_with_token(arrived) if harness.plan.is_mixed else arrived[0]


async def return_after_restart(harness: Harness, kept: Sequence[Return], chance: Random) -> None:
    """Let some programs of the life before present what they kept, each in one or two tabs."""
    for returns in chance.sample(kept, min(len(kept), 3)):
        await trio.sleep(chance.choice((0.0, 0.1, 1.0)))
        for _ in range(chance.randint(1, 2)):
            harness.join(
                chance, outcome="welcome", quality=Quality(), program="modern", returns=returns, doors=RETURNING
            )


async def _one_with_token(tabs: list[SimulatedPlayer]) -> SimulatedPlayer:
    """Wait for the tab that has returned; return any if none has."""
    for _ in range(MOST_STEPS):
        for tab in tabs:
            if tab.terminal is not None and tab.terminal.returns is not None:
                return tab
        await trio.sleep(STEP)
    return tabs[0]


async def _gets_token(player: SimulatedPlayer) -> bool:
    assert player.terminal is not None, "the program speaks telnet"
    for _ in range(MOST_STEPS):
        if player.terminal.returns is not None:
            return True
        await trio.sleep(STEP)
    return False


def _comes_back(
    harness: Harness, player: SimulatedPlayer, chance: Random, way: _Way, number: int
) -> SimulatedPlayer | None:
    assert player.terminal is not None, "the program speaks telnet"
    returns = player.terminal.returns
    if returns is not None and way.is_loaded_again:
        returns = returns._replace(lines=NOTHING_SHOWN)
    if way.is_foreign and not number:
        returns = Return(FOREIGN, 0)
    quality = Quality()  # a cut by the network itself would hide a line that is lost
    return harness.join(
        chance,
        address=player.address,
        outcome=way.outcome,
        quality=quality,
        program="modern",
        came_from=player,
        returns=returns,
        doors=RETURNING,
    )
