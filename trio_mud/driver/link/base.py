"""The seam between a peer's wire and the connection above it: what each side may call on the other.

A link turns bytes into lines and events, and texts into bytes; it knows no game, no hook and no connection.
A connection knows no bytes. `telnet.TelnetLink` is the link of every telnet peer; a wire of another kind
implements `Link` and reaches the server through a listener whose transports have `make_link`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from ...telnet import InterruptKind, TelnetEngine
from ...telnet.options.mssp import Variables
from ...text import Text
from ...transports.poller import Poller
from ..core.context import Context
from ..core.events import Cause
from .client import Client


class OutOfBand(NamedTuple):
    """A message of the peer's program, in either direction. Received ones wait in turn with the lines."""

    protocol: Literal["gmcp", "msdp"]
    name: str  # of the package or the variable
    data: object


class Interrupted(NamedTuple):
    """The player pressed a key that is to stop what goes on. Waits in turn with the lines."""

    kind: InterruptKind


class Resized(NamedTuple):
    """The client reported the size of its window. Overtakes lines."""

    columns: int
    rows: int


class HidingRefused(NamedTuple):
    """The client shows what is typed, although it was asked to hide it. Overtakes lines."""


class ClientKnown(NamedTuple):
    """The client has reported what it is, or its time to do so is over. Overtakes lines."""


class LineCut(NamedTuple):
    """The line just received was longer than `limits.line` and was cut."""


LinkEvent = OutOfBand | Interrupted | Resized | HidingRefused | ClientKnown | LineCut


class LinkReceiver(Protocol):
    """What a link calls: the connection's inbox. None of these methods raises.

    Attributes:
        is_full: True if no more lines and events are wanted; then the link stops parsing, and so reading.
    """

    is_full: bool

    @property
    def label(self) -> str:
        """The connection's name and number, for logs."""
        ...

    def received_line(self, line: str, hidden: bool) -> bool:
        """Queue a typed line, cleaned of control characters; return True if there is room for more."""
        ...

    def received(self, event: LinkEvent) -> None:
        """Take anything that is not a line."""
        ...

    def ended(self, cause: Cause, text: str = "") -> None:
        """Take note that the link is lost (a cause of `LINKDEATH`) or was abused (one of `QUIT`)."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take note that the link, or code of the game called by it, raised: it costs the connection."""
        ...

    def notify(self) -> None:
        """Look again at the link: its state changed, or it can parse now."""
        ...

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait in the connection's own task until the condition holds; `notify` re-evaluates it."""
        ...

    def flush(self) -> None:
        """Flush the link. The server calls it once a batch for each receiver that was marked dirty."""
        ...


class Link(Protocol):
    """One peer's wire, whatever it speaks.

    The synchronous methods never wait. Only `handshake` and `read` raise.

    Attributes:
        client: What is known of the peer's program.
        has_unparsed: True if bytes wait that were not parsed; they count as typed, so the end of file waits for them.
    """

    client: Client
    has_unparsed: bool

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
        """True if a proxy opened the link for itself, or cannot say for whom. Certain after `locate`."""
        ...

    @property
    def can_parse(self) -> bool:
        """True if `taken` would get further now. Asked only if `has_unparsed` and the receiver has room."""
        ...

    @property
    def is_drained(self) -> bool:
        """True if the transport has taken everything written, and the writer has ended."""
        ...

    @property
    def hides_input(self) -> bool:
        """True if what is typed now must not be recorded."""
        ...

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver: once, before anything else."""
        ...

    async def locate(self) -> None:
        """Learn the peer's address: read the PROXY header, if one is due. Bounded by the caller.

        Raises:
            trio.BrokenResourceError: There is no header, or the peer is gone.
        """
        ...

    async def handshake(self) -> None:
        """Complete what else the transport asks of the peer, after `locate`. Bounded by the caller.

        Where the link may be a health check, this waits for the peer's first bytes too, since health checks send none.

        Raises:
            trio.BrokenResourceError: The peer did not do its part, or is gone.
        """
        ...

    def open(self, *, offers: bool = True) -> None:
        """Act on the verdict of the connect hook: from now on text may leave.

        Args:
            offers: False after a refusal: everything written so far is dropped, nothing is negotiated,
                and an earlier `stop` is taken back so that the refusal can be written.
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
        """The ending is decided: ignore what is received and written from now on."""
        ...

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        """Queue a text and a line end; return False if it was dropped. Last words may exceed the bound."""
        ...

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        """Like `write`, with the bytes shared among clients of one kind."""
        ...

    def prompt(self, text: Text) -> bool:
        """Queue a text without a line end, marked as a prompt."""
        ...

    def prompt_answered(self, hidden: bool) -> None:
        """Forget the prompt: a line was handled, so the cursor stands at the beginning of a line."""
        ...

    def send(self, message: OutOfBand) -> bool:
        """Queue a message for the peer's program; return False if it was dropped or is not wanted.

        Raises:
            ValueError: The package name is malformed.
        """
        ...

    def hide_input(self, hidden: bool, *, marks: bool = False, ends_line: bool = True) -> None:
        """Ask the client to hide or show what is typed.

        Args:
            hidden: True to hide.
            marks: Also mark what is typed from now on as hidden or not: for a dialog's question.
            ends_line: Send a line end with the switch to showing, since the client did not show the Enter.
        """
        ...

    def taken(self) -> None:
        """Parse further: a line left the receiver, or a turn is to spare."""
        ...

    def drop_input(self) -> None:
        """Drop what was received and not parsed, and all that comes later."""
        ...

    def discard_input(self) -> bool:
        """Drop what was typed so far; return True if bytes were lost that were never parsed."""
        ...

    def discard(self) -> None:
        """The link is lost: drop everything queued, and end the writer."""
        ...

    def mark_dirty(self) -> None:
        """Have the receiver flushed at the end of the current batch."""
        ...

    def flush(self) -> None:
        """Send everything queued. What the transport does not take at once is finished by the writer."""
        ...

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        """Close the transport.

        Args:
            gently: Without losing what was sent; otherwise at once.
            why: For a transport that can report it to its peer.
        """
        ...


class StartSibling(Protocol):
    """Starts a task beside the connections' tasks."""

    def __call__(self, work: Callable[[], Awaitable[object]], *, name: str) -> None: ...


class MakeEngine(Protocol):
    """Makes a telnet engine with a server's options and limits."""

    def __call__(self, *, is_secure: bool = False) -> TelnetEngine: ...


@dataclass(frozen=True, slots=True)
class LinkHost:
    """What the server gives to every link: one object for all of them, one pointer in each.

    Attributes:
        context: The shared parts of the server.
        poller: Receives for many sockets in one task; None where the platform has none.
        mark_dirty: Has a receiver flushed at the end of the batch.
        start_sibling: Starts the writer's task.
        make_engine: For telnet. Secure and recorded links are not offered compression.
        mssp_variables: For telnet: what MUD listings are sent.
        rendered: Texts rendered in this batch, each for one kind of client; the server clears it.
    """

    context: Context
    poller: Poller | None
    mark_dirty: Callable[[LinkReceiver], None]
    start_sibling: StartSibling
    make_engine: MakeEngine
    mssp_variables: Callable[[], Variables]
    rendered: dict[Hashable, tuple[Text, bytes]]
