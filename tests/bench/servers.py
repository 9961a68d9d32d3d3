"""The servers that are measured; each is a process of its own, started by `run.py`.

    servers.py driver       trio_mud, all of its telnet options and protections on (`driver.py`)
    servers.py mccp2        the same; its clients take up the offer of compression
    servers.py tls          the same behind TLS, if `trustme` is installed to make a certificate
    servers.py websocket    the same for WebSocket, by `telnet.mudstandards.org`
    servers.py gmcp         the same, by `gmcp.mudstandards.org`
    servers.py plain        trio_mud without telnet options
    servers.py guarded      the same, with the usual limits on what one peer may send
    servers.py webguarded   the same, for WebSocket
    servers.py full N M     trio_mud with room for N players, and M from one address
    servers.py trio         trio alone: `serve_listeners`, `send_all`
    servers.py sansio       trio alone with the sans-IO WebSocket protocol of `websockets`; it only echoes
    servers.py asyncio      an asyncio Protocol
    servers.py uvloop       the same on uvloop
    servers.py twisted      Twisted's LineReceiver on its epoll reactor
    servers.py conch        Twisted's telnet, which offers four options
    servers.py telnetlib3   telnetlib3's server with a shell, which offers its options

All but `sansio` play the same game.  A server prints its port as the first line and serves until it is ended; at the
latest the kernel ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import trio
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

from tests.bench import driver
from tests.bench.game import BEAT, BenchWorld, Lines
from trio_mud import Limits

LIFETIME = 180  # seconds; then SIGALRM ends the process, whatever became of `run.py`
BACKLOG = 4096
PROMPT = b"> "


def tell(port: int) -> None:
    """Print the port to connect to."""
    print(port, flush=True)


# trio alone


class TrioPeer:
    """A stream, and the output of the world to it since its last `send_all`."""

    name = ""

    def __init__(self, stream: trio.SocketStream, unsent: dict[TrioPeer, None]) -> None:
        self.stream = stream
        self.lock = trio.Lock()  # two tasks may not send on one stream at a time
        self.out = b""
        self.is_closing = False
        self._unsent = unsent

    def send(self, data: bytes) -> None:
        self.out += data
        self._unsent[self] = None

    def close(self) -> None:
        self.is_closing = True

    async def flush(self) -> None:
        try:
            async with self.lock:
                data, self.out = self.out, b""
                if data:
                    await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # its own task will notice


def trio_alone() -> None:
    unsent: dict[TrioPeer, None] = {}

    async def beat(late: list[float]) -> None:
        while True:
            due = trio.current_time() + BEAT
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            world = BenchWorld(lambda late: nursery.start_soon(beat, late))

            async def flush_all() -> None:
                while unsent:
                    await unsent.popitem()[0].flush()

            async def play(stream: trio.SocketStream) -> None:
                peer, lines = TrioPeer(stream, unsent), Lines()
                world.join(peer)
                try:
                    await flush_all()
                    async for data in stream:
                        for line in lines.feed(bytes(data)):
                            world.handle(peer, line)
                            await flush_all()
                        if peer.is_closing:
                            return
                except trio.BrokenResourceError:
                    pass
                finally:
                    world.leave(peer)

            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=BACKLOG)
            tell(listeners[0].socket.getsockname()[1])
            await trio.serve_listeners(play, listeners)

    trio.run(main)


def sans_io() -> None:
    """Echo binary messages, each with a prompt behind it, by the library that trio_mud uses, and nothing else."""
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.CRITICAL)

    async def play(stream: trio.SocketStream) -> None:
        protocol = ServerProtocol(max_size=64 * 1024, logger=quiet)
        with contextlib.suppress(trio.BrokenResourceError):
            async for data in stream:
                protocol.receive_data(bytes(data))
                for event in protocol.events_received():
                    if isinstance(event, Request):
                        protocol.send_response(protocol.accept(event))
                        protocol.send_binary(PROMPT)
                    elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                        protocol.send_binary(bytes(event.data) + PROMPT)
                for piece in protocol.data_to_send():
                    if piece:
                        await stream.send_all(piece)

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=BACKLOG)
        tell(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(play, listeners)

    trio.run(main)


# asyncio


async def asyncio_protocol() -> None:
    loop = asyncio.get_running_loop()

    class Player(asyncio.Protocol):
        name = ""

        def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
            self.send = transport.write
            self.close = transport.close
            self.lines = Lines()
            world.join(self)

        def data_received(self, data: bytes) -> None:
            for line in self.lines.feed(data):
                world.handle(self, line)

        def connection_lost(self, exc: Exception | None) -> None:
            world.leave(self)

    world = BenchWorld(beat_by(loop.time, loop.call_at))
    server = await loop.create_server(Player, "127.0.0.1", 0, backlog=BACKLOG)
    tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def beat_by(now: Callable[[], float], call_at: Callable[[float, Callable[[], None]], object]) -> Any:
    """A heartbeat for loops that call back; their own clocks may be as coarse as a millisecond."""

    def start(late: list[float]) -> None:
        def again() -> None:
            due = time.monotonic() + BEAT

            def tick() -> None:
                late.append(time.monotonic() - due)
                again()

            call_at(now() + BEAT, tick)

        again()

    return start


def asyncio_alone() -> None:
    asyncio.run(asyncio_protocol())


def on_uvloop() -> None:
    importlib.import_module("uvloop").run(asyncio_protocol())


# Others; typed loosely, for they need not be installed


def twisted(*, has_telnet: bool = False) -> None:
    importlib.import_module("twisted.internet.epollreactor").install()
    reactor: Any = importlib.import_module("twisted.internet.reactor")
    protocol: Any = importlib.import_module("twisted.internet.protocol")
    basic: Any = importlib.import_module("twisted.protocols.basic")
    world = BenchWorld(
        beat_by(reactor.seconds, lambda due, tick: reactor.callLater(max(0, due - reactor.seconds()), tick))
    )

    class Player(basic.LineReceiver):  # type: ignore[misc]  # whatever it is
        delimiter = b"\n"
        name = ""

        def connectionMade(self) -> None:  # noqa: N802  Twisted's name
            self.transport.setTcpNoDelay(True)
            self.send = self.transport.write
            self.close = self.transport.loseConnection
            self.lines = Lines()
            world.join(self)

        def lineReceived(self, line: bytes) -> None:  # noqa: N802
            for each in self.lines.feed(line + b"\n"):
                world.handle(self, each)

        def connectionLost(self, reason: object = None) -> None:  # noqa: N802
            world.leave(self)

    factory = protocol.ServerFactory()
    factory.protocol = conch_of(Player) if has_telnet else Player
    factory.noisy = False
    tell(reactor.listenTCP(0, factory, backlog=BACKLOG, interface="127.0.0.1").getHost().port)
    reactor.run()


def conch_of(player: Any) -> Callable[[], Any]:
    """Return the factory of Twisted's telnet protocol around this one, with options as it lets a server offer them."""
    telnet: Any = importlib.import_module("twisted.conch.telnet")
    error: Any = importlib.import_module("twisted.internet.error")

    class Offering(player, telnet.TelnetProtocol):  # type: ignore[misc]  # whatever they are
        def connectionMade(self) -> None:  # noqa: N802  Twisted's name
            ask, offer = self.transport.do, self.transport.will
            for answer in (offer(telnet.SGA), ask(telnet.NAWS), ask(b"\x18"), ask(telnet.LINEMODE)):
                answer.addErrback(lambda failure: failure.trap(telnet.OptionRefused, error.ConnectionDone))
            super().connectionMade()

    class Telnet(telnet.TelnetTransport):  # type: ignore[misc]  # whatever it is
        def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
            self.transport.setTcpNoDelay(enabled)

        def write(self, data: bytes) -> None:
            super().write(data.replace(b"\r\n", b"\n"))  # it sends \r\n for \n

    return lambda: Telnet(Offering)


