"""The bundled world with accounts: its players log in, carry what there is, write, and come back after kills.

Used by `games`. The driver's faults meet a game that is nobody's test: only lines that players type are known. They
come in scenes, such as a letter from its first line to the dot that sends it. `judge` and `judge_step` are its part of
the invariants: no letter and no note is lost, doubled, or in two places.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from ... import ConsoleOperator
from ...accounts import AccountOptions
from ...driver.server.server import MasterServer
from ...program.loading import find_game
from ...world import Game, World
from . import inside
from .by_words import NAMES, WORDS, PlayedByWords, StoredRecords
from .players import CANARY, SimulatedPlayer
from .storage_trace import Place, WorldState
from .trace import Trace

_OPTIONS: Final = AccountOptions(plain="allow", hash_memory=8, hash_passes=1, first_penalty=0.2, max_penalty=0.5)
_VERBS: Final = (
    *("take all", "take all", "take lamp", "take 2.apple", "drop all", "drop all", "drop lamp", "inventory"),
    *("put all in basket", "put lamp in chest", "take all from basket", "give all to {who}", "give lamp to {who}"),
    *("light lamp", "light lamp", "extinguish lamp", "open door", "unlock door", "close door", "open chest"),
    *("attack heron", "attack rat", "look in basket", "tell {who} hi", "reply hi", "shout hi", ":bows", "afk lunch"),
    *("bow", "bow {who}", "hug {who}", "smile at {who}", "wave", "socials", "help mail", "who", "quit"),
    *("ignore {who}", "unignore {who}", "unignore {who}", "report {who} shouts", "channels", "history chat"),
    *("mute {who} 2s", "unmute {who}", "kick {who}", "snoop {who}", "snoop", "reports", "connections", "audit"),
    *("n", "s", "e", "w", "n", "s", "e", "w", "up", "down", "ne", "sw"),
)
_GUESTS: Final = ("Dora", "Emil", "Fay")
_LETTER: Final = ("letter {who}", "Dear letter{mark}", ".")
_NOTE: Final = ("n", "n", "note", "Dear note{mark}", ".", "read")
_SCENES: Final[tuple[tuple[str, ...], ...]] = (
    *(_LETTER, _LETTER, ("letter {who}", "Dear letter{mark}", "and so on", ".l", ".", "mail")),
    *(_NOTE, _NOTE, ("note", "Dear note{mark}", ".l", ".", "s", "note", ".")),
    *(("mail", "mail 1", "discard 1"), ("mail 2", "mail"), ("discard 2",)),
    *(("chat hello", "history chat"), ("leave chat", "chat no", "join chat", "chat yes"), ("ask how", "ask")),
)
_CONSOLE: Final = (
    *("mute {who} 2s", "mute {who} 9s", "mute {who}", "mute {who}", "mute {who}", "unmute {who}"),
    *("role {who} admin", "role {who} admin", "role {who} player"),
    *("kick {who}", "ban {who} 1s", "unban {who}", "announce hear", "reports", "role {who} builder", "shutdown cancel"),
)
_MOST_NOTES: Final = 20  # of a board
_MARK: Final = re.compile(r"(?:letter|note)#\d+\.\d+")


class PlayedValley(PlayedByWords):
    """The valley that keeps its players."""

    def __init__(self, trace: Trace) -> None:
        game = find_game("trio_mud.mudlib:lasting_world")
        assert isinstance(game, Game)
        super().__init__(game, (*WORDS, *_VERBS))
        self.records = StoredRecords(game, judge, options=(_OPTIONS,), judge_step=judge_step)
        self._trace = trace
        self._marks = 0
        self._rest: defaultdict[int, list[str]] = defaultdict(list)  # of the scene of each player, by number

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return the next line of a scene, or how a player who is not in the game comes in as a guest."""
        if not self._is_in(player) and chance.random() < 0.5:
            return "\r\n".join(self._as_guest(chance))
        rest = self._rest[player.number]
        if not rest:
            rest += self._scene(chance) if chance.random() < 0.5 else [self._fill(chance.choice(self._words), chance)]
        return rest.pop(0)

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return what a new connection types to log in and then, with the question before each answer."""
        name, texts = chance.choice(NAMES), self._trace.server.texts
        password = f"{CANARY}{name.lower()}-{chance.choice((1, 1, 1, 2))}-end"
        if name not in self._accounts():
            again = (texts.password_new, password, texts.password_again, password)
            login = ["new", texts.name_question, name, *again]
        else:
            login = [name, texts.password_question, password]
        login += ["> ", chance.choice(("mail 1", "mail 1", "look"))]
        for _ in range(chance.choice((2, 4, 8))):
            for line in self._scene(chance) if chance.random() < 0.7 else [self.line(player, chance)]:
                login += ["> ", line]
        return login

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return the lines of some scenes, after those by which a new connection comes in as a guest."""
        return [*self._as_guest(chance), *self._scene(chance), *self._scene(chance)]

    def post(self, server: MasterServer, chance: Random) -> bool:
        """Let an operator type a command at the console."""
        obey, players = server.operator_commands, [str(session.key).capitalize() for session in server.sessions]
        if obey is None or server.is_closing or not self._accounts():
            return False
        names = [name for name in self._accounts() if name in players]
        line = self._fill(chance.choice(_CONSOLE), chance, names)

        async def type_it() -> None:
            if (answer := obey(ConsoleOperator(), line)) is not None:
                await answer

        server.start_soon(type_it)
        return True

    def _as_guest(self, chance: Random) -> list[str]:
        return ["guest", chance.choice(_GUESTS)]

    def _scene(self, chance: Random) -> list[str]:
        """Return the lines of any scene, or some verbs; a letter has a mark that no other one has."""
        self._marks += 1
        scene = chance.choice(_SCENES) if chance.random() < 0.7 else chance.choices(_VERBS, k=4)
        return [self._fill(line, chance) for line in scene]

    def _fill(self, line: str, chance: Random, names: Sequence[str] = ()) -> str:
        who = chance.choice(names or self._accounts() or NAMES).lower()
        mark = f"#{self._trace.plan.life}.{self._marks}"
        return line.replace("{who}", who).replace("{mark}", mark)

    def _accounts(self) -> Sequence[str]:
        """Return the names that have an account."""
        world = self._trace.server.world
        if not isinstance(world, World):
            return ()
        return [name for name in NAMES if inside.is_on_disk(world.store, ("account", name.lower()))]

    def _is_in(self, player: SimulatedPlayer) -> bool:
        """Return True if a player is in the game."""
        found = [each for each in self._trace.server.connections if each.address == player.address]
        return bool(found) and found[0].session is not None


