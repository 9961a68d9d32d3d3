"""The servers that are measured; each is a process of its own, started by `run.py`.

    servers.py driver-echo    trio_mud: a hook writes each line back
    servers.py driver-room    trio_mud: a hook broadcasts each line to everybody
    servers.py raw-echo       trio alone: what was received is sent back
    servers.py raw-room       trio alone: what was received is sent to everybody, one after the other

A server prints its port as the first line and serves until it is ended; at the latest the kernel ends it.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

import trio

from trio_mud import Admitted, Hooks, Input, Limits, MasterServer, Rate, broadcast, run
from trio_mud.driver.running import Place

LIFETIME = 60  # seconds; then SIGALRM ends the process, whatever became of `run.py`

# Every protection stays on; the numbers are out of the way of a load that comes from one address and never rests.
LIMITS = Limits(connections=None, per_address=None, accept_rate=None, command_rate=Rate(1_000_000, burst=1000))


def tell(port: int) -> None:
    """Say where to connect."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def driver(hooks: Hooks) -> None:
    def on_open(server: MasterServer, places: Sequence[Place]) -> None:
        tell(places[0].port)

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("ready")

    run(hooks, host="127.0.0.1", port=0, limits=LIMITS, on_open=on_open)


def driver_echo() -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def echo(event: Input) -> None:
        event.connection.write(event.line)

    driver(hooks)


def driver_room() -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def say(event: Input) -> None:
        broadcast(event.line, to=event.connection.server.connections)

    driver(hooks)


def raw(handler: Callable[[trio.SocketStream], Awaitable[object]]) -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        tell(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(handler, listeners)

    trio.run(main)


def raw_echo() -> None:
    async def echo(stream: trio.SocketStream) -> None:
        await stream.send_all(b"ready\r\n")
        async for data in stream:
            await stream.send_all(data)

    raw(echo)


def raw_room() -> None:
    everybody: dict[trio.SocketStream, trio.Lock] = {}

    async def say(stream: trio.SocketStream) -> None:
        everybody[stream] = trio.Lock()
        try:
            await stream.send_all(b"ready\r\n")
            async for data in stream:
                for listener, lock in list(everybody.items()):
                    async with lock:  # two tasks may not send on one stream at a time
                        await listener.send_all(data)
        except trio.BrokenResourceError:
            pass  # the load is over
        finally:
            del everybody[stream]

    raw(say)


SERVERS = {"driver-echo": driver_echo, "driver-room": driver_room, "raw-echo": raw_echo, "raw-room": raw_room}

if __name__ == "__main__":
    signal.alarm(LIFETIME)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    SERVERS[sys.argv[1]]()
