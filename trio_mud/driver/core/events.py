"""The base class of all events, and the reason and cause of an ending.

Each event class is defined beside its subject: those of a connection in `connection.events`, of a session in
`sessions.events`, of the server in `server.events`, of a timer in `timers`.
"""

from __future__ import annotations

import enum


class Reason(enum.Enum):
    """How a connection ended: one of three, so that a game can decide by it."""

    QUIT = "quit"
    """The server or the game ended it; its last words were flushed."""
    LINKDEATH = "linkdeath"
    """The link was lost; nothing more was written."""
    REFUSED = "refused"
    """It was never admitted."""


class Cause(enum.Enum):
    """The exact cause of an ending; every cause belongs to one reason.

    Attributes:
        reason: The reason this cause belongs to.
    """

    ASKED = (Reason.QUIT, "asked")
    KICKED = (Reason.QUIT, "kicked")
    BANNED = (Reason.QUIT, "banned")
    IDLE = (Reason.QUIT, "idle")
    LOGIN_DEADLINE = (Reason.QUIT, "login deadline")
    TAKEOVER = (Reason.QUIT, "takeover")
    SHUTDOWN = (Reason.QUIT, "shutdown")
    FLOOD = (Reason.QUIT, "flood")
    PROTOCOL = (Reason.QUIT, "protocol abuse")
    ERROR = (Reason.QUIT, "error")

    EOF = (Reason.LINKDEATH, "end of file")
    RESET = (Reason.LINKDEATH, "reset")
    WRITE_STALL = (Reason.LINKDEATH, "write stall")
    DEAD_PEER = (Reason.LINKDEATH, "dead peer")
    CANCELLED = (Reason.LINKDEATH, "cancelled")
    EXPIRED = (Reason.LINKDEATH, "grace over")

    VETOED = (Reason.REFUSED, "vetoed")
    HOOK_FAILED = (Reason.REFUSED, "hook failed")
    HOOK_TOO_SLOW = (Reason.REFUSED, "hook too slow")
    FULL = (Reason.REFUSED, "full")
    TOO_MANY = (Reason.REFUSED, "too many from here")

    reason: Reason

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        self._text = text

    def __str__(self) -> str:
        return self._text


class HookEvent:
    """The base class of all events.

    A game derives its own as frozen dataclasses and queues them by `MasterServer.post`.
    """

    __slots__ = ()
