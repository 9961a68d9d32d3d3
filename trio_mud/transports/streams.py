"""Any `trio.abc.Stream` as a transport, and any `trio.abc.Listener` as a source of them.

Streams cannot send without waiting, so all output is sent by the connection's writer task.
"""

from __future__ import annotations

from typing import Any

import trio

from . import Reader, broken, listen_by_receiving
from .poller import RECEIVE, Poller
from .tcp import canonical_host

PIECE = 16 * 1024  # bytes; a slow peer that accepts this much within the write-stall limit is alive


class StreamTransport:
    """A transport on a stream, which it owns.

    Args:
        stream: Any stream.
        address: The peer's address; by default `stream.address`, or that of the socket below it.
    """

    __slots__ = ("_stream", "address", "is_secure", "needs_handshake")

    channel = None
    may_be_health_check = False

    def __init__(self, stream: trio.abc.Stream, address: str = "") -> None:
        self._stream = stream
        self.address = canonical_host(address or _address_of(stream))
        self.is_secure = self.needs_handshake = isinstance(stream, trio.SSLStream)

    async def locate(self) -> None:
        """Do nothing: the address was set when the transport was created."""

    async def handshake(self) -> None:
        """Do the TLS handshake, if the stream is a `trio.SSLStream`."""
        if isinstance(self._stream, trio.SSLStream):
            await self._stream.do_handshake()

    def send_nowait(self, data: bytes) -> int:
        """Send nothing, because a stream may have to wait."""
        return 0

    async def send_some(self, data: bytes) -> int:
        """Send up to 16 KiB."""
        piece = data[:PIECE]
        try:
            await self._stream.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise broken(error, f"cannot send to {self.address}") from error
        return len(piece)

    async def receive(self) -> bytes:
        """Receive up to 4096 bytes, the same as from a socket, because typeahead is bounded."""
        try:
            return bytes(await self._stream.receive_some(RECEIVE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise broken(error, f"{self.address} is gone") from error

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Pass on each piece received by waiting for the stream."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """Send the end of file if the stream can, read until the peer's end of file, then close."""
        try:
            if isinstance(self._stream, trio.abc.HalfCloseableStream):
                await self._stream.send_eof()
                while await self._stream.receive_some():
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await self._stream.aclose()

    async def aclose_forcefully(self) -> None:
        """Close the stream without a closing handshake."""
        await trio.aclose_forcefully(self._stream)


class StreamListener:
    """Accepts the streams of a trio listener, which it owns."""

    def __init__(self, listener: trio.abc.Listener[Any]) -> None:
        self._listener = listener

    async def accept(self) -> StreamTransport:
        """Wait for a stream."""
        return StreamTransport(await self._listener.accept())

    async def aclose(self) -> None:
        """Close the listener."""
        await self._listener.aclose()


def _address_of(stream: trio.abc.Stream) -> str:
    """Return the address of the stream's peer, or "" if it cannot be determined."""
    if (address := getattr(stream, "address", None)) is not None:
        return str(address)
    if isinstance(stream, trio.SSLStream):
        return _address_of(stream.transport_stream)
    if isinstance(stream, trio.SocketStream):
        try:
            address = stream.socket.getpeername()
        except OSError:  # already closed
            return ""
        return canonical_host(address[0]) if isinstance(address, tuple) else ""
    return ""
