"""The bundled world with accounts: its players log in, carry what there is, and come back after kills and restarts.

Used by `games`. The driver's faults meet a game that is nobody's test: only lines that players type are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from ...accounts import AccountOptions
from ...program.loading import find_game
from ...world import Game, World
from . import inside
from .by_words import NAMES, WORDS, PlayedByWords, StoredRecords
from .players import CANARY, SimulatedPlayer
from .trace import Trace

_OPTIONS: Final = AccountOptions(plain="allow", hash_memory=8, hash_passes=1, first_penalty=0.2, max_penalty=0.5)
_VERBS: Final = (
    *("take all", "take all", "take lamp", "take 2.apple", "drop all", "drop all", "drop lamp", "inventory"),
    *("put all in basket", "put lamp in chest", "take all from basket", "give all to bob", "give lamp to ann"),
    *("light lamp", "light lamp", "extinguish lamp", "open door", "unlock door", "close door", "open chest"),
    *("attack heron", "attack rat", "look in basket", "read board", "read 1", "note Hello", ":bows"),
    *("chat hello", "chat", "leave chat", "join chat", "ignore bob", "unignore bob", "tell ann hi", "reply hi", "afk"),
    *("letter ann", "letter bob", "Dear me", ".", ".", "mail", "mail 1", "discard 1", "bow", "bow bob", "help mail"),
    *("n", "s", "e", "w", "n", "s", "e", "w", "up", "down", "ne", "sw", "quit"),
)


class PlayedValley(PlayedByWords):
    """The valley that keeps its players."""

    def __init__(self, trace: Trace) -> None:
        game = find_game("trio_mud.mudlib:lasting_world")
        assert isinstance(game, Game)
        super().__init__(game, (*WORDS, *_VERBS))
        self.records = StoredRecords(game, options=(_OPTIONS,))
        self._trace = trace

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return what a new connection types to log in and then, with the question before each answer."""
        server, name = self._trace.server, chance.choice(NAMES)
        texts, password = server.texts, f"{CANARY}{name.lower()}-{chance.choice((1, 1, 1, 2))}-end"
        if not isinstance(server.world, World) or not inside.is_on_disk(server.world.store, ("account", name.lower())):
            again = (texts.password_new, password, texts.password_again, password)
            login = ["new", texts.name_question, name, *again]
        else:
            login = [name, texts.password_question, password]
        for _ in range(chance.choice((2, 8, 20))):
            login += ["> ", self.line(player, chance)]
        return login
