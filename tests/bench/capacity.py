"""What a game needs: memory, processor time and delay with many players and many things, on an SQLite database.

    python tests/bench/capacity.py                            500 players, 50,000 things, 5,000 of them creatures
    python tests/bench/capacity.py --players 100 --things 10000 --creatures 1000

The server is a process of its own. Its players log in by name, stand in rooms of the world, and type a line every five
seconds: look, a few words to the room, a move, a thing taken and dropped. The creatures walk every ten seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

import trio

from tests.bench.measuring import pinned
from trio_mud import Admitted, Dialog, Hooks, Input, Limits, MasterServer, SessionEnded, SessionStarted
from trio_mud.bench.load import Load
from trio_mud.bench.plan import LoadPlan, raise_descriptors
from trio_mud.bench.script import LoadScript, LoadStep
from trio_mud.commands import Commands
from trio_mud.storage import Sqlite
from trio_mud.transports.tcp import take_over
from trio_mud.world import Being, Game, Room, StandardVerbs, Thing, Traveller, World, every

ROOM_OF = 50  # things
TICK = 0.01  # seconds
SETTLE = 5.0  # seconds
SCRIPT = LoadScript(
    login=(LoadStep(expect="By what name"), LoadStep(send="Hero{n}", expect="Exits")),
    commands=tuple(
        LoadStep(send=line) for line in ("look", "say hello", "go on", "take stone", "inventory", "drop stone")
    ),
    think=5.0,
)
LIMITS = Limits(
    max_connections=None,
    max_per_address=None,
    max_per_prefix=None,
    max_without_session=None,
    accept_rate=None,
    accept_rate_per_address=None,
)


class Rambler(Being):
    """A creature that walks."""

    @every(10)
    def wander(self) -> None:
        """Go to the next room, seen by the players in both."""
        room = self.room
        if room is not None:
            self.act("", "{actor} leaves.")
            self.place = room.exits["on"]
            self.act("", "{actor} comes.")


class Citizen(Traveller):
    """The body of a player."""


class Market:
    """The game in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hooks = Hooks()
        self.commands = Commands[Citizen]()
        self.verbs = StandardVerbs()
        self.commands.include(self.verbs)
        self.commands.verb("say")(self.say)
        self.hooks.on(Admitted)(self.greet)
        self.hooks.on(Input)(self.obey)
        self.hooks.on(SessionStarted)(self.begin)
        self.hooks.on(SessionEnded)(self.leave)

    def greet(self, event: Admitted) -> None:
        """Ask for a name."""
        event.connection.start_dialog(self.come_in)

    def begin(self, event: SessionStarted) -> None:
        """Show a player where they are."""
        if isinstance(event.session.body, Citizen):
            self.verbs.look(event.session.body)

    def leave(self, event: SessionEnded) -> None:
        """Forget a body that is stored."""
        if isinstance(event.session.body, Citizen):
            self.world.store.release(event.session.body)

    async def come_in(self, dialog: Dialog) -> None:
        """Let a player in by name, into one of the rooms."""
        name, store = await dialog.ask("By what name? "), self.world.store
        if await store.hold(Citizen, name) is None:
            number = int("".join(filter(str.isdigit, name)) or 0)
            rooms = list(store.all(Room))
            self.world.add(Citizen(name=name, place=rooms[number % len(rooms)]), name)
            await store.hold(Citizen, name)
        body = store.get(Citizen, name)
        dialog.connection.server.sessions.enter(name, dialog.connection, body=body)

    def obey(self, event: Input) -> Awaitable[object] | None:
        """Run a command."""
        session = event.connection.session
        body = session.body if session is not None else None
        return self.commands.run(body, event.line) if isinstance(body, Citizen) else None

    def say(self, who: Citizen, words: str) -> None:
        """Say something to all in the room."""
        who.act(f'You say, "{words}"', f'{{actor}} says, "{words}"')


GAME = Game(lambda world: Market(world).hooks, records=(Thing,))


