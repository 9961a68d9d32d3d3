"""A game with a store: players trade, create, destroy and save on a database that is slow, fails and is killed.

Money and things are records. Each command moves them in one step, also the async ones: they wait first, or between two
trades. So the sum of all money is the same at every moment, and every thing is listed by the one who holds it. Commands
that trade at every step of their task change records between two slices of a transaction.

It adds these commands to those of the hostile game. `games` uses it; `judge` is its part of the invariants.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, ClassVar, Final

import trio

from ...accounts import Accounts
from ...driver.connection.connection import Connection
from ...driver.connection.events import Admitted, Disconnect, Input
from ...driver.core.hooks import Hooks
from ...driver.server.events import Started
from ...errors import DuplicateKey, NotSaved
from ...storage import Record, Store
from ...world import Game, World
from .by_words import StoredRecords
from .hostile import KEYS, HostileGame
from .played_accounts import LINES, MAP, NAMES, PlayedAccounts, SimulatedHero
from .players import SimulatedPlayer
from .storage_trace import WorldState
from .trace import Trace

TOTAL: Final = 10_000  # gold, in purses and as the worth of things
_THINGS: Final = 4  # keys of things; used again after one is destroyed
_LINES: Final = (
    *("pay", "create", "create", "destroy", "destroy", "give", "give", "swap", "swap", "swap"),
    *("haggle 3", "haggle 9", "haggle 9", "deal 0.1", "deal 1", "tax", "churn 4", "churn 6"),
    *("save", "save", "save 0.3", "escrow", "escrow", "note", "deposit", "deposit"),
)


class Purse(Record, family="purse", resident=True):
    """The money and things of one player, or of the bank."""

    gold: int = 0
    things: tuple[str, ...] = ()
    password: str = ""  # a hash
    turn: int = 0


class Treasure(Record, family="treasure", resident=True):
    """A thing that is worth money."""

    holder: Purse | None = None
    worth: int = 0


class Deposit(Record, family="deposit", index=("owner",)):
    """Money that is in memory only while a player is there."""

    owner: str = ""
    gold: int = 0

    def stored_with(self) -> str:
        """Return its own key, so that it is held and released."""
        return self.key


class StoredGame(HostileGame):
    """The game of one life."""

    more_records: ClassVar[tuple[type[Record], ...]] = ()

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._chance = Random(f"stored {trace.plan.seed} {trace.plan.life}")
        self._store: Store | None = None
        self.hooks.on(Admitted)(self._open_deposit)
        self.hooks.on(Disconnect)(self._close_deposit)
        self._held: dict[int, Deposit] = {}  # by number of connection
        self._played: PlayedAccounts | None = None
        own: tuple[type[Record], ...] = (SimulatedHero, Purse, Treasure, Deposit)
        records = (*Accounts.records, *own, *self.more_records)
        self.records = StoredRecords(Game(self._build, records=records, maps=(MAP,)), judge)

    def _build(self, world: World) -> Hooks:
        self._store = store = world.store
        for key in ("bank", *KEYS):
            if store.get(Purse, key) is None:
                purse = store.add(Purse(gold=TOTAL if key == "bank" else 0), key)
                self.create(purse)
        self._played = PlayedAccounts(self._trace, world)
        self.hooks.include(self._played.hooks)
        return self.hooks

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line about money or things, about the player's account, or one of the hostile game."""
        lines = chance.choices((_LINES, LINES if self._played else _LINES, ()), (45, 30, 25))[0]
        return self._numbered(player, chance.choice(lines)) if lines else super().line(player, chance)

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return a conversation about an account, or the hidden question of the hostile game."""
        if self._played is None or chance.random() < 0.2:
            return super().secret(player, chance)
        return self._played.conversation(player, partial(self._numbered, player), chance)

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return a line that enters a character of an account, or one of the hostile game."""
        is_account = self._played is not None and chance.random() < 0.7
        return [f"play {NAMES[who % 3]}"] if is_account else super().enter(who, chance)

    # Hooks

    def _wind(self, event: Started) -> None:
        super()._wind(event)
        event.server.every(1.3, self.pay_interest)

    def _obey(self, event: Input) -> Awaitable[object] | None:
        first, *words = event.line.split() or [""]
        action = _ACTIONS.get(first)
        if action is None:
            return super()._obey(event)
        self.say(event.connection)
        return action(self, event.connection, words)

    def learn(self, connection: Connection, secret: str) -> None:
        """Store the hash of a password."""
        hashed = hashlib.blake2b(secret.encode(errors="replace"), digest_size=16).hexdigest()
        if self._trace.storage is not None:
            self._trace.storage.hashes.add(hashed)
        self.purse(connection).password = hashed

    async def _open_deposit(self, event: Admitted) -> None:
        number = event.connection.number
        key = f"deposit-{number % 4}"
        found = await self.store.find(Deposit, owner=key)
        if not found and self.store.get(Deposit, key) is None:  # another player may have added it meanwhile
            with suppress(DuplicateKey):
                self.store.add(Deposit(owner=key), key)
        held = await self.store.hold(Deposit, key)
        if held is not None:
            self._held[number] = held

    async def _close_deposit(self, event: Disconnect) -> None:
        held = self._held.pop(event.connection.number, None)
        if held is not None:
            self.store.release(held)
        self.purse(event.connection).turn += 1
        await self.save(0.2)

    # The world

    @property
    def played(self) -> PlayedAccounts:
        """The accounts of the open store."""
        assert self._played is not None
        return self._played

    @property
    def store(self) -> Store:
        """The open store."""
        assert self._store is not None
        return self._store

    def purse(self, connection: Connection) -> Purse:
        """Return the purse of a connection's character."""
        return self.named(KEYS[connection.number % len(KEYS)])

    def named(self, key: str) -> Purse:
        """Return the purse with this key."""
        found = self.store.get(Purse, key)
        assert found is not None
        return found

    def other(self, purse: Purse) -> Purse:
        """Return another purse."""
        return self.named(self._chance.choice([key for key in ("bank", *KEYS) if key != purse.key]))

    def pay(self, giver: Purse, taker: Purse) -> None:
        """Move some gold, in one step."""
        sum_paid = min(giver.gold, self._chance.randint(1, 9))
        giver.gold -= sum_paid
        taker.gold += sum_paid

    def pay_interest(self) -> None:
        """Move gold from the bank to every player, in one step."""
        for key in KEYS:
            self.pay(self.named("bank"), self.named(key))

    def create(self, purse: Purse, key: str = "") -> None:
        """Make a thing out of gold, if its key is free."""
        key = key or f"thing-{self._chance.randrange(_THINGS)}"
        if self.store.get(Treasure, key) is None:
            worth = min(purse.gold, self._chance.randint(1, 50))
            purse.gold -= worth
            self.store.add(Treasure(holder=purse, worth=worth), key)
            purse.things += (key,)

    def destroy(self, purse: Purse) -> str:
        """Turn a thing into gold, of this purse, or of another if it has none; return its key."""
        thing = self.any_thing(purse)
        if thing is None:
            return ""
        holder = self.holder_of(thing)
        holder.things = tuple(key for key in holder.things if key != thing.key)
        holder.gold += thing.worth
        self.store.remove(thing)
        return thing.key

    def give(self, giver: Purse, taker: Purse) -> None:
        """Move a thing to another purse."""
        thing = self.any_thing(giver)
        if thing is not None:
            holder = self.holder_of(thing)
            holder.things = tuple(key for key in holder.things if key != thing.key)
            thing.holder = taker
            taker.things += (thing.key,)

    def any_thing(self, purse: Purse) -> Treasure | None:
        """Return one of the things in a purse, or of all if it is empty; None if there is none."""
        keys = purse.things or tuple(thing.key for thing in self.store.all(Treasure))
        return self.store.get(Treasure, self._chance.choice(keys)) if keys else None

    def holder_of(self, thing: Treasure) -> Purse:
        """Return the purse that a thing is in."""
        assert thing.holder is not None
        return thing.holder

    def trade(self, purse: Purse) -> None:
        """Do one or several things with another purse, in one step."""
        other = self.other(purse)
        for deed in self._chance.sample((self.pay, self.give), self._chance.randint(1, 2)):
            deed(purse, other)
        if self._chance.random() < 0.3:
            self.create(purse)
        if self._chance.random() < 0.3:
            self.destroy(other)

    async def save(self, within: float) -> bool:
        """Return True if everything is acknowledged."""
        try:
            await self.store.saved(within)
        except NotSaved:
            return False
        return True


