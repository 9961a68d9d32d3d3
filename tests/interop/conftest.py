"""A server for each test, on a port of the loopback interface, and the programs that call at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from trio_mud import open_tcp_listeners, open_unix_listener
from trio_mud.telnet import Option
from trio_mud.transports.tls import Certificate, open_tls_listeners

from .game import Visit, Visitors, make_game
from .recording import RecordingEngine, RecordingServer
from .terminal import until


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", metavar="FOLDER", help="where to write down what each program says")


class OpenServer:
    """A running server, and its visitors."""

    def __init__(self, server: RecordingServer, visitors: Visitors, port: int) -> None:
        self.server = server
        self.port = port
        self.visits = visitors.visits

    async def visit(self) -> Visit:
        """Wait for the one visitor to be admitted."""
        await until(lambda: bool(self.visits), lambda: "a visitor")
        (visit,) = self.visits
        return visit

    @property
    def engine(self) -> RecordingEngine:
        """That of the one visitor."""
        (visit,) = self.visits
        engine = visit.link.engine
        assert isinstance(engine, RecordingEngine)
        return engine


@asynccontextmanager
async def open_house(
    options: Iterable[Option],
    certificate: Certificate | None = None,
    *,
    path: Path | None = None,
    is_patient: bool = False,
) -> AsyncIterator[OpenServer]:
    """Serve the game on 127.0.0.1, or at a Unix socket.

    Args:
        options: The server's telnet options.
        certificate: With one, the server uses TLS.
        path: With one, the server listens at this Unix socket only.
        is_patient: True if the game asks nothing before the client has identified itself.
    """
    hooks, visitors = make_game(is_patient)
    server = RecordingServer(hooks, options=options)
    async with trio.open_nursery() as nursery:
        if path is not None:
            await nursery.start(server.serve, [open_unix_listener(path)])
            port = 0
        elif certificate is None:
            plain = await open_tcp_listeners(0, host="127.0.0.1")
            await nursery.start(server.serve, plain)
            port = plain[0].address[1]
        else:
            secure = await open_tls_listeners(0, host="127.0.0.1", certificate=certificate)
            await nursery.start(server.serve, secure)
            port = secure[0].address[1]
        yield OpenServer(server, visitors, port)
        server.abort()


@pytest.fixture(scope="session")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path
