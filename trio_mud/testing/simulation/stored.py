"""A game with records for simulated players: purses whose money is never made and never lost, and a log of payments.

Used by `games`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from ...driver.connection.events import Admitted, Disconnect, Input
from ...driver.core.hooks import Hooks
from ...errors import NotSaved
from ...storage import Record, Store, Stored
from ...world import Game, World
from .by_words import PlayedByWords, StoredRecords
from .players import SimulatedPlayer
from .trace import Trace

PURSES: Final = 6
GOLD: Final = 100  # in each purse at first
LOOSE: Final = 3  # keys of purses that come and go
WORDS: Final = ("pay", "pay", "make", "empty", "empty", "note", "deposit", "withdraw", "save", "save", "look", "quit")


class Purse(Record, family="purse", resident=True):
    """Some money. Fields that change together show a purse of two moments."""

    gold: int = 0
    turn: int = 0
    notes: list[int] = []  # noqa: RUF012  copied for each record


class Deposit(Record, family="deposit"):
    """Money that is in memory only while its player is there."""

    gold: int = 0


class StoredGame(PlayedByWords):
    """The game of one run."""

    def __init__(self, trace: Trace) -> None:
        game = Game(self._build, records=(Purse, Deposit))
        super().__init__(game, WORDS)
        self.records = StoredRecords(game, self.act, self.judge)
        self._chance = Random(f"purses {trace.plan.seed}")
        self._store: Store | None = None

    def _build(self, world: World) -> Hooks:
        self._store = store = world.store
        if store.get(Purse, "0") is None:
            for number in range(PURSES):
                store.add(Purse(gold=GOLD), str(number))
        hooks = Hooks()
        hooks.on(Admitted)(self._welcome)
        hooks.on(Input)(self._obey)
        hooks.on(Disconnect)(self._part)
        return hooks

    # The rules of the game: each changes everything that belongs together in one step

    def act(self) -> None:
        """Do one payment; also called between two slices of a transaction."""
        store = self._store
        assert store is not None
        mine, other = (store.get(Purse, str(self._chance.randrange(PURSES))) for _ in range(2))
        assert mine is not None
        assert other is not None
        key = f"loose {self._chance.randrange(LOOSE)}"
        loose = store.get(Purse, key)
        chosen = self._chance.random()
        if chosen < 0.5:
            mine.gold -= 1
            other.gold += 1
            mine.turn = other.turn = max(mine.turn, other.turn) + 1
        elif loose is None:
            mine.gold -= 5
            store.add(Purse(gold=5), key)
        elif chosen < 0.9:
            other.gold += loose.gold
            store.remove(loose)
        else:
            loose.gold += 1
            other.gold -= 1

    async def _welcome(self, event: Admitted) -> None:
        store, key = self._store, f"guest {event.connection.number % 3}"
        assert store is not None
        held = await store.hold(Deposit, key)
        if held is None:
            if store.get(Deposit, key) is None:
                store.add(Deposit(), key)
            held = await store.hold(Deposit, key)
        event.connection.body = held
        event.connection.write("Welcome.")

    def _part(self, event: Disconnect) -> None:
        if isinstance(event.connection.body, Deposit) and self._store is not None:
            self._store.release(event.connection.body)

    async def _obey(self, event: Input) -> None:
        store, deposit = self._store, event.connection.body
        assert store is not None
        purse = store.get(Purse, str(event.connection.number % PURSES))
        if purse is None or not isinstance(deposit, Deposit):
            return
        match event.line:
            case "pay" | "make" | "empty":
                self.act()
            case "note":
                purse.notes = [*purse.notes, purse.turn][-5:]
                store.log("audit", turn=purse.turn)
            case "deposit":
                purse.gold -= 3
                deposit.gold += 3
            case "withdraw":
                purse.gold += deposit.gold
                deposit.gold = 0
            case "save":
                try:
                    await store.saved(within=2)
                except NotSaved:
                    event.connection.write("Not saved.")
                else:
                    event.connection.write("Saved.")
            case "quit":
                event.connection.quit("Bye.")
            case _:
                event.connection.write(f"You have {purse.gold} and {deposit.gold}.")

    def judge(self, stored: Stored) -> Iterator[str]:
        """Yield a sentence if money was made or lost (I-21c)."""
        found = sum(json.loads(row.data).get("gold", 0) for row in stored.rows.values())
        if stored.rows and found != PURSES * GOLD:
            yield f"there were {PURSES * GOLD} pieces of gold, and {found} are stored"

    # What players type

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return nothing: there are no sessions."""
        return ()

    def slow(self, player: SimulatedPlayer) -> Sequence[str]:
        """Return a line that waits for the disk."""
        return ["save"]
