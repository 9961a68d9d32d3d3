"""A simulated player: a pipe to the real server, a program that answers telnet or does not, and what became of both.

Who uses it: `deeds` let it act; the invariants read what it typed, sent and read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Final

import trio

from ..terminal import Terminal
from .network import PlayersEnd, Quality, WatchedPipe

CANARY: Final = "canary-"  # how every password begins that a simulated player types

PATIENCE: Final = 5.0  # seconds that one waits for a prompt

_PROGRAMS: Final[dict[str, Callable[[], Terminal | None]]] = {
    "mute": lambda: None,  # netcat: it says nothing of its own
    "terminal": Terminal,
    "window": lambda: Terminal(80, 24, ("XTERM",)),
    "modern": lambda: Terminal(100, 30, ("MUDLET", "XTERM-256COLOR", "MTTS 13"), gmcp=("Room", "Comm.Channel")),
}
PROGRAMS: Final = tuple(_PROGRAMS)


class Player:
    """One connection's peer.

    Attributes:
        number: In the order they came; its address tells it, too.
        read: Every byte it read.
        typed: Lines typed so far, whether or not they got through.
        fate: What the game does to it at the door, if the game looks.
        mishaps: What happened to its link: of "reset", "closed", "eof", "stalled", "deaf", "garbled", "stranger".
        came_at: When it stood at the door.
    """

    def __init__(
        self,
        number: int,
        address: str,
        quality: Quality,
        program: str,
        random: Random,
        fate: str,
        start: Callable[[Callable[[], Awaitable[object]]], object],
    ) -> None:
        self.number = number
        self.address = address
        self.quality = quality
        self.program = program
        self.fate = fate
        self.terminal: Terminal | None = _PROGRAMS[program]()
        self.pipe = WatchedPipe(quality, address, random)
        self.read = bytearray()
        self.typed = 0
        self.mishaps: set[str] = set()
        self.secrets: list[str] = []
        self.came_at = trio.current_time()
        self._start = start  # runs what may wait beside everything else
        self._hand = trio.StrictFIFOLock()  # whoever types
        self._line = trio.StrictFIFOLock()  # whatever is sent, by the hand or by the program
        self._ear: trio.CancelScope | None = None
        self._news = trio.Event()
        self._may_read = trio.Event()
        self._may_read.set()

    def __str__(self) -> str:
        return f"player {self.number} ({self.program}, {self.fate}, {', '.join(sorted(self.mishaps)) or 'untouched'})"

    @property
    def client(self) -> PlayersEnd:
        """Its end of the pipe."""
        return self.pipe.client

    @property
    def can_type(self) -> bool:
        """Whether it has not ended its input."""
        return not self.mishaps & {"reset", "closed", "eof"}

    @property
    def reads_all(self) -> bool:
        """Whether its link was never touched, so that whatever the server sends in time arrives."""
        return self.quality.is_swift and not self.mishaps & {"reset", "closed", "stalled", "deaf"}

    # What it does

    async def type(self, data: bytes) -> None:
        """Type, after all that it types already."""
        async with self._hand:
            await self._send(data)

    async def answer(self, line: str, prompt: str, secret: str) -> None:
        """Type a line, and when its prompt is on the screen a secret, and nothing between."""
        async with self._hand:
            await self._send(f"{line}\r\n".encode())
            with trio.move_on_after(PATIENCE):
                while prompt.encode() not in self.read:
                    self._news = trio.Event()
                    await self._news.wait()
                await self._send(f"{secret}\r\n".encode())

    async def _send(self, data: bytes) -> None:
        try:
            async with self._line:
                if self.can_type:
                    await self.client.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def listen(self) -> None:
        """Read, and answer telnet, until the end."""
        try:
            while True:
                await self._may_read.wait()
                with trio.CancelScope() as self._ear:
                    data = await self.client.receive_some()
                if self._ear.cancelled_caught:
                    continue
                if not data:
                    break
                self.read += data
                self._news.set()
                if self.terminal is not None:
                    self.terminal.receive(data)
                    if answer := self.terminal.data_to_send():
                        self._start(partial(self._send, answer))  # who waited for that would not read
            await self.client.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def vanish(self) -> None:
        """Reset the link."""
        self.mishaps.add("reset")
        self.pipe.reset()

    async def hang_up(self) -> None:
        """Close the link."""
        self.mishaps.add("closed")
        self.be_deaf()
        await self.client.aclose()

    async def end_input(self) -> None:
        """Send the end of file, after all that it sends already."""
        try:
            async with self._hand, self._line:
                if self.can_type:
                    self.mishaps.add("eof")
                    await self.client.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def stall(self) -> None:
        """Let nothing arrive."""
        self.mishaps.add("stalled")
        self.client.stall()

    def be_deaf(self) -> None:
        """Read no more."""
        self.mishaps.add("deaf")
        self._may_read = trio.Event()
        if self._ear is not None:
            self._ear.cancel()

    def recover(self) -> None:
        """Read on, and let everything arrive."""
        self.client.resume()
        if "closed" not in self.mishaps:
            self._may_read.set()

    def next_secret(self) -> str:
        """A password that nobody else types."""
        secret = f"{CANARY}{self.number}-{len(self.secrets)}-end"
        self.secrets.append(secret)
        return secret
