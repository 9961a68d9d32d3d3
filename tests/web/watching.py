"""A watched server in memory, and requests to its watch."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from tests.driver.conftest import FakeListener, FakeTransport
from trio_mud import Hooks, Limits, MasterServer
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.transports.site import Site
from trio_mud.transports.tls import Certificate
from trio_mud.transports.websocket import WebListener
from trio_mud.web import SUBPROTOCOLS, ServerWatch, open_watch
from trio_mud.web.ports import HEALTH

TOKEN = "a-token-of-the-tests"


class WatchReply(NamedTuple):
    """The answer to one request."""

    status: int
    headers: dict[str, str]
    body: str


class WatchedServer:
    """A server with a telnet port, a web port and a watch, all in memory.

    Attributes:
        door: The telnet port.
        web: The web port.
        port: The listener of the watch.
    """

    def __init__(
        self, server: MasterServer, watch: ServerWatch, door: FakeListener, web: FakeListener, port: FakeListener
    ) -> None:
        self.server = server
        self.watch = watch
        self.door = door
        self.web = web
        self.port = port

    async def connect(self, *, address: str = "192.0.2.1") -> FakeTransport:
        """Open a telnet connection, and wait until nothing moves."""
        wire = FakeTransport(address=address)
        self.door.connect(wire)
        await trio.testing.wait_all_tasks_blocked()
        return wire

    async def knock(self, data: bytes = b"", *, room: int = 1 << 30) -> FakeTransport:
        """Open a link to the watch, and send this."""
        wire = FakeTransport(address="127.0.0.1", room=room)
        self.port.connect(wire)
        if data:
            wire.say(data)
        await trio.testing.wait_all_tasks_blocked()
        return wire

    async def get(
        self,
        path: str,
        *,
        host: str | None = "localhost:4001",
        token: str | None = None,
        method: str = "GET",
        more: Sequence[str] = (),
    ) -> WatchReply:
        """Ask the watch for a page."""
        lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *more]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        return reply_on(await self.knock("\r\n".join([*lines, "", ""]).encode()))

    async def state(self) -> dict[str, Any]:
        """Return what the admin page shows."""
        reply = await self.get("/admin/state", token=TOKEN)
        assert reply.status == 200
        found: dict[str, Any] = json.loads(reply.body)
        return found

    async def scrape(self) -> Scrape:
        """Return the metrics."""
        reply = await self.get("/metrics")
        assert reply.status == 200
        return Scrape(reply.body)


class Scrape:
    """The metrics of one moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds: dict[str, str] = {}
        self._samples: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            self.kinds[family.name] = family.type
            for sample in family.samples:
                self._samples.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value

    def __getitem__(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the samples of one name, by the values of their labels, which are sorted by their names."""
        return self._samples.get(f"trio_mud_{name}", {})

    def sum(self, name: str) -> float:
        """Return the sum of the samples of one name."""
        return sum(self[name].values())

    def check_conservation(self) -> None:
        """I-26, with the metrics of this scrape."""
        check_conservation(self.__getitem__)


def check_conservation(read: Callable[[str], Mapping[tuple[str, ...], float]]) -> None:
    """I-26: each accepted connection is counted once, and each admitted one is listed or has ended."""

    def total(name: str) -> float:
        return sum(read(name).values())

    states, endings = read("connections"), read("disconnects_total")
    refused = sum(count for labels, count in endings.items() if "refused" in labels)
    ended = sum(endings.values()) - refused
    admitted = total("connections_admitted_total")
    assert total("connections_accepted_total") == (
        total("page_requests_total")
        + total("handshakes_failed_total")
        + refused
        + admitted
        + states["handshake",]
        + states["door",]
    )
    assert ended + states["playing",] <= admitted <= ended + states["playing",] + states["ending",]


def reply_on(wire: FakeTransport) -> WatchReply:
    """Return the answer that was sent, which must be whole."""
    head, _, body = b"".join(wire.sent).decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert first.startswith("HTTP/1.1 "), first
    return WatchReply(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)


@asynccontextmanager
async def open_watched(
    hooks: Hooks,
    *,
    limits: Limits | None = None,
    names: Sequence[str] = (),
    certificate: Certificate | None = None,
    trouble: Callable[[], object] = lambda: None,
    unready: Callable[[], str] = lambda: "",
) -> AsyncGenerator[WatchedServer]:
    """Serve and watch for the length of the block, then shut down in order."""
    server, door, web, port = MasterServer(hooks, limits=limits), FakeListener(), FakeListener(), FakeListener()
    site = Site(SUBPROTOCOLS, {"/healthz": HEALTH}, limits=server.limits)
    try:
        async with (
            open_watch(
                server,
                listeners=[port],
                token=TOKEN,
                names=names,
                certificate=certificate,
                trouble=trouble,
                unready=unready,
            ) as watch,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(server.serve, [door, WebListener(web, site)])
            yield WatchedServer(server, watch, door, web, port)
            server.shutdown()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None
