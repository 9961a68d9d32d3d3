"""A MUD and a second service in one program, in one nursery."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import trio

from trio_mud import Admitted, Hooks, Input, MasterServer, broadcast, serve

Listeners = Sequence[trio.abc.Listener[trio.abc.Stream]]

hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("Welcome to the village green.")


@hooks.on(Input)
def talk(event: Input) -> None:
    broadcast(f"{event.connection.name}: {event.line}", to=event.connection.server.connections)


async def report_how_many(server: MasterServer, stream: trio.abc.Stream) -> None:
    """The other service: send the number of players to each client, and close the link."""
    async with stream:
        with suppress(trio.BrokenResourceError):  # gone again already
            await stream.send_all(f"{len(server.connections)} on the green\n".encode())


async def shut_down_on_signal(server: MasterServer) -> None:
    """The first signal shuts down with a goodbye to all players; a second one is a KeyboardInterrupt, as usual."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            server.shutdown("Night falls on the green. Until tomorrow!")
            return


async def open_village(
    doors: Listeners, windows: Listeners, *, task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run both until the MUD has shut down."""
    async with trio.open_nursery() as nursery:
        server: MasterServer = await nursery.start(partial(serve, hooks, listeners=doors))
        nursery.start_soon(partial(trio.serve_listeners, partial(report_how_many, server), list(windows)))
        nursery.start_soon(shut_down_on_signal, server)
        task_status.started(server)
        await server.closed.wait()
        nursery.cancel_scope.cancel()


async def main() -> None:
    doors = await trio.open_tcp_listeners(4000, host="localhost")
    windows = await trio.open_tcp_listeners(4001, host="localhost")
    await open_village(doors, windows)


if __name__ == "__main__":
    trio.run(main)
