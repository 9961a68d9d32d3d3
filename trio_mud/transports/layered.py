"""What transports over other transports have in common: TLS wraps bytes in records, WebSocket in messages.

Wrapping cannot be undone: a record has its number, and a message its length. So wrapped bytes that the transport below
does not accept at once stay here, and the caller offers the bytes in them again.
OpenSSL has the same rule (SSL_write).
"""

from __future__ import annotations

from typing import Final

import trio

from . import MessageChannel, Transport

UNREAD_ANSWERS: Final = 64 * 1024  # bytes of answers queued for a peer that sends requests and does not read


class EndOfStream(Exception):
    """The peer has ended the stream inside its layer, though the transport below is still open.

    A layer's reader raises it from `feed` or `room`. The transport below stops reading and raises it from `listen`,
    where the layer returns, as at an end of file.
    """


class LayeredTransport:
    """A transport that sends wrapped bytes over another one, which it owns.

    Bytes that `send_nowait` and `send_some` did not report as sent must be offered again before any other bytes: they
    may already be wrapped and partly sent.

    A subclass wraps and unwraps. Its reader is the reader of the transport below, and unwraps in `feed` without
    waiting, so that a poller can read for it.
    """

    __slots__ = ("_is_sending", "_owed", "_transport", "_unsent")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._unsent = b""  # wrapped bytes and answers that the transport has not accepted yet
        self._owed = 0  # the caller's bytes in them
        self._is_sending = False  # True while a task waits for the transport to accept them

    @property
    def address(self) -> str:
        """The address reported by the transport below."""
        return self._transport.address

    @property
    def channel(self) -> MessageChannel | None:
        """None: its bytes are a stream."""
        return None

    @property
    def may_be_health_check(self) -> bool:
        """As reported by the transport below. A health check may do the handshake, and send nothing after it."""
        return self._transport.may_be_health_check

    async def locate(self) -> None:
        """Delegate to the transport below."""
        await self._transport.locate()

    def send_nowait(self, data: bytes) -> int:
        """Wrap and send as much as the transport accepts at once."""
        sent = 0
        while sent < len(data):
            # A piece counts as sent when the transport has accepted all that it was wrapped in, not before.
            if not self._owed:
                self._owed = self._wrap(data, sent)
            if not self._push():
                break
            sent += self._owed
            self._owed = 0
        return sent

    async def send_some(self, data: bytes) -> int:
        """Wrap a piece and wait until the transport has accepted it; continue while it accepts more at once."""
        while not (sent := self.send_nowait(data)):
            await self._flush()
        return sent

    async def aclose_forcefully(self) -> None:
        """Delegate to the transport below."""
        await self._transport.aclose_forcefully()

    def _wrap(self, data: bytes, start: int) -> int:
        """Wrap a piece that begins at this index, append it to `_unsent`, and return the size of the piece.

        Raises:
            trio.BrokenResourceError: The peer has violated the protocol.
        """
        raise NotImplementedError

    def _answer(self, answer: bytes) -> None:
        """Send an answer to the peer's layer as soon as the transport accepts it.

        Raises:
            trio.BrokenResourceError: The link is lost, or the peer leaves too many answers unread.
        """
        self._unsent += answer
        if not self._push() and len(self._unsent) > UNREAD_ANSWERS:
            raise trio.BrokenResourceError(f"{self.address} sends requests and does not read the answers")

    def _push(self) -> bool:
        """Send wrapped bytes as far as they are accepted at once; return True if none are left."""
        # Not while a task waits to send, or these bytes would overtake its own.
        if not self._is_sending and self._unsent:
            self._unsent = self._unsent[self._transport.send_nowait(self._unsent) :]
        return not self._unsent

    async def _flush(self) -> None:
        """Wait until the transport has accepted all wrapped bytes."""
        if self._push():
            return
        self._is_sending = True
        try:
            while self._unsent:
                sent = await self._transport.send_some(self._unsent)
                self._unsent = self._unsent[sent:]  # more may have been appended meanwhile
        finally:
            self._is_sending = False
