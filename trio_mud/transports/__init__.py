"""Transports: what moves bytes between a peer and a connection, and the listeners they come from.

A transport knows no telnet, no lines and no players.
Both kinds have one face, so that the driver above them is the same code:
`tcp` works on raw non-blocking sockets, `streams` on any `trio.abc.Stream`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

import trio

if TYPE_CHECKING:
    from .poller import Poller

# What Linux says of a link when nobody answered for too long: that, or what a router reported meanwhile.
_UNANSWERED: Final = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}


class DeadPeer(trio.BrokenResourceError):
    """The link is gone since the peer has not answered for too long; it may never know."""


def broken(error: BaseException, message: str) -> trio.BrokenResourceError:
    """What to raise for a failed read or write: whether the peer was silent or tore the link is in its causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _UNANSWERED:
            return DeadPeer(message)
        cause = cause.__cause__
    return trio.BrokenResourceError(message)


class Reader(Protocol):
    """Whoever listens to a transport."""

    def feed(self, data: bytes) -> bool:
        """Take what was received, and say whether there is room for more."""
        ...

    async def room(self) -> None:
        """Wait until there is room."""
        ...

    def lost(self, error: trio.BrokenResourceError) -> None:
        """Take note that the link is gone, before `listen` raises this error.

        A poller calls it from its own task, so that the reader can cancel the task that listens instead of letting it
        wake up to an exception.
        """
        ...


class Transport(Protocol):
    """One peer's bytes, in and out. Whoever accepted it closes it."""

    @property
    def address(self) -> str:
        """Where the peer is, for people and for counting: a host without a port, or "" if not known."""
        ...

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        ...

    @property
    def shakes_hands(self) -> bool:
        """Whether there is anything to be waited for in `locate` or `handshake`; if not, they need not be called."""
        ...

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened this link for itself, or cannot say for whom; certain after `locate`.

        Such a link becomes a connection with its first byte: a health check sends none.
        """
        ...

    async def locate(self) -> None:
        """Learn where the peer is: read the PROXY header, if one is due. Called first, and once.

        This waits for the peer; bound it. Only after it `address` is certain.
        Where there is nothing to do it does not even yield.

        Raises:
            trio.BrokenResourceError: There is no header, or the peer is gone; the message says what.
        """
        ...

    async def handshake(self) -> None:
        """Do what else must be done before the peer counts as arrived: TLS. Called after `locate`, and once.

        This waits for the peer; bound it. Only after it `is_secure` is certain.
        Where there is nothing to do it does not even yield.

        Raises:
            trio.BrokenResourceError: The peer did not do its part, or is gone; the message says what.
        """
        ...

    def send_nowait(self, data: bytes) -> int:
        """Hand over what can be taken at once, and say how many bytes that were.

        While a poller listens, a lost link may be left to `listen` to tell, and what is sent meanwhile is lost.

        Raises:
            trio.BrokenResourceError: The link is gone; `DeadPeer` if because nobody answered.
        """
        ...

    async def send_some(self, data: bytes) -> int:
        """Wait until at least one byte could be handed over, and say how many were.

        Raises:
            trio.BrokenResourceError: The link is gone; `DeadPeer` if because nobody answered.
        """
        ...

    async def receive(self) -> bytes:
        """Wait for bytes; b"" at the end of file.

        Raises:
            trio.BrokenResourceError: The link is gone; `DeadPeer` if because nobody answered.
        """
        ...

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Hand everything that comes to the reader, as long as it has room, until the end of file.

        Args:
            reader: Called from this task or from the poller's.
            poller: Receives in this task's place, if the transport lies on a socket that it can read.

        Raises:
            trio.BrokenResourceError: The link is gone; `DeadPeer` if because nobody answered.
        """
        ...

    async def aclose(self) -> None:
        """Close without losing what was sent: what the peer still sends is read and thrown away.

        This waits for the peer; bound it. Cancelled, it closes at once.
        """
        ...

    async def aclose_forcefully(self) -> None:
        """Close at once, without waiting for anything."""
        ...


async def listen_by_receiving(transport: Transport, reader: Reader) -> None:
    """`Transport.listen`, for those that can only be waited for."""
    while data := await transport.receive():
        if not reader.feed(data):
            await reader.room()


class Listener(Protocol):
    """Where peers come from."""

    async def accept(self) -> Sequence[Transport]:
        """Wait for peers, at least one.

        Raises:
            OSError: None could be accepted; the caller decides whether to try again.
        """
        ...

    async def aclose(self) -> None:
        """Accept nobody any more."""
        ...
