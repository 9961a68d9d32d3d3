"""A bank: gold goes from purse to purse, each payment is noted, and the books tell whether one was lost or made twice.

Used by `test_money` in virtual time, and by `redis.money` with processes that are killed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trio_mud import Hooks, Input
from trio_mud.storage import Record
from trio_mud.storage.rows import Row
from trio_mud.world import Game, World

PURSES = 40
GOLD = 100  # in each purse at first


class BankPurse(Record, family="purse", resident=True):
    gold: int = GOLD


class PaymentLedger(Record, family="ledger", resident=True):
    """The payments of one player, as they took effect."""

    lines: tuple[int, ...] = ()


def bank(world: World) -> Hooks:
    """A game in which each line `ann 17 0 3 5` is the payment 17 of Ann, of 5 gold from purse 0 to purse 3."""
    hooks, store = Hooks(), world.store
    for number in range(PURSES):
        if store.get(BankPurse, str(number)) is None:
            store.add(BankPurse(), str(number))

    @hooks.on(Input)
    def pay(event: Input) -> None:
        name, number, source, target, gold = event.line.split()
        giver, taker = store.get(BankPurse, source), store.get(BankPurse, target)
        ledger = store.get(PaymentLedger, name) or store.add(PaymentLedger(), name)
        assert giver is not None
        assert taker is not None
        giver.gold -= int(gold)
        ledger.lines = (*ledger.lines, int(number))
        taker.gold += int(gold)
        event.connection.write(f"ok {number}")

    return hooks


BANK = Game(bank, records=(BankPurse, PaymentLedger))


def payment(name: str, number: int, dice: random.Random) -> str:
    """Return the line of a random payment."""
    source, target = dice.sample(range(PURSES), 2)
    return f"{name} {number} {source} {target} {dice.randrange(1, 9)}"


def audit(rows: Iterable[Row], payments: Mapping[str, Sequence[int]]) -> None:
    """Check that every payment is in the database once, in order, and that no gold came or went."""
    found = {(row.family, row.key): msgspec.json.decode(row.data) for row in rows}
    assert sum(fields.get("gold", GOLD) for (family, _), fields in found.items() if family == "purse") == PURSES * GOLD
    for name, numbers in payments.items():
        assert found["ledger", name]["lines"] == list(numbers)
