"""The events of one session, in the order of its stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.events import Cause, HookEvent, Reason

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True, slots=True)
class Entered(HookEvent):
    """A stay began: `server.sessions.enter` made this session. Comes before its connection's next `Input`."""

    session: Session


@dataclass(frozen=True, slots=True)
class LinkLost(HookEvent):
    """The session's link is dead, and its player may return until the grace is over.

    Comes after the connection's own `Disconnect`; not if somebody has taken over before that was handled.
    """

    session: Session


@dataclass(frozen=True, slots=True)
class Resumed(HookEvent):
    """The player is back, or has taken over from another connection. Comes before the new connection's next `Input`.

    What was written meanwhile has been sent already.
    `took_over` is True if the session was taken from a connection that served it, so that no `LinkLost` came before.
    """

    session: Session
    took_over: bool = False


@dataclass(frozen=True, slots=True)
class Left(HookEvent):
    """The stay is over; the session's last event, exactly one for each `Entered`.

    `reason` is `QUIT` if somebody decided it, `LINKDEATH` if nobody came back in time, or if the session could not wait
    because `limits.max_link_dead` or `limits.max_link_dead_per_address` was reached; `cause` is `EXPIRED` only after
    a grace.
    """

    session: Session
    reason: Reason
    cause: Cause
