"""Players who count aloud, and check that each line is answered once, in order."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from tests.counted_lines import CountedLines
from trio_mud import Texts

NOTICES = (Texts().world_silent, Texts().world_back, Texts().world_restarted)


@dataclass
class Counting(CountedLines):
    """One player.

    Attributes:
        ports: The ports of the gateways; after a loss of its connection it tries the next one.
        unexplained: The skipped numbers that no gateway can have taken with it: they were sent by the connection that
            has answered the greater one.
        connects: The number of connections so far.
        last: When the last answer came.
        delays: Seconds from each line to its answer.
        heard: Lines of others that it has heard.
        stat: The world's count of its lines: heard, doubled, missed.
        notices: Lines about a silent or a new world that it has read.
        strange: Other lines that it has read.
        line: Returns the line of a verb and a number, by default both.
    """

    ports: Sequence[int]
    unexplained: int = 0
    connects: int = 0
    last: float = 0.0
    heard: int = 0
    delays: list[float] = field(default_factory=list)
    stat: tuple[int, ...] = ()
    notices: int = 0
    strange: list[str] = field(default_factory=list)
    line: Callable[[str, int], str] = "{} {}".format
    _sent_at: dict[int, float] = field(default_factory=dict)
    _stream: trio.SocketStream | None = None
    _sent_before: int = 0  # by earlier connections
    _chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def live(self) -> None:
        """Keep a connection, and read the answers."""
        while True:
            port = self.ports[self.connects % len(self.ports)]
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                self.connects += 1
                async with stream:
                    self._stream, self._sent_before = stream, self.sent
                    await self._read(stream)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            self._stream = None
            await trio.sleep(0.1 + 0.2 * self._chance.random())

    async def _read(self, stream: trio.SocketStream) -> None:
        buffer = b""
        async for data in stream:
            *lines, buffer = (buffer + data).split(b"\r\n")
            for line in lines:
                self._take(line.decode(errors="replace"))

    def _take(self, line: str) -> None:
        verb, _, number = line[max(line.rfind("ok "), line.rfind("heard "), line.rfind("stat "), 0) :].partition(" ")
        if verb == "heard":
            self.heard += 1
        elif verb == "stat":
            self.stat = tuple(map(int, number.split()))
        elif verb == "ok":
            self._check(int(number))
        elif any(text in line for text in NOTICES):
            self.notices += 1
        elif line.strip("> "):
            self.strange.append(line)

    def _check(self, number: int) -> None:
        explained = max(self.answered, self._sent_before)
        if not self.note_answer(number):
            return
        self.unexplained += max(0, number - explained - 1)
        self.last = time.time()
        if (began := self._sent_at.pop(number, None)) is not None:
            self.delays.append(self.last - began)

    async def say(self, verb: str = "say") -> None:
        """Send the next number, if there is a connection."""
        if (stream := self._stream) is not None:
            self.sent += 1
            self._sent_at[self.sent] = time.time()
            try:
                await stream.send_all(f"{self.line(verb, self.sent)}\r\n".encode())
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                return


class CountingCrowd:
    """All players.

    Attributes:
        players: The players.
    """

    def __init__(self, count: int, ports: Sequence[int], every: float, *, shouts: float = 0.0) -> None:
        self.players = [
            Counting([*ports[n % len(ports) :], *ports[: n % len(ports)]], _chance=random.Random(n))
            for n in range(count)
        ]
        self._every = every
        self._shouts = shouts
        self._speaks = trio.CancelScope()

    @property
    def last(self) -> float:
        """The time of the last answer to any of them."""
        return max(player.last for player in self.players)

    def total(self, what: str) -> int:
        """Return the sum of an attribute."""
        return sum(getattr(player, what) for player in self.players)

    async def heard_since(self, moment: float, within: float = 60.0) -> float:
        """Wait until a player is answered after a moment; return the seconds between them."""
        with trio.fail_after(within):
            while self.last <= moment:  # noqa: ASYNC110 - of other processes
                await trio.sleep(0.002)
        return self.last - moment

    async def settled(self, within: float = 30.0) -> None:
        """Stop the players, and wait until all lines are answered."""
        self._speaks.cancel()
        with trio.move_on_after(within):
            while any(player.answered < player.sent for player in self.players):  # noqa: ASYNC110 - of other processes
                await trio.sleep(0.02)

    async def stats(self) -> tuple[int, int, int]:
        """Ask the world what it has heard of the present connections: lines, doubled, missed."""
        for player in self.players:
            player.stat = ()
            if player._stream is not None:
                await player._stream.send_all(b"stat\r\n")
        with trio.fail_after(30):
            while not all(player.stat for player in self.players):  # noqa: ASYNC110 - of other processes
                await trio.sleep(0.01)
        heard, doubled, missed = map(sum, zip(*(player.stat for player in self.players), strict=True))
        return heard, doubled, missed

    async def _speak(self, player: Counting, chance: random.Random) -> None:
        await trio.sleep(chance.random() * self._every)
        due = trio.current_time()
        while True:
            await player.say("shout" if chance.random() < self._shouts else "say")
            due += self._every
            await trio.sleep_until(due)

    async def _all_speak(self) -> None:
        with self._speaks:
            async with trio.open_nursery() as nursery:
                for number, player in enumerate(self.players):
                    nursery.start_soon(self._speak, player, random.Random(-number))


@asynccontextmanager
async def speaking(crowd: CountingCrowd) -> AsyncGenerator[CountingCrowd]:
    """Let the players connect, and speak for the length of the block."""
    async with trio.open_nursery() as nursery:
        for player in crowd.players:
            nursery.start_soon(player.live)
        with trio.fail_after(30):
            while not all(player._stream for player in crowd.players):  # noqa: ASYNC110 - of other processes
                await trio.sleep(0.01)
        nursery.start_soon(crowd._all_speak)
        yield crowd
        nursery.cancel_scope.cancel()