def telnetlib3() -> None:
    library: Any = importlib.import_module("telnetlib3")

    class Player:
        name = ""

        def __init__(self, writer: Any) -> None:
            self.writer = writer

        def send(self, data: bytes) -> None:
            self.writer.write(data.decode())

        def close(self) -> None:
            self.writer.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        world = BenchWorld(beat_by(loop.time, loop.call_at))

        async def shell(reader: Any, writer: Any) -> None:
            player = Player(writer)
            world.join(player)
            try:
                while line := await reader.readline():
                    world.handle(player, line.rstrip("\r\n"))
                    await writer.drain()
            except OSError:
                pass
            finally:
                world.leave(player)
                writer.close()

        server = await library.create_server(
            host="127.0.0.1", port=0, shell=shell, encoding="utf8", connect_maxwait=0.1, timeout=0
        )
        tell(server.sockets[0].getsockname()[1])
        await server.wait_closed()

    asyncio.run(main())


def encrypted() -> None:
    made = importlib.import_module("trustme").CA().issue_cert("localhost")
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        for blob in made.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        made.private_key_pem.write_to_path(key)
        driver.serve(tls=(certificate, key))


def full(connections: int, per_address: int) -> None:
    driver.serve(limits=replace(driver.LIMITS, max_connections=connections, max_per_address=per_address))


def guarded() -> None:
    driver.serve(limits=replace(driver.LIMITS, command_rate=Limits().command_rate))


def guarded_web() -> None:
    driver.serve_web(limits=replace(driver.LIMITS, command_rate=Limits().command_rate))


SERVERS: dict[str, Callable[..., Awaitable[None] | None]] = {
    "driver": driver.serve,
    "mccp2": driver.serve,
    "tls": encrypted,
    "websocket": driver.serve_web,
    "gmcp": driver.serve_web,
    "plain": lambda: driver.serve(with_options=False),
    "guarded": guarded,
    "webguarded": guarded_web,
    "full": full,
    "trio": trio_alone,
    "sansio": sans_io,
    "asyncio": asyncio_alone,
    "uvloop": on_uvloop,
    "twisted": twisted,
    "conch": partial(twisted, has_telnet=True),
    "telnetlib3": telnetlib3,
}

if __name__ == "__main__":
    signal.alarm(LIFETIME)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    SERVERS[sys.argv[1]](*map(int, sys.argv[2:]))
