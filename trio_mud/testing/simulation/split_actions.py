"""The table of faults of a split server: processes that die or are replaced, and a cluster link in trouble.

`split_harness` plays them with the actions of players and network.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from .actions import Action

if TYPE_CHECKING:
    from .players import SimulatedPlayer
    from .split_harness import SplitHarness


def _split(act: Callable[[SplitHarness, Random], bool], weight: float) -> Action:
    return _split_for_player(lambda harness, player, chance: act(harness, chance), weight)


def _split_for_player(act: Callable[[SplitHarness, SimulatedPlayer, Random], bool], weight: float) -> Action:
    def do(harness: object, player: SimulatedPlayer, chance: Random) -> bool:
        return act(harness, player, chance)  # type: ignore[arg-type]  # played by a split harness only

    return Action(do, weight)


def _world_dies(harness: SplitHarness, chance: Random) -> bool:
    return harness.kill_world(chance)


def _world_dies_anywhere(harness: SplitHarness, chance: Random) -> bool:
    """Kill the world before a step of any task."""
    return harness.at_step(chance.randint(1, 250), lambda: harness.kill_world(chance))


def _death_meets_quit(harness: SplitHarness, player: SimulatedPlayer, chance: Random) -> bool:
    """Kill the world while it ends a connection, which has more input waiting."""
    harness.types(player, [*harness.game.leave(chance), *harness.lines(player, chance, chance.randint(1, 3))])
    return harness.at_quit(chance.randint(1, 40), lambda: harness.kill_world(chance))


def _world_replaced(harness: SplitHarness, chance: Random) -> bool:
    """Start another world while one serves."""
    return harness.start_world(0.0)


def _world_hands_over(harness: SplitHarness, chance: Random) -> bool:
    return harness.hand_over()


def _gateway_dies(harness: SplitHarness, chance: Random) -> bool:
    return harness.kill_gateway(chance)


def _gateway_dies_anywhere(harness: SplitHarness, chance: Random) -> bool:
    return harness.at_step(chance.randint(1, 250), lambda: harness.kill_gateway(chance))


def _gateway_cut(harness: SplitHarness, chance: Random) -> bool:
    """Cut the network between a gateway and the cluster link, sometimes for so long that the gateway is given up."""
    gateway = harness.any_gateway(chance)
    if gateway is None:
        return False
    gateway.trace.end.cut(chance.choice((0.5, 2.0, 3.5, 6.0)))
    return True


def _link_slow(harness: SplitHarness, chance: Random) -> bool:
    most = chance.choice((0.0, 0.02, 0.1, 0.6))
    lags = Random(chance.getrandbits(30))
    harness.cluster.latency = lambda: lags.random() * most
    return True


def _link_silent(harness: SplitHarness, chance: Random) -> bool:
    harness.cluster.be_silent(chance.choice((0.3, 1.0, 4.0)))
    return True


def _reply_lost(harness: SplitHarness, chance: Random) -> bool:
    harness.cluster.lose_replies(chance.randint(1, 4))
    return True


def _frame_twice(harness: SplitHarness, chance: Random) -> bool:
    gateway = harness.any_gateway(chance)
    return gateway is not None and harness.cluster.repeat(gateway.trace.name)


def _link_forgets(harness: SplitHarness, chance: Random) -> bool:
    harness.cluster.forget()
    return True


SPLIT_ACTIONS: Final[dict[str, Action]] = {
    "world dies": _split(_world_dies, 3),
    "world dies anywhere": _split(_world_dies_anywhere, 6),
    "death meets quit": _split_for_player(_death_meets_quit, 3),
    "world replaced": _split(_world_replaced, 3),
    "world hands over": _split(_world_hands_over, 2),
    "gateway dies": _split(_gateway_dies, 0.7),
    "gateway dies anywhere": _split(_gateway_dies_anywhere, 0.7),
    "gateway cut": _split(_gateway_cut, 1.5),
    "link slow": _split(_link_slow, 3),
    "link silent": _split(_link_silent, 1),
    "reply lost": _split(_reply_lost, 2),
    "frame twice": _split(_frame_twice, 1.5),
    "link forgets": _split(_link_forgets, 1),
}
