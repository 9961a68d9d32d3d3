"""Any `trio.abc.Stream` as a transport, and any `trio.abc.Listener` as a source of them.

Streams cannot send without waiting, so everything written goes through the connection's rest-writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from . import Reader, broken, listen_by_receiving
from .poller import RECEIVE, Poller
from .tcp import canonical_host

PIECE = 16 * 1024  # bytes; a slow peer that takes so many within the write-stall limit is alive


class StreamTransport:
    """A stream's bytes. Owns the stream.

    Args:
        stream: Any.
        address: Where its peer is; otherwise what `stream.address` says, or the socket below it.
    """

    __slots__ = ("_stream", "address", "is_secure", "shakes_hands")

    may_be_health_check = False

    def __init__(self, stream: trio.abc.Stream, address: str = "") -> None:
        self._stream = stream
        self.address = canonical_host(address or _address_of(stream))
        self.is_secure = self.shakes_hands = isinstance(stream, trio.SSLStream)

    async def locate(self) -> None:
        """The stream told its address when it was made."""

    async def handshake(self) -> None:
        """That of TLS, if the stream is one of trio's for that."""
        if isinstance(self._stream, trio.SSLStream):
            await self._stream.do_handshake()

    def send_nowait(self, data: bytes) -> int:
        """Nothing: a stream may always have to wait."""
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
        """Receive what the stream gives, 4096 bytes at most, as from a socket: what is typed ahead has a bound."""
        try:
            return bytes(await self._stream.receive_some(RECEIVE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise broken(error, f"{self.address} is gone") from error

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Wait for each piece: a stream is read by its own means."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """Say the end where the stream can, read on until the peer says it too, then close."""
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
        """Close the stream without its farewells."""
        await trio.aclose_forcefully(self._stream)


class StreamListener:
    """The streams of a trio listener, one at a time. Owns the listener."""

    def __init__(self, listener: trio.abc.Listener[Any]) -> None:
        self._listener = listener

    async def accept(self) -> Sequence[StreamTransport]:
        """Wait for one stream."""
        return [StreamTransport(await self._listener.accept())]

    async def aclose(self) -> None:
        """Close the listener."""
        await self._listener.aclose()


def _address_of(stream: trio.abc.Stream) -> str:
    """Where the stream's peer is, as far as it can be found out."""
    if (address := getattr(stream, "address", None)) is not None:
        return str(address)
    if isinstance(stream, trio.SSLStream):
        return _address_of(stream.transport_stream)
    if isinstance(stream, trio.SocketStream):
        try:
            address = stream.socket.getpeername()
        except OSError:  # gone already
            return ""
        return canonical_host(address[0]) if isinstance(address, tuple) else ""
    return ""
