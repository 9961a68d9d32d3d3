"""Names that were changed: an old name is refused, and the error text gives the new one.

Used by `trio_mud` for its public names, by `Limits` and the configuration file, and by classes with renamed members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar

__all__ = ["RENAMED", "new_name_of", "refuse_old_attributes"]

T = TypeVar("T")

RENAMED: Final[Mapping[str, str]] = {
    # public classes, since 0.2
    "trio_mud.BadToken": "trio_mud.InvalidToken",
    "trio_mud.Entered": "trio_mud.SessionStarted",
    "trio_mud.KeyTaken": "trio_mud.SessionInUse",
    "trio_mud.Left": "trio_mud.SessionEnded",
    "trio_mud.Resumed": "trio_mud.SessionResumed",
    "trio_mud.Settled": "trio_mud.ClientReady",
    "trio_mud.WaitsForItself": "trio_mud.WouldDeadlock",
    # attributes and methods
    "Client.is_settled": "Client.is_ready",
    "Client.prefer_no_more": "Client.clear_preference",
    "Connection.idle": "Connection.idle_seconds",
    "Connection.refused": "Connection.is_refused",
    "Dialog.settled": "Dialog.client_ready",
    # limits
    "limits.anomalies": "limits.max_anomalies",
    "limits.batch": "limits.batch_size",
    "limits.cleanup": "limits.cleanup_timeout",
    "limits.connections": "limits.max_connections",
    "limits.dead_peer": "limits.dead_peer_timeout",
    "limits.drain": "limits.shutdown_timeout",
    "limits.first_input": "limits.first_input_timeout",
    "limits.handshake": "limits.handshake_timeout",
    "limits.hook_deadline": "limits.hook_timeout",
    "limits.idle": "limits.idle_timeout",
    "limits.keepalive": "limits.keepalive_interval",
    "limits.line": "limits.max_line",
    "limits.linger": "limits.linger_timeout",
    "limits.outbox": "limits.max_output",
    "limits.per_address": "limits.max_per_address",
    "limits.posts": "limits.max_posts",
    "limits.quit_flush": "limits.quit_timeout",
    "limits.replay": "limits.max_replay",
    "limits.subnegotiation": "limits.max_subnegotiation",
    "limits.typeahead": "limits.max_typeahead",
    "limits.watchdog": "limits.watchdog_timeout",
    "limits.watchdog_abort": "limits.watchdog_abort_timeout",
    "limits.write_stall": "limits.write_stall_timeout",
}


def new_name_of(old: str) -> str:
    """Return a sentence with the new name of an old one, or "" if the name was not changed.

    Args:
        old: With its module, class or table: "trio_mud.Settled", "Connection.idle", "limits.connections".
    """
    return f"{old} is called {RENAMED[old]} since 0.2" if old in RENAMED else ""


def refuse_old_attributes(owner: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator that gives a class a descriptor for each of its old names, which refuses it.

    Not a `__getattr__`: in a class that has one, Python reads every attribute four times as slowly. `help` shows the
    old names with their sentences, and `dir` of an instance does not.
    """
    names = {name: f"{owner}.{name}" for of, name in (old.split(".") for old in RENAMED) if of == owner}

    def decorate(cls: type[T]) -> type[T]:
        for name, old in names.items():
            setattr(cls, name, _OldName(name, new_name_of(old)))
        cls.__dir__ = lambda self: [name for name in object.__dir__(self) if name not in names]  # type: ignore[method-assign]
        return cls

    return decorate


class _OldName:
    """An attribute that is not there, with the sentence of its error."""

    def __init__(self, name: str, sentence: str) -> None:
        self._name = name
        self._sentence = self.__doc__ = sentence

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(self._sentence, name=self._name, obj=instance)

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(self._sentence, name=self._name, obj=instance)
