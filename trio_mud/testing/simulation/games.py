"""The games that simulated players play: a hostile one, a careless one, the bundled world, and yours.

Who uses it: `stage` takes one by name; to add another, write a class as these are and put it into `GAMES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol

from ...driver.core.hooks import Hooks
from ...driver.server.server import MasterServer
from ...game import find_game
from .careless import CarelessGame
from .hostile import HostileGame
from .players import Player
from .trace import Trace


class Game(Protocol):
    """What a game brings to a simulation."""

    hooks: Hooks

    def line(self, player: Player, chance: Random) -> str:
        """Something to type."""
        ...

    def secret(self, player: Player, chance: Random) -> Sequence[str]:
        """A line that leads to a hidden question, its prompt, and a secret; none if it has no such question."""
        ...

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Lines by which one becomes the who-th character."""
        ...

    def come_back(self, player: Player, chance: Random) -> Sequence[str]:
        """Lines by which another connection becomes who this player was."""
        ...

    def use_token(self, chance: Random) -> Sequence[str]:
        """Lines that show a token of a session; none if there is none."""
        ...

    def leave(self, chance: Random) -> Sequence[str]:
        """Lines by which one quits."""
        ...

    def slow(self, player: Player) -> Sequence[str]:
        """A line that takes long, so that others wait behind it; none if there is none."""
        ...

    def post(self, server: MasterServer, chance: Random) -> bool:
        """Post events of its own, if it has any."""
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
    """A game of which no more is known than what its players might type.

    Args:
        hooks: The game.
        words: Lines that mean something to it.
        names: By which its players log in.
    """

    def __init__(self, hooks: Hooks, words: Sequence[str] = WORDS, names: Sequence[str] = NAMES) -> None:
        self.hooks = hooks
        self._words = words
        self._names = names

    def line(self, player: Player, chance: Random) -> str:
        """One of the words."""
        return chance.choice(self._words)

    def secret(self, player: Player, chance: Random) -> Sequence[str]:
        """It is not known where one would be asked."""
        return ()

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """A name; and a yes, for whoever is asked whether that is them."""
        name = self._names[who % len(self._names)]
        return [name, "yes"] if chance.random() < 0.5 else [name]

    def come_back(self, player: Player, chance: Random) -> Sequence[str]:
        """The name that this player most likely had."""
        return self.enter(player.number, chance)

    def use_token(self, chance: Random) -> Sequence[str]:
        """It gives none."""
        return ()

    def leave(self, chance: Random) -> Sequence[str]:
        """The word that most games know."""
        return ["quit"]

    def slow(self, player: Player) -> Sequence[str]:
        """It is not known what takes long."""
        return ()

    def post(self, server: MasterServer, chance: Random) -> bool:
        """It is not known which."""
        return False


GAMES: Final[dict[str, Callable[[Trace], Game]]] = {
    "hostile": HostileGame,
    "careless": CarelessGame,
    "mudlib": lambda trace: PlayedByWords(find_game("trio_mud.mudlib:world")),
}
