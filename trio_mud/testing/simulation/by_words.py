"""A game of which only the lines of its players are known: the bundled world, and yours.

Used by `games`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from ...driver.core.hooks import Hooks
from ...driver.server.server import MasterServer
from ...world import Game
from .players import SimulatedPlayer
from .storage_trace import WorldState


class StoredRecords(NamedTuple):
    """The records of a simulated game, and what is known of them."""

    game: Game
    judge: Callable[[WorldState], Iterable[str]] = lambda kept: ()  # yields what is wrong with kept rows
    options: Sequence[object] = ()  # in place of the defaults
    judge_step: Callable[[WorldState, WorldState], Iterable[str]] = lambda before, after: ()  # of two moments


WORDS: Final = (
    "look",
    "quit",
    "help",
    "who",
    "",
    " ",
    "n",
    "s",
    "say hello there",
    "'hi",
    "say \x1b[31mred\x07",
    "tell ann psst",
    "shout é漢🙂",
    ":smiles",
    "look clock",
    "bogus",
    "yes",
    "no",
    "1",
    "get all",
    "a" * 100,
)
NAMES: Final = ("Ann", "Bob", "Cid")


class PlayedByWords:
    """A game of which only the lines of its players are known.

    Args:
        game: The hooks, or a game with records.
        words: Lines that have a meaning in it.
        names: Names to log in with.
    """

    def __init__(self, game: Hooks | Game, words: Sequence[str] = WORDS, names: Sequence[str] = NAMES) -> None:
        self.hooks = game if isinstance(game, Hooks) else Hooks()
        self.records = None if isinstance(game, Hooks) else StoredRecords(game)
        self._words = words
        self._names = names

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return one of the words."""
        return chance.choice(self._words)

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return nothing: no hidden question is known."""
        return ()

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return a name, and in half of the cases "yes" for a confirmation."""
        name = self._names[who % len(self._names)]
        return [name, "yes"] if chance.random() < 0.5 else [name]

    def come_back(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return the name that this player most likely used."""
        return self.enter(player.number, chance)

    def use_token(self, chance: Random) -> Sequence[str]:
        """Return nothing: there are no tokens."""
        return ()

    def leave(self, chance: Random) -> Sequence[str]:
        """Return the command that most games have."""
        return ["quit"]

    def slow(self, player: SimulatedPlayer) -> Sequence[str]:
        """Return nothing: no slow line is known."""
        return ()

    def post(self, server: MasterServer, chance: Random) -> bool:
        """Post nothing: no event type is known."""
        return False

    def close(self) -> None:
        """Leave nothing: the game is all in memory."""
