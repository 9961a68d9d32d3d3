"""Names that were changed: an old name is refused, and the error text gives the new one.

Used by `trio_mud` for its public names, by `Limits` and the configuration file, and by classes with renamed members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NoReturn

__all__ = ["RENAMED", "new_name_of", "refuse_old_attributes"]

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


def refuse_old_attributes(owner: str) -> Callable[[object, str], NoReturn]:
    """Return a `__getattr__` for a class; Python calls it only for names that the class does not have."""

    def __getattr__(self: object, name: str) -> NoReturn:  # noqa: N807 - it becomes that method
        sentence = new_name_of(f"{owner}.{name}") or f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(sentence, name=name, obj=self)

    return __getattr__
