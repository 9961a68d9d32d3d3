"""A watched game with some players, for the tests of the admin page, as a process.

It prints the number of the watch's port, and ends with its standard input.
"""

from __future__ import annotations

import logging
import sys

import trio

from trio_mud import Admitted, Hooks, Input, Limits, MasterServer, open_tcp_listeners
from trio_mud.web import open_watch

TOKEN = "a-token-of-the-browser-tests"
LIMITS = Limits(max_per_address=7, accept_rate_per_address=None, shutdown_timeout=60.0)
NAMES = [
    "Ann",
    "Bob",
    "<script>document.title = 'owned'</script>",
    "Über",
    "Eve",
    "Mallory of the Long Name",
    "Zoe",
]
hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.name = NAMES[(event.connection.number - 1) % len(NAMES)]
    event.connection.server.sessions.enter(event.connection.name, event.connection)


@hooks.on(Input)
def obey(event: Input) -> None:
    if event.line == "fail":
        raise LookupError("as the test asks")
    event.connection.write(f"You typed {event.line!r}.")


async def play(port: int) -> None:
    """Come in several times, one time too often, and type a little now and then."""
    players = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(8)]
    await players[0].send_all(b"fail\r\n")
    while True:
        for player in players[:7]:
            await player.send_all(b"look\r\n")
            await trio.sleep(0.5)


async def main() -> None:
    """Serve until the end of standard input."""
    logging.getLogger("trio_mud").setLevel(logging.INFO)
    server = MasterServer(hooks, limits=LIMITS)
    server.mssp = {"NAME": "Stage & Co"}
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    async with (
        open_watch(server, host="127.0.0.1", port=0, token=TOKEN) as watch,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve, listeners)
        nursery.start_soon(play, listeners[0].address[1])
        sys.stdout.write(f"{watch.addresses[0][1]}\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read)
        server.abort()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
