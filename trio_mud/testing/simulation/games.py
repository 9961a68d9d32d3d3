"""The games for simulated players: a hostile one, a careless one, the bundled world, and yours.

`harness` selects one by name; to add another, write a similar class and add it to `GAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol

from ...driver.core.hooks import Hooks
from ...driver.server.server import MasterServer
from ...program.loading import find_game
from .by_words import PlayedByWords, StoredRecords
from .careless import CarelessGame
from .hostile import HostileGame
from .players import SimulatedPlayer
from .reloading import ReloadedGame
from .staffed import StaffedGame
from .stored import StoredGame
from .trace import Trace
from .valley import PlayedValley
from .world_game import WorldGame


class SimulatedGame(Protocol):
    """The interface of a game to the simulation."""

    hooks: Hooks
    records: StoredRecords | None

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line to type."""
        ...

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return a line that leads to questions, some of them hidden, and each prompt and answer; empty without any."""
        ...

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return lines that enter the session of the given character."""
        ...

    def come_back(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return lines by which another connection takes up this player's session."""
        ...

    def use_token(self, chance: Random) -> Sequence[str]:
        """Return lines that use a session's token; empty if there is none."""
        ...

    def leave(self, chance: Random) -> Sequence[str]:
        """Return lines that quit."""
        ...

    def slow(self, player: SimulatedPlayer) -> Sequence[str]:
        """Return a line that takes long, so that others wait behind it; empty if there is none."""
        ...

    def post(self, server: MasterServer, chance: Random) -> bool:
        """Post events of the game; return True if there are any."""
        ...

    def close(self) -> None:
        """Remove what the game has left outside the run; called at its end."""
        ...


def _valley_of_names() -> SimulatedGame:
    return PlayedByWords(find_game("trio_mud.mudlib:world"))


GAMES: Final[dict[str, Callable[[Trace], SimulatedGame]]] = {
    "hostile": HostileGame,
    "careless": CarelessGame,
    "stored": StoredGame,
    "staffed": StaffedGame,
    "world": WorldGame,
    "reloaded": ReloadedGame,
    "mudlib": lambda trace: PlayedValley(trace) if trace.plan.seed % 2 else _valley_of_names(),
}