def judge(kept: WorldState) -> Iterator[str]:
    """Yield what is wrong with the kept rows: money that was made or lost, or a thing that is not at one place."""
    if not kept.rows:
        return  # killed before the first write
    purses, things, deposits = (_fields(kept, family) for family in ("purse", "treasure", "deposit"))
    money = sum(fields.get("gold", 0) for fields in (*purses.values(), *deposits.values()))
    money += sum(thing.get("worth", 0) for thing in things.values())
    if money != TOTAL:
        yield f"{money} gold is kept, and there was {TOTAL}"
    listed = Counter(key for purse in purses.values() for key in purse.get("things", ()))
    if listed != Counter(things.keys()):
        yield f"the purses list {sorted(listed.elements())}, and there are {sorted(things)}"
    for key, thing in things.items():
        if key not in purses.get(thing.get("holder"), {}).get("things", ()):
            yield f"{key} is held by {thing.get('holder')}, which does not list it"


def _fields(kept: WorldState, family: str) -> dict[Any, dict[str, Any]]:
    return {key: json.loads(data) for (of, key), (_, data, _) in kept.rows.items() if of == family}


# Called with the words after the first; the last of them is the line's number, such as #3.7.
Action = Callable[[StoredGame, Connection, Sequence[str]], "Awaitable[object] | None"]


