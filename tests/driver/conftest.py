"""Shared by the tests of the driver: hooks that record events."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Connect,
    Connection,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Texts,
    WindowSize,
)
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.core.turns import Source
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet import DEFAULT_OPTIONS, Option, TelnetEngine
from trio_mud.transports import Reader, Transport, listen_by_receiving
from trio_mud.transports.poller import Poller


class EventLog:
    """Hooks that record every event in order, as short words: `guest-1 connect`, `guest-1: look`."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.events: list[HookEvent] = []
        for event_type in (Connect, Admitted, Input, WindowSize, Disconnect):
            self.hooks.on(event_type, order=-1)(self.events.append)

    def story(self, name: str = "") -> list[str]:
        """Return the recorded events, of all connections or of one."""
        told = [_tell(event) for event in self.events]
        return [words for words in told if words.startswith(name)]

    def disconnects(self) -> list[Disconnect]:
        """Every disconnect event, in order."""
        return [event for event in self.events if isinstance(event, Disconnect)]

    @property
    def last_ending(self) -> Disconnect:
        """The disconnect event that came last."""
        return self.disconnects()[-1]


class FakeTransport:
    """A transport as TCP's, whose kernel the test is: it takes at once what there is room for.

    Attributes:
        room: Bytes it still takes; `make_room` for more.
        sent: The bytes of each send, in order.
    """

    channel = None
    is_secure = False
    may_be_health_check = False
    needs_handshake = False

    def __init__(self, *, address: str = "", room: int = 1 << 30) -> None:
        self.address = address
        self.room = room
        self.sent: list[bytes] = []
        self.is_closed = False
        self._put, self._get = trio.open_memory_channel[bytes | Exception](math.inf)
        self._roomier = trio.Event()

    def say(self, data: bytes) -> None:
        """The peer sends; b"" is its end of file."""
        self._put.send_nowait(data)

    def break_(self) -> None:
        """The peer resets."""
        self._put.send_nowait(trio.BrokenResourceError())

    def make_room(self, size: int) -> None:
        """Let the peer read this many bytes."""
        self.room += size
        self._roomier.set()
        self._roomier = trio.Event()

    @property
    def text(self) -> str:
        """Everything that was sent, as far as it is text."""
        return b"".join(self.sent).decode(errors="replace")

    async def locate(self) -> None:
        """Do nothing."""

    async def handshake(self) -> None:
        """Do nothing."""

    def send_nowait(self, data: bytes) -> int:
        taken = data[: self.room]
        self.room -= len(taken)
        if taken:
            self.sent.append(taken)
        return len(taken)

    async def send_some(self, data: bytes) -> int:
        await trio.lowlevel.checkpoint()
        while not (taken := self.send_nowait(data)):
            await self._roomier.wait()
        return taken

    async def receive(self) -> bytes:
        heard = await self._get.receive()
        if isinstance(heard, Exception):
            raise heard
        return heard

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        await self.aclose_forcefully()

    async def aclose_forcefully(self) -> None:
        self.is_closed = True
        await trio.lowlevel.checkpoint()


class FakeListener:
    """A listener for transports that the test makes."""

    def __init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[Transport | BaseException](math.inf)

    def connect(self, transport: Transport) -> None:
        """Queue a connection to be accepted."""
        self._put.send_nowait(transport)

    def fail(self, error: BaseException) -> None:
        """Let one accept raise this."""
        self._put.send_nowait(error)

    async def accept(self) -> Transport:
        found = await self._get.receive()
        if isinstance(found, BaseException):
            raise found
        return found

    async def aclose(self) -> None:
        await self._get.aclose()


class TestServer:
    """A server whose peers are wires."""

    __test__ = False  # to pytest the name looks like a class of tests

    def __init__(self, server: MasterServer, door: FakeListener) -> None:
        self.server = server
        self.listener = door

    async def connect(self, *, address: str = "", room: int = 1 << 30) -> FakeTransport:
        """Connect one, and wait until nothing moves."""
        wire = FakeTransport(address=address, room=room)
        self.listener.connect(wire)
        await trio.testing.wait_all_tasks_blocked()
        return wire


@asynccontextmanager
async def open_house(
    hooks: Hooks,
    *,
    limits: Limits | None = None,
    texts: Texts | None = None,
    options: Sequence[Option] = DEFAULT_OPTIONS,
) -> AsyncGenerator[TestServer, None]:
    """Serve memory transports for the length of the block, then shut down in order; raise a single error as itself."""
    server, door = MasterServer(hooks, limits=limits, texts=texts, options=options), FakeListener()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [door])
            yield TestServer(server, door)
            server.shutdown()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None


class Crash(Source):
    """A source that fails outside its guard, which ends the dispatcher."""

    def has_event(self) -> bool:
        return True

    def take_event(self) -> HookEvent | None:
        raise LookupError("the dispatcher crashed")

    def failed(self, error: BaseException) -> None:
        raise error


def waits(seconds: float) -> Callable[[Any], Awaitable[None]]:
    """Return a hook function that only waits for this time."""

    async def wait(event: HookEvent) -> None:
        await trio.sleep(seconds)

    return wait


async def until(is_so: Callable[[], object], *, within: float = 100) -> None:
    """Advance virtual time until a condition is true."""
    with trio.fail_after(within):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(0.01)


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Return everything up to the end of the stream, and close it."""
    received = b""
    while data := await stream.receive_some():
        received += data
    await stream.aclose()
    return received


async def settled() -> None:
    """Wait until nothing can move without time going on."""
    await trio.testing.wait_all_tasks_blocked()


def feed(connection: Connection, data: bytes) -> bool:
    """Let a connection receive bytes; return whether it has room for more."""
    return link_of(connection)._incoming.feed(data)


def engine_of(connection: Connection) -> TelnetEngine:
    """The telnet engine of a connection."""
    return link_of(connection).engine


def link_of(connection: Connection) -> TelnetLink:
    """The link of a connection, which is telnet's."""
    link = connection._link
    assert isinstance(link, TelnetLink)
    return link


def first_connection(server: MasterServer) -> Connection:
    """Return the connection that has been on the list longest."""
    return next(iter(server.connections))


def _tell(event: HookEvent) -> str:
    match event:
        case Connect(connection):
            return f"{connection.name} connect"
        case Admitted(connection):
            return f"{connection.name} admitted"
        case Input(connection, line):
            return f"{connection.name}: {line}"
        case WindowSize(connection, columns, rows):
            return f"{connection.name} {columns}x{rows}"
        case Disconnect(connection, reason, cause):
            return f"{connection.name} {reason.value}: {cause}"
        case _:
            return repr(event)


@pytest.fixture
def witness() -> EventLog:
    """Hooks that record what they see, on the public names only."""
    return EventLog()


@pytest.fixture
def talkers(witness: EventLog) -> EventLog:
    """A witness whose game echoes every line, and knows `quit`."""

    @witness.hooks.on(Input)
    def echo(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        else:
            event.connection.write(f"you said {event.line}")

    return witness
