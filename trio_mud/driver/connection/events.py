"""The events of one connection. Each docstring is a promise; no other timing is guaranteed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.events import Cause, HookEvent, Reason

if TYPE_CHECKING:
    from ...telnet import InterruptKind, Json, MsdpValue
    from .connection import Connection

    Subject = Connection  # what an event of this module is about; its parts know it by this name only


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
