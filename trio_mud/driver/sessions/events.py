"""The events of one session, in the order in which they occur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.events import Cause, HookEvent, Reason

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True, slots=True)
class SessionStarted(HookEvent):
    """A session began: `server.sessions.enter` created it. Comes before its connection's next `Input`."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionRestored(HookEvent):
    """A session of a world that has died goes on in this one. The first event of the session here.

    The functions have to set `session.body`, for instance to the character whose key is `session.key`.
    Comes before the next `Input` of its connection; `session.connection` is None if the link is dead.
    In a game without a function for this event, the players of a world that has died begin at the door again.
    `name` is the name that its connection had.
    """

    session: Session
    name: str = ""


@dataclass(frozen=True, slots=True)
class LinkLost(HookEvent):
    """The session's link is dead, and its player may return until the grace is over.

    Comes after the connection's own `Disconnect`, unless another connection took over before that was handled.
    """

    session: Session


@dataclass(frozen=True, slots=True)
class SessionResumed(HookEvent):
    """The player has returned or has taken over from another connection. Comes before the connection's next `Input`.

    Output that was missed meanwhile has been sent already.
    `took_over` is True if the session was taken from a live connection, in which case no `LinkLost` preceded.
    """

    session: Session
    took_over: bool = False


@dataclass(frozen=True, slots=True)
class SessionEnded(HookEvent):
    """The session is over. Its last event, exactly one for each `SessionStarted`, in whichever world.

    `reason` is `QUIT` if the game or the server ended it. It is `LINKDEATH` if the player did not return in time, or
    if the session could not wait because `limits.max_link_dead` or `limits.max_link_dead_per_address` was reached.
    `cause` is `EXPIRED` only after a grace.
    """

    session: Session
    reason: Reason
    cause: Cause
