"""A server of `trio-mud serve` in processes of its own, and players who count aloud.

Used by the tests here and by `drills`.
"""

# ruff: noqa: ASYNC110 - these wait for other processes

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from tests.counted_lines import CountedLines
from tests.ports import free_port

CHECKOUT: Final = Path(__file__).resolve().parents[3]
PATIENCE: Final = 90.0  # seconds for a process to start on a busy machine
GAME: Final = """
import os
from trio_mud import Admitted, Hooks, Input

hooks = Hooks()
VERSION = 1


@hooks.on(Admitted)
def greet(event):
    event.connection.write(f"welcome by {os.getpid()}")


@hooks.on(Input)
def answer(event):
    event.connection.write(f"version {VERSION}" if event.line == "version" else f"ok {os.getpid()} {event.line}")
"""
FAILING: Final = (
    GAME.replace("VERSION = 1", "VERSION = 2")
    + """
from trio_mud import Started


@hooks.on(Started)
def open_maps(event):
    raise KeyError("maps")
"""
)
KNOWN: Final = """
import gc
from trio_mud import Started
from trio_mud.cluster.world import WorldService


@hooks.on(Started)
def begin(event):
    event.server.operator_commands = obey_operator


def obey_operator(operator, command):
    for world in gc.get_objects():
        if type(world) is WorldService:
            operator.write(f"phase {world._machine.state}, commit {world._number}, holds input: {world.hold.is_on}, "
                f"pending {world.output.size}, rolls {world._gateways.rolls}, rolling {world._gateways.rolling}, "
                f"links {len(world._links)}")
            for (gateway, number), link in world._links.items():
                receiver, taken = link.input.receiver, link.input
                order = taken._order
                if command == "all" or taken.taken_number < order.received or order._early or link._items:
                    operator.write(
                        f"{gateway} #{number} {link._machine.state}: received {order.received}, "
                        f"early {sorted(order._early)}, passed {taken._passed}, taken {taken.taken_number}, "
                        f"acknowledged {taken.acknowledged}, backlog {len(taken._backlog)}, "
                        f"waiting {receiver and receiver.waiting}, full {receiver and receiver.is_full}, "
                        f"items {len(link._items)}, dirty {link._is_dirty}, active {link in world._active}"
                    )
"""  # for `trio-mud admin all`: what the world knows of each connection
ANSWER: Final = re.compile(rb"ok (\d+) (\d+)\r")
OPEN: Final = ("max_connections=none", "max_per_address=none", "accept_rate=none", "accept_rate_per_address=none")


