"""The games for simulated players: a hostile one, a careless one, the bundled world, and yours.

`harness` selects one by name; to add another, write a similar class and add it to `GAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol

from ...driver.core.hooks import Hooks
from ...driver.server.server import MasterServer
from ...errors import ConfigurationError
from ...game import find_game
from .careless import CarelessGame
from .hostile import HostileGame
from .players import SimulatedPlayer
from .trace import Trace


class SimulatedGame(Protocol):
    """The interface of a game to the simulation."""

    hooks: Hooks

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line to type."""
        ...

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return a line that leads to a hidden question, its prompt, and a secret; empty without such a question."""
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
        hooks: The game.
        words: Lines that have a meaning in it.
        names: Names to log in with.
    """

    def __init__(self, hooks: Hooks, words: Sequence[str] = WORDS, names: Sequence[str] = NAMES) -> None:
        self.hooks = hooks
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


def hooks_of(name: str) -> Hooks:
    """Return the hooks that MODULE:NAME refers to.

    Raises:
        ConfigurationError: It is a game with records.
    """
    game = find_game(name)
    if not isinstance(game, Hooks):
        raise ConfigurationError(f"{name} is a game with records: name its hooks")
    return game


GAMES: Final[dict[str, Callable[[Trace], SimulatedGame]]] = {
    "hostile": HostileGame,
    "careless": CarelessGame,
    "mudlib": lambda trace: PlayedByWords(hooks_of("trio_mud.mudlib:world")),
}
