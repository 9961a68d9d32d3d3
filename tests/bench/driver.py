"""The game of the measured servers, on this driver: say, echo, look and quit, in one room.

    driver.py PORT                      with all of the driver's telnet options
    driver.py PORT --no-options         without any, so that nothing is negotiated
    driver.py PORT --tls CERT.pem KEY.pem
    driver.py PORT --web                for WebSocket

The port 0 is any free one; the port is printed as the first line. With the options MCCP2 is offered, and text is
compressed only for a client that agrees. Every protection is on; only the limits that one busy address would exceed are
raised. The same game without this driver is `game.py`.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

from tests.bench.game import BEAT, lateness
from trio_mud import Admitted, Certificate, Connection, Hooks, Input, Limits, MasterServer, Rate, broadcast, run
from trio_mud.driver.server.places import Opening, Place, Places
from trio_mud.driver.server.running import serve_places
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.web.ports import web_listeners

MANY = 1_000_000
LIMITS = Limits(
    max_connections=MANY,
    max_per_address=MANY,
    accept_rate=None,
    accept_rate_per_address=None,
    command_rate=Rate(MANY, burst=1000),
)
PROMPT = "> "


class BenchRoom:
    """The one room, and the heartbeat requested by the command `beat`."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.hooks.on(Admitted)(self.greet)
        self.hooks.on(Input)(self.handle)
        self.commands = {"say": self.say, "echo": self.echo, "look": self.look, "quit": self.quit, "beat": self.beat}
        self.guests = 0
        self.late: list[float] | None = None

    def greet(self, event: Admitted) -> None:
        guest = event.connection
        guest.name = f"guest{self.guests}"
        self.guests += 1
        guest.write(f"Welcome to the MUD.\nYou are {guest.name}.")
        guest.prompt(PROMPT)

    def handle(self, event: Input) -> None:
        verb, _, rest = event.line.partition(" ")
        command = self.commands.get(verb)
        if command is not None:
            command(event.connection, rest)
        else:
            if verb:
                event.connection.write("Huh?")
            event.connection.prompt(PROMPT)

    def say(self, speaker: Connection, rest: str) -> None:
        broadcast(f"{speaker.name} says, '{rest}'", to=speaker.server.connections, exclude=speaker)
        speaker.write(f"You say, '{rest}'")
        speaker.prompt(PROMPT)

    def echo(self, guest: Connection, rest: str) -> None:
        guest.write(rest)
        guest.prompt(PROMPT)

    def look(self, guest: Connection, rest: str) -> None:
        guest.write("A bare room.\nExits: none.")
        guest.prompt(PROMPT)

    def quit(self, guest: Connection, rest: str) -> None:
        guest.quit("Bye.")

    def beat(self, guest: Connection, rest: str) -> None:
        """Start the heartbeat, or send how late it was since the last call."""
        if self.late is None:

            def tick(due: float) -> None:
                assert self.late is not None
                self.late.append(trio.current_time() - due)
                guest.server.after(BEAT, partial(tick, trio.current_time() + BEAT))

            guest.server.after(BEAT, partial(tick, trio.current_time() + BEAT))
            self.late = []
        guest.write(lateness(self.late))
        self.late.clear()
        guest.prompt(PROMPT)


def tell(server: MasterServer, places: Sequence[Place]) -> None:
    """Print the port to connect to."""
    print(places[-1].port, flush=True)


def raise_descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def serve_web(port: int = 0, *, limits: Limits = LIMITS) -> None:
    """Open the game at that port for WebSocket, and at any port for telnet, until SIGTERM."""
    raise_descriptors()
    host = "127.0.0.1"
    opening = Opening("web_port", Place(host, port, protocol="websocket"), web_listeners(limits=limits))
    places = Places(host, 0, None, None, (), openings=(opening,))
    serve_places(MasterServer(BenchRoom().hooks, limits=limits), places, on_open=tell)


def serve(
    port: int = 0,
    *,
    with_options: bool = True,
    tls: tuple[Path, Path] | None = None,
    limits: Limits = LIMITS,
) -> None:
    """Open the game at that port, plain or with TLS, until SIGTERM."""
    raise_descriptors()
    run(
        BenchRoom().hooks,
        host="127.0.0.1",
        port=0 if tls else port,
        tls_port=port if tls else None,
        certificate=Certificate(*tls) if tls else None,
        limits=limits,
        options=DEFAULT_OPTIONS if with_options else (),
        on_open=tell,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--no-options", action="store_true")
    parser.add_argument("--tls", nargs=2, type=Path, metavar=("CERT", "KEY"))
    parser.add_argument("--web", action="store_true")
    asked = parser.parse_args()
    if asked.web:
        serve_web(asked.port)
    else:
        serve(asked.port, with_options=not asked.no_options, tls=asked.tls)
