"""What can happen: the events that hooks run for, and the two words that say why a connection ended.

An event is a small immutable object.
Its docstring is its promise; nothing else about the moment it comes is guaranteed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..telnet import InterruptKind, Json, MsdpValue
    from .connection import Connection
    from .server import MasterServer
    from .session import Session
    from .timers import Timer


class Reason(enum.Enum):
    """How a connection ended, in the one word that games decide by."""

    QUIT = "quit"
    """The server or the game ended it; its last words were flushed."""
    LINKDEATH = "linkdeath"
    """The link is gone; nothing more was written."""
    REFUSED = "refused"
    """It was never admitted."""


class Cause(enum.Enum):
    """What exactly ended a connection; every cause belongs to one reason."""

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

    @property
    def reason(self) -> Reason:
        """The reason this cause belongs to."""
        return self.value[0]

    def __str__(self) -> str:
        return self.value[1]


class HookEvent:
    """Something happened. A game derives its own events, as frozen dataclasses, and posts them: `MasterServer.post`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Started(HookEvent):
    """The server runs: the first event of all. Nobody is accepted before its functions have run.

    A function that raises, or waits longer than `limits.hook_deadline`, ends `serve` with that error.
    """

    server: MasterServer


@dataclass(frozen=True, slots=True)
class Connect(HookEvent):
    """Somebody is at the door; any function may `connection.refuse(text)`.

    Exactly one for every connection that passed its transport's handshake.
    What is written now, and the dialogs started now, are held until all functions have run:
    after a refusal they are dropped, and the first refusal's text is all that the visitor reads.
    A function that raises, or waits longer than `limits.hook_deadline`, refuses.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class Admitted(HookEvent):
    """Nobody refused: the connection is on the list. Its next event after `Connect`, before any `Input`."""

    connection: Connection


@dataclass(slots=True, unsafe_hash=True)  # immutable by custom: to freeze it would add 0.3 us to each line
class Input(HookEvent):
    """One line was typed, without its ending, escapes and control characters.

    Lines come in the order typed, after `Admitted` and before `Disconnect`, never outside.
    Lines that a dialog asked for raise no `Input`.
    """

    connection: Connection
    line: str


@dataclass(frozen=True, slots=True)
class WindowSize(HookEvent):
    """The client told the size of its window, in characters; `connection.client.size` holds it already."""

    connection: Connection
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Settled(HookEvent):
    """The client has told what it is, or has had a second to: `connection.client` is as good as it gets at first.

    Once for each admitted connection that lives so long. A game that begins here knows the client's width, colours
    and screen reader before its first screen; in a dialog, `await dialog.settled()` waits for the same.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class GmcpMessage(HookEvent):
    """The client sent a message of GMCP, other than those of `Core`, which the driver handles.

    In turn with the lines. Nothing in the data is to be trusted, not even its shape, and its texts are not cleaned.
    `package` is spelt as it was sent: compare `package.lower()`. Passwords come this way, so data does not show.
    """

    connection: Connection
    package: str
    data: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class MsdpMessage(HookEvent):
    """The client sent a variable by MSDP, or asks for one that it was not told yet (`REPORT`, `SEND`)."""

    connection: Connection
    variable: str
    value: MsdpValue = field(repr=False)


@dataclass(frozen=True, slots=True)
class Interrupt(HookEvent):
    """The player pressed a key of the client's that is to stop what goes on, such as ^C."""

    connection: Connection
    kind: InterruptKind


@dataclass(frozen=True, slots=True)
class EchoRefused(HookEvent):
    """The client does not hide what is typed, although `hide_input` asked for it, so a password may show.

    It refused, did not answer in time, or agreed and took that back before the input was shown again.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class Disconnect(HookEvent):
    """It is over; the connection is off the list, and nothing more is read from it or written to it.

    Exactly one for every `Connect`, and the connection's last event.
    `reason` is `REFUSED` if and only if it was never admitted.
    """

    connection: Connection
    reason: Reason
    cause: Cause
    text: str


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


@dataclass(frozen=True, slots=True)
class Tick(HookEvent):
    """A timer is due. The driver's own: its one function is the timer's."""

    timer: Timer
    function: Callable[[], object]
    connection: Connection | None