@dataclass
class ServedGame:
    """A running server.

    Attributes:
        folder: The folder of its game, its cluster link and its log.
        process: The supervisor.
        port: The port of its gateway.
        welcome: The lines that it has printed.
        hand_overs: The number of hand-overs so far, which end a spare each.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    welcome: str = ""
    hand_overs: int = 0

    @property
    def log(self) -> str:
        """The log of all its processes."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def children(self, kind: str) -> list[int]:
        """Return the numbers of the running processes of this kind, "gateway" or "world", the oldest first."""
        found = []
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        for number in sorted(int(number) for task in tasks for number in task.read_text().split()):
            try:
                words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
            if b"-m" in words and words[words.index(b"-m") + 2] == kind.encode():
                found.append(number)
        return found

    async def has_spare(self) -> None:
        """Return when a world waits to take over."""
        with trio.fail_after(PATIENCE):
            while not self._has_spare():
                await trio.sleep(0.02)

    def _has_spare(self) -> bool:
        log = self.log  # its lines come later than what they are about, also those of the first world
        waited, served = log.count("and waits for the world"), log.count("the world serves")
        return served > 0 and waited + 1 - served > self.hand_overs

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server, and return its status."""
        self.process.send_signal(number)
        with trio.fail_after(PATIENCE):
            while (status := self.process.poll()) is None:
                await trio.sleep(0.02)
        return status


def command(*arguments: str) -> list[str]:
    """Return a command of the program."""
    return [sys.executable, "-m", "trio_mud", *arguments]


def environment() -> dict[str, str]:
    """Return the variables for it."""
    return {
        **{name: text for name, text in os.environ.items() if not name.startswith("TRIO_MUD_")},
        "PYTHONPATH": str(CHECKOUT),
    }


@asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncGenerator[ServedGame]:
    """Serve a game from a folder for the length of the block."""
    (folder / "game.py").write_text(GAME + KNOWN)
    settings = [word for setting in OPEN for word in ("--set", f"limits.{setting}")]
    words = command(
        "serve",
        "game:hooks",
        *("--port", str(free_port())),
        *("--link", str(folder / "game.link")),
        *("--set", f"operations.socket={folder / 'world.sock'}"),
        *settings,
        *options,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log)  # noqa: ASYNC220
    assert process.stdout is not None
    try:
        welcome = b""
        while b"Press Ctrl-C" not in welcome:
            line = await trio.to_thread.run_sync(process.stdout.readline)
            assert line, (folder / "log").read_text()
            welcome += line
        port = re.search(rb"telnet \S+ (\d+)", welcome)
        assert port is not None, welcome
        yield ServedGame(folder, process, int(port[1]), welcome.decode())
    finally:
        process.kill()  # and the others end with it
        process.wait()
        process.stdout.close()


@dataclass
class CountingPlayer(CountedLines):
    """A player who sends numbers, and checks that each is answered once and in order.

    Attributes:
        port: The port of the gateway.
        connects: The number of connections.
        worlds: When each world gave its first answer, by the number of its process.
        local: The port of its last connection.
    """

    port: int
    connects: int = 0
    worlds: dict[int, float] = field(default_factory=dict)
    local: int = 0
    _stream: trio.SocketStream | None = None

    async def live(self) -> None:
        """Stay connected, and read the answers."""
        while True:
            try:
                async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
                    self._stream = stream
                    self.connects += 1
                    self.local = stream.socket.getsockname()[1]
                    await self._read(stream)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                self._stream = None
            await trio.sleep(0.1)

    async def _read(self, stream: trio.SocketStream) -> None:
        buffer = b""
        while data := await stream.receive_some(65536):
            buffer += data
            end = 0
            for found in ANSWER.finditer(buffer):
                self.worlds.setdefault(int(found[1]), trio.current_time())
                self.note_answer(int(found[2]))
                end = found.end()
            buffer = buffer[end:]

    async def count(self, every: float) -> None:
        """Send the next number again and again, while connected."""
        await trio.sleep(every * random.random())
        while True:
            if (stream := self._stream) is not None:
                self.sent += 1
                try:
                    await stream.send_all(b"%d\r\n" % self.sent)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.sent -= 1
            await trio.sleep(every)


@asynccontextmanager
async def crowd(
    port: int,
    size: int,
    *,
    every: float,
    failed: Callable[[Sequence[CountingPlayer]], Awaitable[object]] | None = None,
) -> AsyncGenerator[list[CountingPlayer]]:
    """Let players count for the length of the block; then wait until each is answered, or gives up.

    `failed` is called while they are connected, if the block raises or one gives up.
    """
    players = [CountingPlayer(port) for _ in range(size)]
    async with trio.open_nursery() as lives:
        for player in players:
            lives.start_soon(player.live)
        has_failed = True
        try:
            with trio.fail_after(PATIENCE):
                while not all(player._stream for player in players):
                    await trio.sleep(0.02)
            async with trio.open_nursery() as counting:
                for player in players:
                    counting.start_soon(player.count, every)
                yield players
                counting.cancel_scope.cancel()
            with trio.move_on_after(20):
                while any(player.answered < player.sent for player in players):
                    await trio.sleep(0.02)
                has_failed = False
        finally:
            if has_failed and failed is not None:
                with trio.CancelScope(shield=True):
                    await failed(players)
        lives.cancel_scope.cancel()


async def silence_after_kill(game: ServedGame, players: Sequence[CountingPlayer]) -> float:
    """Kill the world that serves, and return the seconds until the next one has answered a player."""
    known = {world for player in players for world in player.worlds}
    serving = max(
        ((at, world) for player in players for world, at in player.worlds.items()),
        default=(0.0, game.children("world")[0]),
    )[1]
    before = game.log.count("the world serves")
    os.kill(serving, signal.SIGKILL)
    began = trio.current_time()
    with trio.fail_after(PATIENCE):
        while not (new := [at for player in players for world, at in player.worlds.items() if world not in known]):
            await trio.sleep(0.002)
        while game.log.count("the world serves") == before:  # the log is written later, and `has_spare` reads it
            await trio.sleep(0.02)
    return min(new) - began
