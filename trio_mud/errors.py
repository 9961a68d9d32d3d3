"""Every exception that this package raises on purpose.

    TrioMudError
    ├── LocalProtocolError      this side broke a protocol's rules: a bug here, or in the code that called
    ├── SessionInUse            the session of that key is live, and the policy was to refuse
    ├── InvalidToken            the token resumes no session: it was used, is too old, or was never issued
    ├── ConnectionEnded         the connection is over; nothing more can be asked of it
    ├── WouldDeadlock           a hook asked its own source for a line, which would come only after that hook
    ├── NoAnswer                a player was asked again and again, and gave no answer that fits
    ├── Overloaded              too much is waiting already; the new part was not taken
    ├── StorageError            storage cannot do what was asked of it
    │   ├── DuplicateKey        the key, or the value of a unique field, is in use by another record
    │   ├── NotSaved            changes could not be written in time; they stay in memory and are retried
    │   ├── UnreadableRecord    a stored row cannot be loaded; it stays in the database as it is
    │   ├── ChangedInPlace      a list or dict of a record was changed without a word to the store
    │   └── CannotOpenStorage   the database cannot be used; nothing was started
    └── ConfigurationError      a setting is wrong; nothing was started

What a peer sends is no exception: its faults are events of the engine, counted against `limits.max_anomalies`.
A message says what happened, to whom, and what to do about it.
Who uses it: whoever catches; the classes hold no logic.
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
    "InvalidToken",
    "LocalProtocolError",
    "NoAnswer",
    "NotSaved",
    "Overloaded",
    "SessionInUse",
    "StorageError",
    "TrioMudError",
    "UnreadableRecord",
    "WouldDeadlock",
]


class TrioMudError(Exception):
    """The base of all; catch it to catch whatever this package raises on purpose."""


class LocalProtocolError(TrioMudError):
    """This side asked for something that the protocol forbids at this moment; correct the caller."""


class SessionInUse(TrioMudError):
    """Somebody is in the game under this key, and the policy was to refuse; ask, or take over."""


class InvalidToken(TrioMudError):
    """This token was never given, was used, is too old, or its session is over; log in instead."""


class ConnectionEnded(TrioMudError):
    """The connection's ending is decided; it gives no more lines and takes no more work.

    Nothing needs to be undone: the disconnect event follows, or has been handled already.

    Attributes:
        reason: The `Reason` that its disconnect event carries; `None` where that is not known.
    """

    def __init__(self, message: str, reason: Enum | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class WouldDeadlock(TrioMudError):
    """A hook function asked for a line of its own source, whose next event waits for that very function.

    Start a dialog instead: `connection.start_dialog(script)` asks from a task of its own.
    """


class NoAnswer(TrioMudError):
    """A player was asked again and again, and gave no answer that fits; go on without.

    A script that lets it pass ends, and the player reads `texts.no_answer`.
    """


class Overloaded(TrioMudError):
    """More is waiting than the limit allows, and the new part was not taken; try later, or do less."""


class StorageError(TrioMudError):
    """Storage cannot do what was asked of it; the message says what to do."""


class DuplicateKey(StorageError):
    """Another record has this key, or this value of a unique field; choose another one."""


class NotSaved(StorageError):
    """Changes could not be written in time. They stay in memory, and the store keeps retrying."""


class UnreadableRecord(StorageError):
    """A stored row does not fit its class, or is damaged. It stays in the database as it is."""


class ChangedInPlace(StorageError):
    """A list, dict or set of a record was changed in place; assign the field, or call `store.changed(record)`."""


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
