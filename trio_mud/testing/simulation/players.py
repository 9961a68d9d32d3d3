"""A simulated player: a pipe to the real server, a program that answers telnet or does not, and what became of both.

Who uses it: `deeds` let it act; the invariants read what it typed, sent and read.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import trio

from ...telnet.codes import IAC, MCCP3, SB, SE
from ..packing import SendsMccp3, TakesCharset, TakesMccp2
from ..terminal import Terminal
from .network import PlayersEnd, Quality, WatchedPipe

CANARY: Final = "canary-"  # how every password begins that a simulated player types

PATIENCE: Final = 5.0  # seconds that one waits for a prompt

_PROGRAMS: Final[dict[str, Callable[[], Terminal | None]]] = {
    "mute": lambda: None,  # netcat: it says nothing of its own
    "terminal": Terminal,
    "window": lambda: Terminal(80, 24, ("XTERM",)),
    "modern": lambda: Terminal(100, 30, ("MUDLET", "XTERM-256COLOR", "MTTS 13"), gmcp=("Room", "Comm.Channel")),
    "packed": lambda: Terminal(more=[TakesMccp2(), TakesCharset(("UTF-8",))]),
    "packed both ways": lambda: Terminal(more=[TakesMccp2(), SendsMccp3()]),
    "western": lambda: Terminal(more=[TakesCharset(("ISO-8859-1",))]),
    "western packed": lambda: Terminal(more=[TakesMccp2(), TakesCharset(("ISO-8859-1",))]),
}
PROGRAMS: Final = tuple(_PROGRAMS)

_START_OF_STREAM: Final = bytes((IAC, SB, MCCP3, IAC, SE))  # what the player sends behind it is compressed


class Player:
    """One connection's peer.

    Attributes:
        number: In the order they came; its address tells it, too.
        read: Every byte it read, inflated if it was compressed; `unreadable` tells why it could not go on.
        meant: Every byte it sent, before it was compressed; also what was on its way when the link broke.
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
        self.unreadable = ""
        self.meant = bytearray()
        self.typed = 0
        self.mishaps: set[str] = set()
        self.secrets: list[str] = []
        self.came_at = trio.current_time()
        self._deflater: zlib._Compress | None = None  # while it compresses
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

    def encode(self, text: str) -> bytes:
        """In the charset of its program."""
        return text.encode("utf-8" if self.terminal is None else self.terminal.engine.charset, "replace")

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
                    await self._hears_more()
                await self._send(f"{secret}\r\n".encode())

    async def break_word(self, before: Sequence[str], behind: Sequence[str], *, ends_stream: bool) -> None:
        """As soon as it compresses, type lines, then plain ones in the middle of the stream or behind its end."""
        async with self._hand:
            with trio.move_on_after(PATIENCE):
                while self._deflater is None:
                    await self._hears_more()
            await self._send(self.encode("".join(f"{line}\r\n" for line in before)))
            plain = self.encode("".join(f"{line}\r\n" for line in behind))
            await self._send(plain, ends_stream=ends_stream, is_plain=True)

    async def _hears_more(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    async def _send(self, data: bytes, *, ends_stream: bool = False, is_plain: bool = False) -> None:
        try:
            async with self._line:
                if self.can_type:
                    self.meant += data
                    await self.client.send_all(self._packed(data, ends_stream, is_plain))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def _packed(self, data: bytes, ends_stream: bool, is_plain: bool) -> bytes:
        """What goes over the wire for these bytes."""
        before = b""
        if self._deflater is not None and ends_stream:
            before, self._deflater = self._deflater.flush(zlib.Z_FINISH), None
        if self._deflater is None and not is_plain and _START_OF_STREAM in data:
            before, marker, data = data.partition(_START_OF_STREAM)
            before += marker
            self._deflater = zlib.compressobj()
            self._news.set()
        if self._deflater is None or is_plain:
            return before + data
        return before + self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)  # at once, as TinTin++

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
                self.read += data if self.terminal is None else self.terminal.receive(data)
                self._news.set()
                if self.terminal is not None and (answer := self.terminal.data_to_send()):
                    self._start(partial(self._send, answer))  # who waited for that would not read
            await self.client.aclose()
        except zlib.error as error:
            self.unreadable = str(error)
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