def judge(kept: WorldState) -> Iterator[str]:
    """Yield every letter and note that is kept twice: delivered twice, or delivered and still a draft."""
    found = Counter(mark for place in kept.rows for text in _written(kept, place) for mark in _marks(text))
    yield from (f"{mark} is kept {count} times" for mark, count in sorted(found.items()) if count > 1)


def judge_step(before: WorldState, after: WorldState) -> Iterator[str]:
    """Yield every letter and note that was lost between two moments of the world.

    One letter at a time is thrown away, with all marks in it, and the oldest note gets off a full board. A draft
    becomes a letter or a note in one step, or is dropped because its reader ignores the writer.
    """
    changed = [place for place, row in before.rows.items() if after.rows.get(place) is not row]
    lost_from = {place: marks for place in changed if (marks := _marks(*_written(before, place)))}
    if not lost_from:
        return
    kept = _marks(*(data.decode() for _, data, _ in after.rows.values()))
    for place, marks in lost_from.items():
        written, later = _written(before, place), _written(after, place)
        is_discarded = place[0] == "mailbox" and place in after.rows and len(later) == len(written) - 1
        is_off_the_board = len(later) == len(written) == _MOST_NOTES
        lost = marks - kept
        texts = {text for text in written if lost & _marks(text)}
        if lost and not (len(texts) == 1 and (is_discarded or is_off_the_board)) and not _is_ignored(place, after):
            yield f"{sorted(lost)} of {place} is nowhere any more"


def _is_ignored(place: Place, state: WorldState) -> bool:
    """Return True if this is the body of a player whom another one ignores."""
    account = _fields(state, place).get("account")
    return any(account in _fields(state, other).get("ignored", ()) for other in state.rows if other[0] == place[0])


def _marks(*texts: str) -> set[str]:
    return {mark for text in texts for mark in _MARK.findall(text)}


def _written(state: WorldState, place: Place) -> list[str]:
    """Return the texts of players in a record: the letters of a mailbox, the notes of a board, the drafts of a body."""
    fields = _fields(state, place)
    texts = [each["text"] for name in ("letters", "notes") for each in fields.get(name, ())]
    return [*texts, *(fields[name] for name in ("draft", "letter_draft") if fields.get(name))]


def _fields(state: WorldState, place: Place) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(state.rows[place][1]) if place in state.rows else {}
    return fields
