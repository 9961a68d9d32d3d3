"""The end of an account, and a copy of all that is stored of it.

A deleted account is hidden at once, and destroyed after a number of daily runs. Runs are counted, not dates: a wall
clock that jumps ahead by a year destroys nothing.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from trio_mud.errors import StorageError
from trio_mud.storage import Record, Store
from trio_mud.storage.record import is_live
from trio_mud.storage.schema import family_of

from .account import Account, Name
from .tokens import void_tokens

__all__ = ["AUDIT", "days_left", "destroy_due", "export_account", "mark_deleted", "unmark_deleted"]

AUDIT: Final = "audit"  # the log
DELETIONS: Final = "trio_mud.deletions"  # the value: days left, by the key of the account
HIDDEN: Final = frozenset({"password", "recovery", "recovery_issued", "tokens", "known", "salt"})
MOST_ENTRIES: Final = 10_000  # of the audit, searched for an export

logger = logging.getLogger("trio_mud")


def mark_deleted(store: Store, account: Account, days: int) -> None:
    """Hide the account, and have it destroyed after this many daily runs."""
    account.is_deleted = True
    void_tokens(account)
    store.set_value(DELETIONS, store.value(DELETIONS, {}) | {account.key: days})
    store.log(AUDIT, event="account deleted", account=account.key)


def unmark_deleted(store: Store, account: Account) -> None:
    """Take a deletion back."""
    account.is_deleted = False
    store.set_value(DELETIONS, {key: days for key, days in store.value(DELETIONS, {}).items() if key != account.key})
    store.log(AUDIT, event="deletion taken back", account=account.key)


def days_left(store: Store, account: Account) -> int:
    """Return how many daily runs are left before the account is destroyed."""
    days: int = store.value(DELETIONS, {}).get(account.key, 0)
    return days


async def destroy_due(store: Store, kinds: Sequence[type[Record]], is_played: Callable[[Account], bool]) -> list[str]:
    """Count a day, and destroy the accounts whose time is over; return their keys.

    Args:
        store: The store.
        kinds: The classes that have a record for each character, under its key.
        is_played: True if the account is in use, and must stay for another day.
    """
    left: dict[str, int] = {key: max(0, days - 1) for key, days in store.value(DELETIONS, {}).items()}
    due = [key for key, days in left.items() if days <= 0]
    store.set_value(DELETIONS, left)
    destroyed = []
    for key in due:
        try:
            account = await store.load(Account, key)
            if account is not None and account.is_deleted:
                if not await _destroy(store, kinds, account, is_played):
                    continue
                destroyed.append(key)
        except StorageError as error:  # it costs this account, and no other
            logger.error("the deleted account %r is not destroyed today: %s", key, error)  # noqa: TRY400
            continue
        waiting = store.value(DELETIONS, {})
        store.set_value(DELETIONS, {other: days for other, days in waiting.items() if other != key})
    return destroyed


async def _destroy(
    store: Store, kinds: Sequence[type[Record]], account: Account, is_played: Callable[[Account], bool]
) -> bool:
    """Remove the account, its characters and what is stored with them; return False if it is in use.

    All is removed in one step, since its owner may take the deletion back while characters are read. The names stay,
    so that they stay taken.
    """
    characters, found = account.characters, list[Record]()
    for key in characters:
        for kind in kinds:
            found += await _belongings(store, kind, key)
    if is_played(account) or not account.is_deleted or account.characters != characters:
        return False
    for record in (*found, account):
        store.remove(record)
    store.log(AUDIT, event="account destroyed", account=account.key)
    return True


async def export_account(store: Store, kinds: Sequence[type[Record]], account: Account) -> dict[str, Any]:
    """Return all that is stored of an account, as JSON has it, without its hash, tokens, codes and addresses."""
    characters = {
        key: [_fields(each) for kind in kinds for each in await _belongings(store, kind, key)]
        for key in account.characters
    }
    entries = await store.entries(AUDIT, MOST_ENTRIES)
    return {
        "account": {name: value for name, value in _fields(account).items() if name not in HIDDEN},
        "names": [name for name in (account.key, *account.characters) if await store.load(Name, name) is not None],
        "characters": characters,
        "audit": [{"at": at, **entry} for at, entry in entries if entry.get("account") == account.key],
    }


async def _belongings(store: Store, kind: type[Record], key: str) -> list[Record]:
    """Return the record of a character, or one beside it, and all records that are stored with that."""
    character = await store.hold(kind, key)
    if character is None:
        return []
    try:
        return [record for record in store.all(_root(kind)) if record.stored_with() == key or record is character]
    finally:
        store.release(character)


def _root(kind: type[Record]) -> type[Record]:
    """Return the class that declares the family of this one: all records of the family derive from it."""
    below = [base for base in kind.__mro__ if issubclass(base, Record) and base is not Record]
    return [base for base in below if family_of(base) == family_of(kind)][-1]


def _fields(record: Record) -> dict[str, Any]:
    stored = (field.name for field in dataclasses.fields(record) if not is_live(field))
    return {name: _plain(getattr(record, name)) for name in stored}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.key
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
