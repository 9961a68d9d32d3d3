"""The cost of a world: moves, texts to a room, due calls, and finding a thing by its name; rows of `--bounds`.

    python tests/bench/world.py           every figure, with its bound

Each figure is measured in a process of its own; nothing is written to a disk.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

import trio

from tests.bench.bounds import BoundRow, check, chosen
from trio_mud import Admitted, Hooks, Limits, MasterServer, broadcast
from trio_mud.commands import Mistake, the_one
from trio_mud.storage import Memory, live
from trio_mud.testing import PipeListener, open_mud
from trio_mud.world import Being, Container, Game, Room, Thing, Traveller, World, every

THINGS = 10_000
CROWD = 200
ROUNDS = 30
SECONDS = 12.0  # for which the creatures act
TICK = 0.01  # seconds
PATIENCE = 300.0  # seconds for one figure


class Pawn(Being):
    """A creature that acts every two seconds, and walks every tenth time."""

    turns: int = 0
    plain: int = live(default=0)

    @every(2)
    def act_now(self) -> None:
        """Change a stored field, and move now and then."""
        self.turns += 1
        if self.turns % 10 == 0:
            room = self.room
            assert room is not None
            self.place = next(iter(room.exits.values()))


class Listening(Traveller):
    """The body of one of the crowd."""


GAME = Game(Hooks(), records=(Thing,))


def make_rooms(world: World, count: int = 2) -> list[Room]:
    """Make rooms in a circle."""
    rooms = [world.add(Room(name=f"room {number}")) for number in range(count)]
    for room, following in zip(rooms, [*rooms[1:], rooms[0]], strict=True):
        room.exits = {"on": following}
    return rooms


async def moves(is_carried: bool) -> float:
    """Microseconds that a move takes beside an assignment to a plain attribute."""
    costs = []
    async with GAME.open(Memory(), interval=1e6) as (_, world):
        room, other = make_rooms(world)
        chest = world.add(Container(name="chest", place=room))
        target: Thing = other
        if is_carried:
            hero = world.add(Listening(name="hero", place=room), "hero")
            await world.store.hold(Listening, "hero")
            target = hero
        pawns = [world.add(Pawn(name="pawn", place=chest)) for _ in range(1000)]
        await world.store.saved()
        for turn in range(ROUNDS):
            began = time.thread_time()
            for pawn in pawns:
                pawn.plain = turn
            plain = time.thread_time() - began
            place = chest if turn % 2 else target
            began = time.thread_time()
            for pawn in pawns:
                pawn.place = place
            costs.append((time.thread_time() - began - plain) / len(pawns))
            await world.store.saved()  # so that each move is the first change of its record
    return statistics.median(costs) * 1e6


async def telling() -> float:
    """Microseconds that a text to a room of 200 takes for each player, beside a broadcast to the same players."""
    logging.getLogger("trio_mud").setLevel(logging.ERROR)
    bodies: list[Listening] = []
    hooks = Hooks()
    game = Game(hooks, records=(Thing,))

    @hooks.on(Admitted)
    def come_in(event: Admitted) -> None:
        connection = event.connection
        world = World.of(connection.server)
        body = world.add(Listening(name="one of many", place=next(world.store.all(Room))), stored=False)
        connection.server.sessions.enter(connection.number, connection, body=body)
        bodies.append(body)

    costs = []
    limits = Limits(first_input_timeout=None, max_per_address=None, accept_rate=None, accept_rate_per_address=None)
    async with open_mud(game, limits=limits, storage=None) as place:
        world = World.of(place.server)
        (room,) = make_rooms(world, 1)
        for _ in range(CROWD):
            await place.player()
        connections = [body.session.connection for body in bodies if body.session is not None]
        assert len(room.contents) == len(connections) == CROWD
        for _ in range(ROUNDS):
            began = time.thread_time()
            broadcast("The speaker speaks.", to=[each for each in connections if each is not None])
            middle = time.thread_time()
            room.tell("The speaker speaks.", exclude=[bodies[0]])
            costs.append((time.thread_time() - middle - (middle - began)) / CROWD)
            await place.pass_time(0.1)
    return statistics.median(costs) * 1e6


async def creatures(share: float) -> float:
    """Milliseconds by which a timer of 10 ms is late while 10,000 creatures act each two seconds."""
    logging.getLogger("trio_mud").setLevel(logging.ERROR)
    late: list[float] = []
    async with GAME.open(Memory()) as (hooks, world):
        rooms = make_rooms(world, 100)
        for number in range(THINGS):
            world.add(Pawn(name="pawn", place=rooms[number % len(rooms)]))
        await world.store.saved(within=PATIENCE)
        server = MasterServer(hooks, world=world)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [PipeListener()])
            began = trio.current_time()
            due = began + TICK

            def tick() -> None:
                nonlocal due
                now = trio.current_time()
                late.append(max(0.0, now - due))
                due = now + TICK
                server.after(TICK, tick)

            server.after(TICK, tick)
            await trio.sleep(SECONDS)
            server.shutdown(within=0)
        turns = [pawn.turns for pawn in world.store.all(Pawn)]
    assert min(turns) >= SECONDS / 2 - 2, f"creatures acted {min(turns)} times"
    return sorted(late)[int(len(late) * share)] * 1e3


async def finding(words: str) -> float:
    """Milliseconds to find a word among 10,000 things in reach, or that there is none."""
    costs = []
    async with GAME.open(Memory()) as (_, world):
        (room,) = make_rooms(world, 1)
        who = world.add(Pawn(name="seeker", place=room))
        for number in range(THINGS):
            world.add(Thing(name=f"grey pebble {number}", aliases=("stone",), place=room))
        for _ in range(ROUNDS):
            began = time.thread_time()
            with suppress(Mistake):
                the_one(who, words, Thing)
            costs.append(time.thread_time() - began)
    return statistics.median(costs) * 1e3


FIGURES: dict[str, Callable[[], Awaitable[float]]] = {
    "moves": lambda: moves(is_carried=False),
    "taking": lambda: moves(is_carried=True),
    "telling": telling,
    "median": lambda: creatures(0.5),
    "slowest": lambda: creatures(0.99),
    "first": lambda: finding("pebble"),
    "last": lambda: finding(f"{THINGS - 1}"),
    "none": lambda: finding("ruby"),
}


def measure(name: str) -> float:
    """Measure one figure in a process of its own."""
    command = [sys.executable, __file__, "--one", name]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return float(json.loads(said))


ROWS = [
    BoundRow("world: a move, beside a plain attribute's", "us CPU", 5.0, lambda: measure("moves")),
    BoundRow("world: a move to a traveller, beside a plain attribute's", "us CPU", 8.0, lambda: measure("taking")),
    BoundRow(f"world: a text to a room of {CROWD}, beside a broadcast", "us CPU each", 1.0, lambda: measure("telling")),
    BoundRow(f"world: a 10 ms timer beside {THINGS:,} creatures, median", "ms late", 5.0, lambda: measure("median")),
    BoundRow(f"world: a 10 ms timer beside {THINGS:,} creatures, 99 %", "ms late", 40.0, lambda: measure("slowest")),
    BoundRow(f"world: finding the first of {THINGS:,} things", "ms CPU", 2.0, lambda: measure("first")),
    BoundRow(f"world: finding the last of {THINGS:,} things", "ms CPU", 15.0, lambda: measure("last")),
    BoundRow(f"world: finding none among {THINGS:,} things", "ms CPU", 25.0, lambda: measure("none")),
]


def main() -> int:
    """Measure one figure for a parent process, or all of them."""
    if sys.argv[1:2] == ["--one"]:
        print(trio.run(FIGURES[sys.argv[2]]))
        return 0
    return 0 if check(chosen(ROWS, ",".join(sys.argv[1:])), print) else 1


if __name__ == "__main__":
    sys.exit(main())
