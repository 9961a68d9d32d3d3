"""A gateway or a world as a process, which `processes.Child` forks; it reports what happens as lines of JSON.

    gateway LINK NAME PORT
    world LINK
    bank URL DATABASE
    single PORT

LINK is the URL of Redis, or the path of a Unix socket.
A world waits until it can claim, and so does a bank, a world whose game stores records in an SQLite file. SIGUSR1 lets
it take over from the world that serves, SIGUSR2 lets it hand over to one that waits; SIGTERM ends each of them.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

import trio

from trio_mud import Admitted, Connection, Hooks, Input, Limits, MasterServer
from trio_mud.cluster.ends import Fenced, GatewayEnd, LinkUnavailable, WorldEnd
from trio_mud.cluster.gateway import GatewayService
from trio_mud.cluster.redis_access import RedisAccess
from trio_mud.cluster.redis_link import RedisGatewayEnd, RedisWorldEnd
from trio_mud.cluster.shares import limits_of_gateway, limits_of_world
from trio_mud.cluster.unix_link import UnixGatewayEnd, UnixWorldEnd
from trio_mud.cluster.world import WorldService
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.server.acceptor import AnyListener
from trio_mud.storage import Sqlite
from trio_mud.transports.tcp import open_tcp_listeners
from trio_mud.transports.unix import bind

from ..bank import BANK

OPEN = Limits(
    max_connections=None,
    max_per_address=None,
    max_per_prefix=None,
    max_without_session=None,
    accept_rate=None,
    accept_rate_per_address=None,
    command_rate=None,
    first_input_timeout=None,
    world_timeout=60,
)
with suppress(ImportError):  # a link over Unix sockets does not need it
    import coredis  # noqa: F401 - imported once, before the processes are forked

INTERVAL = 0.2  # seconds between two writes to the database
ANYONE = Hooks()


@dataclass
class Ledger:
    """What this world has heard of one connection: how many numbers, which of them twice, and which not."""

    heard: int = 0
    doubled: int = 0
    missed: int = 0
    last: int | None = None

    def note(self, number: int) -> None:
        """Take note of a number."""
        if self.last is not None and number <= self.last:
            self.doubled += 1
            return
        self.missed += 0 if self.last is None else number - self.last - 1
        self.heard += 1
        self.last = number


ROOM = 20  # players
ROOMS: defaultdict[int, list[Connection]] = defaultdict(list)
LEDGERS: WeakKeyDictionary[Connection, Ledger] = WeakKeyDictionary()


@ANYONE.on(Admitted)
def enter(event: Admitted) -> None:
    """Put each player into a room with others."""
    ROOMS[event.connection.number // ROOM].append(event.connection)


@ANYONE.on(Input)
def answer(event: Input) -> None:
    """Answer "say N" by "ok N"; "room N" is also heard by the room, "shout N" by all; "stat" asks for the ledger."""
    verb, _, number = event.line.partition(" ")
    if verb == "room":
        text = f"heard {number}"
        for other in ROOMS[event.connection.number // ROOM]:
            if other is not event.connection:
                other.write(text)
        event.connection.write(f"ok {number}")
        return
    ledger = LEDGERS.setdefault(event.connection, Ledger())
    if verb == "stat":
        event.connection.write(f"stat {ledger.heard} {ledger.doubled} {ledger.missed}")
        return
    ledger.note(int(number))
    if verb == "shout":
        for other in event.connection.server.connections:
            other.write(f"heard {number}")
    event.connection.write(f"ok {number}")


def report(**what: object) -> None:
    """Write a line that the parent reads."""
    os.write(1, json.dumps({"at": time.time(), **what}).encode() + b"\n")


async def serve(
    server: MasterServer,
    listeners: Sequence[AnyListener],
    world: WorldService | None = None,
    database: Path | None = None,
) -> None:
    """Serve until SIGTERM: a game without records, or the bank with its database."""

    async def obey() -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2) as signals:
            report(loaded=True)
            async for number in signals:
                if number == signal.SIGTERM:
                    report(counters=dict(server.counters))
                    nursery.cancel_scope.cancel()
                elif number == signal.SIGUSR1 and world is not None:
                    world._end.take_over()  # type: ignore[attr-defined]  # it is Redis'
                elif world is not None:
                    await world.hand_over()
                    report(released=True)
                    os._exit(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(obey)
        if world is None or database is None:
            await nursery.start(server.serve, listeners)
            report(serving=True)
            return
        async with (
            world.claimed() as journal,
            BANK.open(Sqlite(database, backups=None), interval=INTERVAL, journal=journal) as game,
            trio.open_nursery() as servers,
        ):
            server.hooks, server.world = game
            await servers.start(server.serve, listeners)
            report(serving=True)


async def gateway_end(link: str, name: str, incarnation: int) -> GatewayEnd:
    """Return the gateway's end of a link."""
    if "://" in link:
        access = RedisAccess.from_url(link)
        await access.check()
        return RedisGatewayEnd(access, "w1", name)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bind(Path(link), backlog=16)))
    return UnixGatewayEnd(listener, name, incarnation=incarnation)


async def world_end(link: str) -> WorldEnd:
    """Return the world's end of a link."""
    if "://" in link:
        access = RedisAccess.from_url(link)
        await access.check()
        return RedisWorldEnd(access, "w1")
    return UnixWorldEnd(partial(trio.open_unix_socket, link), link, waits=True)


def main(log: Path, kind: str, *arguments: str) -> None:
    """Run one of them."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    logging.basicConfig(level=logging.INFO)
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # as `trio-mud run` does

    async def run() -> None:
        if kind == "single":
            await serve(MasterServer(ANYONE, limits=OPEN), await open_tcp_listeners(int(arguments[0])))
            return
        if kind in ("world", "bank"):
            service = WorldService(await world_end(arguments[0]))
            server = MasterServer(ANYONE, limits=limits_of_world(OPEN), services=[service])
            database = Path(arguments[1]) if kind == "bank" else None
            await serve(server, [service.listener], service, database)
        else:
            incarnation = time.time_ns() // 1_000_000
            end = await gateway_end(arguments[0], arguments[1], incarnation)
            gateway = GatewayService(arguments[1], end, incarnation=incarnation)
            server = MasterServer(gateway.hooks, limits=limits_of_gateway(OPEN), services=[gateway])
            await serve(server, await open_tcp_listeners(int(arguments[2])))

    try:
        trio.run(run)
    except LinkUnavailable as error:
        report(error=str(error))
        sys.exit(75)
    except BaseException as error:
        if isinstance(unwrap_single(error), Fenced):
            report(fenced=True)
            sys.exit(3)
        raise
