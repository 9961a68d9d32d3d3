"""The interface between a link and the connection above it: the methods that each may call on the other.

A link converts bytes into lines and events, and texts into bytes; it knows no game, no hook and no connection.
A connection knows no bytes. `telnet.TelnetLink` is the link of every telnet peer. A link of another kind
implements `Link` and reaches the server through a listener whose transports have `make_link`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ...telnet import InterruptKind, TelnetEngine
from ...telnet.options.mssp import Variables
from ...text import Text
from ...transports.poller import Poller
from ..core.context import Context
from ..core.events import Cause
from .bans import Bans
from .client import Client
from .tail import Tail
from .traffic import Traffic, all_traffic


class OutOfBand(NamedTuple):
    """A GMCP or MSDP message, in either direction. Received ones wait in turn with the lines."""

    protocol: Literal["gmcp", "msdp"]
    name: str  # of the package or the variable
    data: object


class Interrupted(NamedTuple):
    """The player pressed an interrupt key. Waits in turn with the lines."""

    kind: InterruptKind


class Resized(NamedTuple):
    """The client reported the size of its window. Overtakes lines."""

    columns: int
    rows: int


class HidingRefused(NamedTuple):
    """The client shows typed input although it was asked to hide it. Overtakes lines."""


class ClientKnown(NamedTuple):
    """The client has reported its abilities, or the time for that is over. Overtakes lines."""


class LineCut(NamedTuple):
    """The line just received was longer than `limits.max_line` and was cut."""


class PackagesNamed(NamedTuple):
    """The client named the GMCP packages that it supports. Overtakes lines."""


LinkEvent = OutOfBand | Interrupted | Resized | HidingRefused | ClientKnown | LineCut | PackagesNamed


class LinkReceiver(Protocol):
    """The receiver of a link's lines and events: the connection's inbox. None of these methods raises.

    Attributes:
        is_full: True if there is no room for more lines and events: the link stops parsing, and therefore reading.
    """

    is_full: bool

    @property
    def label(self) -> str:
        """The connection's name and number, for log lines."""
        ...

    def received_line(self, line: str, hidden: bool) -> bool:
        """Queue a typed line, cleaned of control characters; return True if there is room for more."""
        ...

    def received(self, event: LinkEvent) -> None:
        """Take an event that is not a line."""
        ...

    def ended(self, cause: Cause, text: str = "") -> None:
        """End the connection: the link is lost (a cause of `LINKDEATH`), or the peer broke the protocol (of `QUIT`)."""
        ...

    def failed(self, error: BaseException) -> None:
        """End the connection, because the link, or code of the game called by it, raised."""
        ...

    def notify(self) -> None:
        """Check the link again: its state has changed, or it can parse now."""
        ...

    @property
    def waiting(self) -> int:
        """The number of lines and messages that were received and not taken.

        A line that answers a dialog's question is taken once its script has received it.
        """
        ...

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait in the connection's own task until the condition holds; `notify` re-evaluates it."""
        ...

    def flush(self) -> None:
        """Flush the link. The server calls it once per batch for each receiver that was marked dirty."""
        ...


