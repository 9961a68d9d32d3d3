"""The events of one connection. Each docstring is a promise; no other timing is guaranteed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.events import Cause, HookEvent, Reason

if TYPE_CHECKING:
    from ...telnet import InterruptKind, Json, MsdpValue
    from .connection import Connection

    Subject = Connection  # the subject of these events; parts of a connection import this name only


@dataclass(frozen=True, slots=True)
class Connect(HookEvent):
    """A connection was accepted; any function may call `connection.refuse(text)`.

    Exactly one is queued for every connection that passed its transport's handshake.
    Texts written and dialogs started now are held until all functions have run.
    After a refusal they are dropped, and only the text of the first refusal is sent.
    A function that raises, or waits longer than `limits.hook_timeout`, refuses the connection.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class Admitted(HookEvent):
    """The connection was not refused and is on the list. Its next event after `Connect`, before any `Input`."""

    connection: Connection


@dataclass(slots=True, unsafe_hash=True)  # not frozen: that would add 0.3 us to each line
class Input(HookEvent):
    """A line was typed; line end, escapes and control characters are removed.

    Lines come in the order typed, after `Admitted` and before `Disconnect`.
    Lines that a dialog asked for are not reported by `Input`.
    """

    connection: Connection
    line: str


@dataclass(frozen=True, slots=True)
class WindowSize(HookEvent):
    """The client reported the size of its window, in characters; `connection.client.size` holds it already."""

    connection: Connection
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class ClientReady(HookEvent):
    """The client has reported its abilities, or has had a second to do so; `connection.client` holds them.

    Queued once for each admitted connection, unless it ends earlier. A game that begins here knows the client's
    width, colours and screen reader before its first screen. In a dialog, `await dialog.client_ready()` waits for the
    same.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class GmcpMessage(HookEvent):
    """The client sent a GMCP message. Messages of the package `Core`, and `Session.Resume`, are handled by the driver.

    Messages come in turn with the lines. The data is not to be trusted: its shape may be wrong, and its texts are
    not cleaned. `package` is spelled as it was sent: compare `package.lower()`.
    Passwords can be sent this way, so the repr leaves the data out.
    """

    connection: Connection
    package: str
    data: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResumeRequested(HookEvent):
    """The client asks by GMCP, `Session.Resume`, to return with a token that no session of this server has issued.

    A function that knows the token enters the session. When all have run, a dialog that still asks is ended if the
    connection is in a session now, and the client reads `Session.Resumed`; otherwise it reads `Session.Void`, and the
    login goes on. Requests come in turn with the lines.
    `seen` is the number of line ends that the client has received, or None. The repr leaves the token out.
    """

    connection: Connection
    token: str = field(repr=False)
    seen: int | None = None


def message_event(subject: Subject, package: str, data: Json) -> GmcpMessage | ResumeRequested:
    """Return the event of a GMCP message."""
    if package.lower() == "session.resume" and isinstance(data, dict) and isinstance(data.get("token"), str):
        token, seen = data["token"], data.get("lines")
        return ResumeRequested(subject, str(token), seen if type(seen) is int else None)
    return GmcpMessage(subject, package, data)


@dataclass(frozen=True, slots=True)
class MsdpMessage(HookEvent):
    """The client sent an MSDP variable, or requested one that was not reported yet (`REPORT`, `SEND`)."""

    connection: Connection
    variable: str
    value: MsdpValue = field(repr=False)


@dataclass(frozen=True, slots=True)
class Interrupt(HookEvent):
    """The player pressed an interrupt key of the client, such as ^C."""

    connection: Connection
    kind: InterruptKind


@dataclass(frozen=True, slots=True)
class EchoRefused(HookEvent):
    """The client does not hide typed input although `hide_input` requested it, so a password may show.

    It refused, did not answer in time, or agreed and withdrew that before the input was shown again.
    """

    connection: Connection


@dataclass(frozen=True, slots=True)
class Disconnect(HookEvent):
    """The connection has ended: it is off the list, and nothing more is read from it or written to it.

    Exactly one is queued for every `Connect`. It is the connection's last event.
    `reason` is `REFUSED` if and only if the connection was never admitted.
    """

    connection: Connection
    reason: Reason
    cause: Cause
    text: str
