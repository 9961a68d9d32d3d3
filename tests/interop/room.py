"""A room in which all hear each other, on a telnet port and a web port: the first line of a player is the name."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio

from trio_mud import Admitted, Connection, Hooks, Input, Limits, MasterServer, Session, open_tcp_listeners
from trio_mud.web import open_web

WELCOME = "Your name?"
TITLE = "One Room"


class OpenRoom:
    """A running room.

    Attributes:
        port: The telnet port.
        web_port: The port of the page and of WebSocket.
    """

    def __init__(self, server: MasterServer, port: int, web_port: int) -> None:
        self.server = server
        self.port = port
        self.web_port = web_port


def session_of(room: OpenRoom, name: str) -> Session:
    """Return the session of a player."""
    session = room.server.sessions.get(name)
    assert session is not None
    return session


def connection_of(room: OpenRoom, name: str) -> Connection:
    """Return the connection of a player who is linked."""
    connection = session_of(room, name).connection
    assert connection is not None
    return connection


def make_room() -> Hooks:
    """Return the functions of the room."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write(WELCOME)

    @hooks.on(Input)
    def talk(event: Input) -> None:
        sessions = event.connection.server.sessions
        if (speaker := event.connection.session) is None:
            sessions.enter(event.line, event.connection).write(f"Welcome, {event.line}.")
            return
        for session in sessions:
            session.write(f"{speaker.key} says: {event.line}")

    return hooks


@asynccontextmanager
async def open_room(*, limits: Limits | None = None, origins: Sequence[str] = ()) -> AsyncGenerator[OpenRoom]:
    """Serve a room on 127.0.0.1, which trusts a proxy there."""
    limits = limits or Limits()
    plain = await open_tcp_listeners(0, host="127.0.0.1")
    web = await open_web(
        0,
        host="127.0.0.1",
        origins=origins,
        forwarded_from=[ipaddress.ip_network("127.0.0.1")],
        limits=limits,
        name=lambda: TITLE,
    )
    server = MasterServer(make_room(), limits=limits)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [*plain, *web])
        yield OpenRoom(server, plain[0].address[1], web[0].address[1])
        server.abort()
