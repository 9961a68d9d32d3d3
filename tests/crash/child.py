"""The process that is killed: players trade, log and save until then; each save that returned is written to stdout.

python -m tests.crash.child URL SEED
"""

from __future__ import annotations

import os
import random
import sys

import trio

from trio_mud.storage import Record, Store, backend_of, open_store
from trio_mud.storage import transaction as slices

PURSES = 200
GOLD = 100  # in each purse at first
SAVERS = 30
BATCH = 5  # trades between two saves


class SavedPurse(Record, family="purse", resident=True):
    """Holds money that is never made and never lost."""

    gold: int = 0
    turn: int = 0


async def main(url: str, seed: int) -> None:
    """Trade until killed."""
    slices.SLICE_RECORDS = 16  # so that much happens between two slices
    chance = random.Random(seed)
    async with open_store(backend_of(url), SavedPurse, interval=0.02) as store:
        if store.get(SavedPurse, "p0") is None:
            for number in range(PURSES):
                store.add(SavedPurse(gold=GOLD), f"p{number}")
            await store.saved(within=60)
        first = store.value("turn", 0) + 1
        os.write(1, b"ready\n")
        async with trio.open_nursery() as nursery:
            for number in range(SAVERS):
                nursery.start_soon(play, store, number, first, chance)


async def play(store: Store, number: int, turn: int, chance: random.Random) -> None:
    """Trade, save, say so; for ever."""
    mine = store.get(SavedPurse, f"p{number}")
    assert mine is not None
    while True:
        for _ in range(BATCH):
            await trio.sleep(0.001 if chance.random() < 0.1 else 0)
            trade(store, mine, chance)
        mine.turn = turn
        store.log("audit", who=number, turn=turn)
        store.set_value("turn", max(turn, store.value("turn", 0)))
        await store.saved(within=60)
        os.write(1, b"%d %d\n" % (number, turn))
        turn += 1


def trade(store: Store, mine: SavedPurse, chance: random.Random) -> None:
    """Pay another one, put money into a new purse, or empty one: each in one step."""
    other = store.get(SavedPurse, f"p{chance.randrange(PURSES)}")
    assert other is not None
    mine.gold -= 1
    other.gold += 1
    key = f"loose-{chance.randrange(20)}"
    loose = store.get(SavedPurse, key)
    if chance.random() < 0.2:
        if loose is None:
            store.add(SavedPurse(gold=2), key)
            mine.gold -= 2
        else:
            other.gold += loose.gold
            store.remove(loose)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