def _pay(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    purse = game.purse(connection)
    game.pay(purse, game.other(purse))


def _create(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    game.create(game.purse(connection))


def _destroy(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    game.destroy(game.purse(connection))


def _give(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    purse = game.purse(connection)
    game.give(purse, game.other(purse))


def _swap(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    """Destroy a thing and make another one, which may get the same key."""
    game.destroy(game.purse(connection))
    game.create(game.purse(connection))


async def _haggle(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    """Trade at every step of this task while another one saves, so that some trades are between two slices."""
    _tax(game, connection, words)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(game.save, 1.0)
        for _ in range(int(words[0])):
            await trio.lowlevel.checkpoint()
            game.trade(game.purse(connection))


async def _churn(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    """Destroy a thing at one step, and make one of the same key at the next, while another task saves."""
    purse = game.purse(connection)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(game.save, 1.0)
        for _ in range(int(words[0])):
            key = game.destroy(game.other(purse))
            _note(game, connection, words)
            await trio.lowlevel.checkpoint()
            game.create(purse, key)


async def _deal(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    await trio.sleep(float(words[0]))
    game.trade(game.purse(connection))


def _tax(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    for key in KEYS:
        game.pay(game.named(key), game.named("bank"))


def _deposit(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    """Move gold into the deposit of the connection, or out of it."""
    held, purse = game._held.get(connection.number), game.purse(connection)
    if held is not None:
        sum_paid = min(purse.gold, 7) if game._chance.random() < 0.6 else -held.gold
        purse.gold -= sum_paid
        held.gold += sum_paid


def _note(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    game.store.log("notes", who=connection.number, note=words[-1])
    game.store.set_value("notes", game.store.value("notes", 0) + 1)


async def _save(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    _note(game, connection, words)
    game.purse(connection).turn += 1
    is_saved = await game.save(float(words[0]) if len(words) > 1 else 5.0)
    game.say(connection, " saved" if is_saved else " not saved")


async def _escrow(game: StoredGame, connection: Connection, words: Sequence[str]) -> None:
    """Trade, and report it when it is on disk."""
    game.trade(game.purse(connection))
    if await game.save(5.0):
        game.say(connection, " sold")


_ACTIONS: Final[dict[str, Action]] = {
    "pay": _pay,
    "create": _create,
    "destroy": _destroy,
    "give": _give,
    "swap": _swap,
    "haggle": _haggle,
    "churn": _churn,
    "deal": _deal,
    "tax": _tax,
    "deposit": _deposit,
    "note": _note,
    "save": _save,
    "escrow": _escrow,
    "play": lambda game, connection, words: game.played.play(connection, words[0]),
    "account": lambda game, connection, words: game.played.log_in(connection, words[-1]),
    "show": lambda game, connection, words: game.played.show_token(connection, words[-1]),
    "change": lambda game, connection, words: game.played.change(connection, words[-1]),
    "delete": lambda game, connection, words: game.played.delete(connection, words[-1]),
    "recover": lambda game, connection, words: game.played.recover(),
    "erase": lambda game, connection, words: game.played.erase(connection),
    "purge": lambda game, connection, words: game.played.purge(),
    "logout": lambda game, connection, words: game.played.log_out(connection),
    "carve": lambda game, connection, words: game.played.carve(connection),
}
