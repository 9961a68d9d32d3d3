"""A player by WebSocket in the subprotocol of GMCP, with the client of the library `websockets`."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from .proxies import HOST
from .terminal import PATIENCE, until

OWN: Final = "127.0.0.2"  # the address of the player
SPOOFED: Final = "192.0.2.77"  # an address that the player invents


class GmcpCaller:
    """A player, and what was sent to it.

    Attributes:
        shown: All that was shown.
        told: The last message of each GMCP package.
        lines: How many line ends of the session it has, for the return by a token.
        is_cut: True once the link has ended.
    """

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self.shown = ""
        self.told: dict[str, Any] = {}
        self.lines = 0
        self.is_cut = False

    async def read_on(self) -> None:
        """Read until the link is cut."""
        try:
            async for message in self._link:
                if isinstance(message, bytes):
                    self.shown += message.decode()
                    self.lines += message.count(b"\n")
                    continue
                package, _, data = message.partition(" ")
                self.told[package] = json.loads(data or "null")
                if package in ("Session.Token", "Session.Resumed"):
                    self.lines = self.told[package]["lines"]
        except ConnectionClosed:
            pass
        self.is_cut = True

    async def types(self, line: str) -> None:
        """Send a line."""
        await self._link.send(line.encode())

    async def sends(self, package: str, data: object) -> None:
        """Send a GMCP message."""
        await self._link.send(f"{package} {json.dumps(data)}")

    async def sees(self, text: str) -> None:
        """Wait until a text has been shown."""
        await until(lambda: text in self.shown, lambda: f"{text!r}; shown is:\n{self.shown}")


@asynccontextmanager
async def calling(
    port: int, trusted: ssl.SSLContext | None = None, *, origin: str | None = None
) -> AsyncGenerator[GmcpCaller]:
    """Connect a player from `OWN`, an address of this machine; with `trusted` by TLS."""
    with trio.fail_after(PATIENCE):
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=OWN)
        if trusted is not None:
            stream = trio.SSLStream(stream, trusted, server_hostname=HOST, https_compatible=True)
    async with (
        connect(
            f"ws://{HOST}:{port}/",
            stream=stream,
            subprotocols=[Subprotocol("gmcp.mudstandards.org")],
            additional_headers={"X-Forwarded-For": SPOOFED},
            origin=None if origin is None else Origin(origin),
            compression=None,
            ping_interval=None,
        ) as link,
        trio.open_nursery() as nursery,
    ):
        caller = GmcpCaller(link)
        nursery.start_soon(caller.read_on)
        yield caller
        nursery.cancel_scope.cancel()
