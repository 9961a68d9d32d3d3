"""The server under soak: a process of its own, started by `process.py`.

    server.py LIFETIME DESCRIPTORS LIMITS

LIFETIME are seconds after which the kernel ends it, even if its parent is gone.
DESCRIPTORS is its RLIMIT_NOFILE; 0 means the maximum.
LIMITS is the table of `Limits` as JSON. It prints its port and its web port as the first line.

The game asks for a name and a hidden password, echoes the number of each line, and reports its status.
Players who type `listen` are in a room, and read everything that is shouted.
Its log goes to stderr at the lowest level, so that a test can search it for what must not be there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import signal
import socket
import sys
from collections.abc import Sequence

import trio

from trio_mud import Admitted, Connect, Dialog, Hooks, Input, Started, broadcast
from trio_mud.driver.server.places import Opening, Place, Places
from trio_mud.driver.server.running import Lifespan, serve_places
from trio_mud.driver.server.server import MasterServer
from trio_mud.program.effective import decode
from trio_mud.web.ports import web_listeners

HOST = "127.0.0.1"
BANNED = "127.0.9."  # where nobody is let in from
PAGE = "\n".join(["All work and no play makes Jack a dull boy."] * 500)  # 22 kB
SEND_BUFFER = 64 * 1024  # bytes
DIGITS = frozenset("0123456789")
LISTENS = object()  # the body of one in the room

hooks = Hooks()


@hooks.on(Started)
def wind_up(event: Started) -> None:
    event.server.every(1.0, lambda: broadcast("The clock ticks.", to=event.server.connections))


@hooks.on(Connect)
def look_at(event: Connect) -> None:
    if event.connection.address.startswith(BANNED):
        event.connection.refuse("You are banned.")


@hooks.on(Admitted)
def receive(event: Admitted) -> None:
    event.connection.start_dialog(login)


async def login(dialog: Dialog) -> None:
    name = await dialog.ask("Name? ")
    await dialog.ask_hidden("Password? ")
    dialog.connection.name = name[:20]
    dialog.connection.body = True
    dialog.connection.write(f"Welcome, {name[:20]}.")


@hooks.on(Input)
def obey(event: Input) -> None:
    connection = event.connection
    verb, _, rest = event.line.partition(" ")
    if verb == "say" and rest and DIGITS.issuperset(rest):
        connection.write(f"echo {rest}")
    elif verb == "status":
        connection.write(json.dumps(status(connection.server)))
    elif verb == "listen":
        connection.body = LISTENS
    elif verb == "shout":
        said = f"{connection.name}: {rest}"
        broadcast(said, to=[each for each in connection.server.connections if each.body is LISTENS])
    elif verb == "read":
        connection.write(PAGE)
    elif verb == "quit":
        connection.quit("Farewell.")
    else:
        connection.write("What?")


def status(server: MasterServer) -> dict[str, object]:
    """Return the part of the status that cannot be seen from outside."""
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "live": len(server.connections),
        "counters": dict(server.counters),
    }


def keep_send_buffers_small() -> None:
    """Keep send buffers small, so that a peer that does not read is soon full.

    The kernel would let them grow to megabytes. Accepted sockets inherit it from the listening one, which is found by
    its number.
    """
    for number in range(3, 64):
        with contextlib.suppress(OSError):  # no socket
            found = socket.socket(fileno=number)
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            found.detach()  # it is the server's


def main(lifetime: int, descriptors: int, table: str, lifespan: Lifespan | None = None) -> None:
    signal.alarm(lifetime)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors or most, most))
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)

    def tell(server: MasterServer, places: Sequence[Place]) -> None:
        keep_send_buffers_small()
        sys.stdout.write(f"{places[0].port} {places[1].port}\n")
        sys.stdout.flush()

    limits = decode({"limits": json.loads(table)}, "the soak").limits
    opening = Opening("web_port", Place(HOST, 0, protocol="websocket"), web_listeners(limits=limits))
    places = Places(HOST, 0, None, None, (), openings=(opening,))
    serve_places(MasterServer(hooks, limits=limits), places, on_open=tell, lifespan=lifespan)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
