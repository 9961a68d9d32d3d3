"""A WebSocket client without I/O, on the memory transport of the driver's tests, and a server with a web port."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio
import trio.testing
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.driver.conftest import FakeListener, FakeTransport
from trio_mud import Hooks, Limits, MasterServer
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.transports.proxy import Network
from trio_mud.transports.site import Site
from trio_mud.transports.websocket import WebListener
from trio_mud.web import SUBPROTOCOLS
from trio_mud.web.ports import HEALTH


class WebClient:
    """One client.

    Attributes:
        wire: The transport below the server's WebSocket.
        response: The answer to its request.
        shown: The content of all binary messages.
        texts: All text messages.
        control: The frames that are no messages.
    """

    def __init__(self, wire: FakeTransport, subprotocols: Sequence[str], headers: Sequence[tuple[str, str]]) -> None:
        self.wire = wire
        self._protocol = ClientProtocol(
            parse_uri("ws://mud.example/play"), subprotocols=[Subprotocol(name) for name in subprotocols] or None
        )
        self._read = 0
        self._response: Response | None = None
        self._shown = b""
        self._texts: list[str] = []
        self._control: list[Frame] = []
        request = self._protocol.connect()
        for name, value in headers:
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def type(self, line: str) -> None:
        """Send a line in a binary message."""
        self.send(line.encode() + b"\r\n")

    def send(self, data: bytes) -> None:
        """Send a binary message."""
        self._hear()
        self._protocol.send_binary(data)
        self._flush()

    def say(self, text: str) -> None:
        """Send a text message."""
        self._hear()
        self._protocol.send_text(text.encode())
        self._flush()

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self._hear()
        self._protocol.send_close(code)
        self._flush()

    @property
    def response(self) -> Response | None:
        self._hear()
        return self._response

    @property
    def shown(self) -> bytes:
        self._hear()
        return self._shown

    @property
    def texts(self) -> list[str]:
        self._hear()
        return self._texts

    @property
    def control(self) -> list[Frame]:
        self._hear()
        return self._control

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame; None if it has sent none."""
        codes = [int.from_bytes(frame.data[:2], "big") for frame in self.control if frame.opcode is Opcode.CLOSE]
        return codes[0] if codes else None

    def _flush(self) -> None:
        """Send what is queued."""
        for data in self._protocol.data_to_send():
            if data:
                self.wire.say(data)

    def _hear(self) -> None:
        sent = b"".join(self.wire.sent)
        data, self._read = sent[self._read :], len(sent)
        if data:
            self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame):
                self._take(event)
        self._protocol.data_to_send()  # a test answers by itself

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._shown += frame.data
        elif frame.opcode is Opcode.TEXT:
            self._texts.append(bytes(frame.data).decode())
        else:
            self._control.append(frame)


class WebHouse:
    """A server with one web port."""

    def __init__(self, server: MasterServer, door: FakeListener) -> None:
        self.server = server
        self._door = door

    async def connect(
        self,
        *subprotocols: str,
        headers: Sequence[tuple[str, str]] = (),
        address: str = "192.0.2.1",
        room: int = 1 << 30,
    ) -> WebClient:
        """Connect a client, and wait until nothing moves."""
        client = WebClient(self.knock(address, room=room), subprotocols, headers)
        await trio.testing.wait_all_tasks_blocked()
        return client

    def knock(self, address: str = "192.0.2.1", *, room: int = 1 << 30) -> FakeTransport:
        """Open a link, on which nothing is sent yet."""
        wire = FakeTransport(address=address, room=room)
        self._door.connect(wire)
        return wire


@asynccontextmanager
async def open_web_house(
    hooks: Hooks, *, forwarded_from: Sequence[Network] = (), limits: Limits | None = None
) -> AsyncGenerator[WebHouse, None]:
    """Serve web clients in memory for the length of the block, then shut down in order."""
    server, door = MasterServer(hooks, limits=limits), FakeListener()
    site = Site(SUBPROTOCOLS, {"/healthz": HEALTH}, forwarded_from=forwarded_from, limits=server.limits)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [WebListener(door, site)])
            yield WebHouse(server, door)
            server.shutdown()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None
