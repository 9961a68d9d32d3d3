"""Every exception that this package raises on purpose.

Their tree::

    TrioMudError
    ├── LocalProtocolError      this side broke a protocol's rules: a bug here or in the caller
    ├── SessionInUse            the session of that key is live, and the policy was to refuse
    ├── InvalidToken            the token resumes no session: it was used, has expired, or was never issued
    ├── ConnectionEnded         the connection has ended, and accepts no further request
    ├── WouldDeadlock           a hook asked its own source for a line, which can come only after that hook
    ├── NoAnswer                a player gave no valid answer to a question that was repeated
    ├── Overloaded              a queue is full, and the new item was not accepted
    ├── TooManyTries            too many wrong passwords came from that address, or for that account
    ├── StorageError            storage cannot fulfil a request
    │   ├── DuplicateKey        the key, or the value of a unique field, is in use by another record
    │   ├── NotSaved            changes could not be written in time; they stay in memory and are retried
    │   ├── UnreadableRecord    a stored row cannot be loaded; it stays in the database as it is
    │   ├── ChangedInPlace      a list or dict of a record was changed without a notice to the store
    │   ├── Superseded          another server has taken over the database, and nothing was written
    │   └── CannotOpenStorage   the database cannot be used; nothing was started
    ├── ReloadFailed            the new code of a game cannot take over; the old code goes on
    └── ConfigurationError      a setting is wrong; nothing was started
        └── MapError            a map of a world is wrong; nothing was started

A peer's faults raise no exception: they are events of the engine, counted against `limits.max_anomalies`.
A message states what happened, to which object, and the remedy. The classes hold no logic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import Enum

__all__ = [
    "CannotOpenStorage",
    "ChangedInPlace",
    "ConfigurationError",
    "ConnectionEnded",
    "DuplicateKey",
    "EntryRefused",
    "InvalidToken",
    "LocalProtocolError",
    "MapError",
    "NoAnswer",
    "NotSaved",
    "Overloaded",
    "ReloadFailed",
    "SessionInUse",
    "StorageError",
    "Superseded",
    "TooManyTries",
    "TrioMudError",
    "UnreadableRecord",
    "WouldDeadlock",
]


class TrioMudError(Exception):
    """The base class of all exceptions that this package raises on purpose."""


class LocalProtocolError(TrioMudError):
    """The caller requested something that the protocol forbids at this moment; correct the caller."""


class SessionInUse(TrioMudError):
    """The session of this key is live, and the policy was to refuse; ask the player, or take over."""


class InvalidToken(TrioMudError):
    """The token was never issued, was used, has expired, or its session has ended; log in instead."""


class ConnectionEnded(TrioMudError):
    """The connection has ended or is ending: it yields no further lines and accepts no further work.

    Nothing needs to be undone: the disconnect event follows, or was handled already.

    Attributes:
        reason: The `Reason` of its disconnect event; None if it is not known.
    """

    def __init__(self, message: str, reason: Enum | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class WouldDeadlock(TrioMudError):
    """A hook function asked for a line of its own source, whose next event waits for that function.

    Start a dialog instead: `connection.start_dialog(script)` asks from a task of its own.
    """


class NoAnswer(TrioMudError):
    """The player gave no valid answer to a question that was repeated; continue without an answer.

    If a script does not catch it, the script ends and the player reads `texts.no_answer`.
    """


class Overloaded(TrioMudError):
    """A queue has reached its limit, and the new item was not accepted; try later, or do less."""


class TooManyTries(TrioMudError):
    """Too many wrong passwords came from this address or for this account; wait, and try again.

    Attributes:
        seconds: The time to wait.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class EntryRefused(TrioMudError):
    """This account may not enter the game now, perhaps because of a ban; the message is for its player."""


class ReloadFailed(TrioMudError):
    """The new code of a game cannot take over. Nothing has changed, and the old code goes on."""


class StorageError(TrioMudError):
    """Storage cannot fulfil a request; the message gives the reason and the remedy."""


class DuplicateKey(StorageError):
    """Another record has this key, or this value of a unique field; choose another one."""


class NotSaved(StorageError):
    """Changes could not be written in time. They stay in memory, and the store keeps retrying."""


class UnreadableRecord(StorageError):
    """A stored row does not fit its class, or is damaged. It stays in the database as it is."""


class ChangedInPlace(StorageError):
    """A list, dict or set of a record was changed in place; assign the field, or call `store.changed(record)`."""


class Superseded(StorageError):
    """Another server has taken over the database: nothing was written. Stop this one."""


class CannotOpenStorage(StorageError):
    """The database is damaged, in use, out of reach or written by newer code; nothing was started.

    Attributes:
        status: The exit status of a program that ends for it: 75 if it may work later, else 1.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class ConfigurationError(TrioMudError):
    """A setting is missing, unknown or wrong; the message names it, and nothing was started."""


class MapError(ConfigurationError):
    """A map cannot be read, or is wrong; the message names the file, the table and the key."""
