"""A client of TLS that can end its half of the stream, as `trio.SSLStream` cannot."""

from __future__ import annotations

import contextlib
import ssl

import trio


class TlsPeer(trio.abc.HalfCloseableStream):
    """The client side of TLS over a socket, which it owns.

    Args:
        below: The socket.
        context: Trusts the server, whose name is "localhost".
    """

    def __init__(self, below: trio.SocketStream, context: ssl.SSLContext) -> None:
        self.below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    async def do_handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive_more()
            else:
                await self._flush()
                return

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)
        await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        await self.below.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        while True:
            try:
                return self._tls.read(max_bytes or 65536)
            except ssl.SSLWantReadError:
                await self._receive_more()
            except ssl.SSLError as error:
                raise trio.BrokenResourceError(f"the server sent {error.reason}") from error

    async def send_eof(self) -> None:
        """Send close_notify, then the end of file."""
        with contextlib.suppress(ssl.SSLError):  # the server has not sent its own yet
            self._tls.unwrap()
        await self._flush()
        await self.below.send_eof()

    async def aclose(self) -> None:
        """Close without close_notify."""
        await self.below.aclose()

    async def _receive_more(self) -> None:
        if not (encrypted := await self.below.receive_some()):
            raise trio.BrokenResourceError("the server sent no close_notify")
        self._incoming.write(encrypted)

    async def _flush(self) -> None:
        if encrypted := self._outgoing.read():
            await self.below.send_all(encrypted)