class Link(Protocol):
    """The connection to one peer, in any protocol.

    The synchronous methods never wait. Only `locate`, `handshake`, `read` and, for a malformed name, `send` raise.

    Attributes:
        client: The known facts about the peer's program.
    """

    client: Client

    @property
    def has_unparsed(self) -> bool:
        """True if received bytes are not parsed yet. They count as typed: the end of file waits for them."""
        ...

    @property
    def address(self) -> str:
        """The peer's host, without a port; "" if unknown. Certain after the handshake."""
        ...

    @property
    def needs_handshake(self) -> bool:
        """True if `locate` or `handshake` waits for the peer; otherwise `locate` need not be called."""
        ...

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened the link for itself, or names no client. Certain after `locate`."""
        ...

    @property
    def can_parse(self) -> bool:
        """True if `taken` would make progress now. Read only if `has_unparsed` and the receiver has room."""
        ...

    @property
    def is_held(self) -> bool:
        """True if received input waits for the game, and `Disconnect` for it. The link notifies once that is over."""
        ...

    @property
    def is_drained(self) -> bool:
        """True if the transport has accepted all output, and the writer has ended."""
        ...

    @property
    def hides_input(self) -> bool:
        """True if typed input is secret now and must not be recorded."""
        ...

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver. Called once, before any other method."""
        ...

    async def locate(self) -> None:
        """Read the PROXY header, if one is due, so that the peer's address is known. The caller sets a deadline.

        Raises:
            trio.BrokenResourceError: The header is missing, or the peer has closed.
        """
        ...

    async def handshake(self) -> None:
        """Complete the transport's handshake after `locate`. The caller sets a deadline.

        If the link may be a health check, this waits for the peer's first bytes too, since health checks send none.

        Raises:
            trio.BrokenResourceError: The handshake failed, or the peer has closed.
        """
        ...

    def open(self, *, offers: bool = True) -> None:
        """Allow output to be sent, after the verdict of the connect hook.

        Args:
            offers: False after a refusal: all output so far is dropped, nothing is negotiated,
                and an earlier `stop` is undone so that the refusal can be written.
        """
        ...

    def read(self) -> Awaitable[None]:
        """Receive until the end of file.

        Raises:
            trio.BrokenResourceError: The link is lost.
        """
        ...

    async def drain(self) -> None:
        """Wait until `is_drained`. After `discard` it waits for the writer's end only."""
        ...

    def stop(self, *, drop_input: bool) -> None:
        """Ignore further input and output, because the ending is decided.

        Args:
            drop_input: True to drop received input too; False if it is still to be handled.
        """
        ...

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        """Queue a text and a line end; return False if it was dropped. Last words may exceed the limit."""
        ...

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        """Like `write`, and share the encoded bytes among clients of the same kind."""
        ...

    def prompt(self, text: Text) -> bool:
        """Queue a text without a line end, marked as a prompt."""
        ...

    def prompt_answered(self, hidden: bool) -> None:
        """Forget the prompt: a line was handled, so the cursor is at the beginning of a line."""
        ...

    def send(self, message: OutOfBand) -> bool:
        """Queue a message for the peer's program; return False if it was dropped or is not supported.

        Raises:
            ValueError: The package name is malformed.
        """
        ...

    def offer_return(self, tail: Tail, token: str, waits: float | None, *, seen: int | None = None) -> None:
        """Send a client that may return a token, by GMCP, `Session.Token`; number and keep all text from here on.

        Args:
            tail: Keeps the text.
            token: The secret for one return.
            waits: Seconds that the session waits for the client; None for ever.
            seen: The number of line ends that the client has received, if `catch_up` follows; None for all.
        """
        ...

    def catch_up(self, tail: Tail, seen: int | None) -> None:
        """Report by GMCP, `Session.Resumed`, that a client has returned; send what it is missing, and number on.

        Args:
            tail: The text that was sent so far.
            seen: The number of line ends that the client has received; None if it shows nothing.
        """
        ...

    def end_tail(self) -> None:
        """Stop numbering: the tail is complete to the last text."""
        ...

    def hide_input(
        self, hidden: bool, *, marks: bool = False, ends_line: bool = True, is_answered: bool = True
    ) -> None:
        """Ask the client to hide or show typed input.

        Args:
            hidden: True to hide.
            marks: True to mark lines typed from now on as hidden or not, for a dialog's question.
            ends_line: True to send a line end when input is shown again, since the client did not show the Enter.
            is_answered: False if a question ended without its answer, which may still be on its way. Then the next
                line is marked as hidden, too, if it comes before the client confirms that it shows input again.
        """
        ...

    def taken(self) -> None:
        """Continue parsing: a line left the receiver, or its source has a turn without an event."""
        ...

    def drop_input(self) -> None:
        """Drop input that is not parsed yet, and all later input."""
        ...

    def discard_input(self) -> bool:
        """Drop the input received so far; return True if unparsed bytes were lost."""
        ...

    def discard(self) -> None:
        """Drop all pending output and cancel the writer, because the link is lost."""
        ...

    def mark_dirty(self) -> None:
        """Mark the receiver dirty, so that it is flushed at the end of the current batch."""
        ...

    def flush(self) -> None:
        """Send all pending output. The writer sends the rest if the transport does not accept it at once."""
        ...

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        """Close the transport.

        Args:
            gently: True to close without losing sent output; False to close at once.
            why: The cause, for a transport that can report it to its peer.
        """
        ...


class StartSibling(Protocol):
    """Starts a task beside the connections' tasks."""

    def __call__(self, work: Callable[[], Awaitable[object]], *, name: str) -> None: ...


class MakeEngine(Protocol):
    """Returns a new telnet engine with a server's options and limits."""

    def __call__(self, *, is_secure: bool = False) -> TelnetEngine: ...


@dataclass(frozen=True, slots=True)
class LinkHost:
    """The parts of the server that links need: one object for all links, so that each holds one pointer.

    Attributes:
        context: The shared parts of the server.
        poller: Receives for many sockets in one task; None if the platform does not support it.
        mark_dirty: Marks a receiver dirty, so that it is flushed at the end of the batch.
        start_sibling: Starts the writer's task.
        make_engine: For telnet. Secure and recorded links are not offered compression.
        mssp_variables: For telnet: returns the variables for MUD listings.
        rendered: Texts rendered in this batch, each for one kind of client; the server clears it.
        traffic: The bytes that passed each door.
        after_flush: Called after each flush, between two batches of events; links may add to it.
        bans: The banned networks.
    """

    context: Context
    poller: Poller | None
    mark_dirty: Callable[[LinkReceiver], None]
    start_sibling: StartSibling
    make_engine: MakeEngine
    mssp_variables: Callable[[], Variables]
    rendered: dict[Hashable, tuple[Text, bytes]]
    traffic: Mapping[str, Traffic] = field(default_factory=all_traffic)
    after_flush: list[Callable[[], object]] = field(default_factory=list)
    bans: Bans = field(default_factory=Bans)