def fill(world: World, things: int, creatures: int) -> None:
    """Make rooms in a circle, and things in all of them."""
    rooms = [world.add(Room(name=f"Stall {number}", text="It is busy.")) for number in range(max(things // ROOM_OF, 1))]
    for number, room in enumerate(rooms):
        room.exits = {"on": rooms[(number + 1) % len(rooms)]}
    for number in range(things):
        place = rooms[number % len(rooms)]
        if number < creatures:
            world.add(Rambler(name="rambler", place=place))
        else:
            world.add(Thing(name="stone", place=place))


async def serve(folder: Path, things: int, creatures: int) -> None:
    """Serve the game, print its port, and then for each line of standard input the delays of a timer."""
    began = time.perf_counter()
    logging.basicConfig(level=logging.WARNING)
    async with GAME.open(Sqlite(folder / "market.db")) as (hooks, world):
        if not any(True for _ in world.store.all(Room)):
            fill(world, things, creatures)
            await world.store.saved(within=120)
        server = MasterServer(hooks, limits=LIMITS, world=world)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        late: list[float] = []

        async def tick() -> None:
            while True:
                due = trio.current_time() + TICK
                await trio.sleep_until(due)
                late.append(trio.current_time() - due)

        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [take_over(listener) for listener in listeners])
            nursery.start_soon(tick)
            print(port, time.perf_counter() - began, flush=True)
            while await trio.to_thread.run_sync(sys.stdin.readline):
                late.sort()
                print(late[len(late) // 2], late[len(late) * 99 // 100], late[-1], flush=True)
                late.clear()
            nursery.cancel_scope.cancel()


class Server:
    """The server's process."""

    def __init__(self, folder: Path, things: int, creatures: int) -> None:
        arguments = [sys.executable, __file__, "--serve", str(folder), "--things", str(things)]
        self._process = subprocess.Popen(
            [*arguments, "--creatures", str(creatures)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        pinned(self._process, 0)
        port, self.start_seconds = self._read()
        self.port = int(port)

    def _read(self) -> list[float]:
        assert self._process.stdout is not None
        return [float(word) for word in self._process.stdout.readline().split()]

    def delays(self) -> list[float]:
        """Return the median, the p99 and the longest delay of a timer since the last call, in ms."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return [1e3 * value for value in self._read()]

    @property
    def memory(self) -> float:
        """The resident memory, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def cpu(self) -> float:
        """The processor time, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it in order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def measure(players: int, things: int, creatures: int, seconds: float) -> None:
    """Print one line for each figure."""
    raise_descriptors(players)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show("memory of an empty world, MB", bare(folder / "bare"))
        Server(folder, things, creatures).stop()
        show("database, MB", sum(file.stat().st_size for file in folder.glob("market.db*")) / 2**20)
        server = Server(folder, things, creatures)
        show("start with all things, s", server.start_seconds)
        show("memory with all things, MB", server.memory)
        cpu = server.cpu
        time.sleep(SETTLE)
        show("creatures alone, % of a core", 100 * (server.cpu - cpu) / SETTLE)
        load = Load(LoadPlan(host="127.0.0.1", port=server.port, players=players, script=SCRIPT, duration=seconds))
        trio.run(watch, load, server, players, seconds)
        show("memory after that, MB", server.memory)
        server.stop()


async def watch(load: Load, server: Server, players: int, seconds: float) -> None:
    """Let the players play, and print what it took from when all were in."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        while load.stage == "connecting":  # noqa: ASYNC110  the load has no event for it
            await trio.sleep(0.05)
        server.delays()
        began, cpu = time.perf_counter(), server.cpu
        await trio.sleep(seconds - 1)
        share = (server.cpu - cpu) / (time.perf_counter() - began)
        median, late, longest = server.delays()
    show(f"{load.tally.logged_in} of {players} players, % of a core", 100 * share)
    for percent in (50, 99):
        show(f"answer, p{percent} ms", 1e3 * (load.tally.latency.percentile(percent) or 0.0))
    show("timer of 10 ms late, p50 ms", median)
    show("timer of 10 ms late, p99 ms", late)
    show("timer of 10 ms late, longest ms", longest)


def bare(folder: Path) -> float:
    """Return the memory of a server with one room."""
    folder.mkdir()
    server = Server(folder, 0, 0)
    memory = server.memory
    server.stop()
    return memory


def show(what: str, value: float) -> None:
    """Print a figure."""
    print(f"{what:40} {value:10,.1f}", flush=True)


def main() -> None:
    """Measure, or serve as the process that is measured."""
    parser = argparse.ArgumentParser(description="What a game with many players and things needs.")
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--things", type=int, default=50_000)
    parser.add_argument("--creatures", type=int, default=5_000, help="of the things")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        trio.run(serve, given.serve, given.things, given.creatures)
    else:
        measure(given.players, given.things, given.creatures, given.seconds)


if __name__ == "__main__":
    main()
