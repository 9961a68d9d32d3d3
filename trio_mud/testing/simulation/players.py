"""A simulated player: a pipe to the real server, and a program that may answer telnet.

Actions control it; the invariants read what it typed, sent and received.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import trio

from ...telnet.client import TakesMccp2
from ...telnet.codes import IAC, MCCP3, SB, SE
from ..gmcp import Return
from ..packing import SendsMccp3, TakesCharset
from ..terminal import Terminal
from ..web_wire import WebWire
from .doors import TELNET, make_wire
from .network import PlayersEnd, Quality, WatchedPipe

CANARY: Final = "canary-"  # the beginning of every password typed by a simulated player

GOING_AWAY: Final = 1001  # the code of a browser whose tab is closed
PATIENCE: Final = 5.0  # seconds to wait for a prompt

_PROGRAMS: Final[dict[str, Callable[[Return | None], Terminal | None]]] = {
    "mute": lambda _: None,  # netcat: sends nothing by itself
    "terminal": lambda _: Terminal(),
    "window": lambda _: Terminal(80, 24, ("XTERM",)),
    "modern": lambda returns: Terminal(
        *(100, 30, ("MUDLET", "XTERM-256COLOR", "MTTS 13")), gmcp=("Room", "Comm.Channel", "Session"), returns=returns
    ),
    "packed": lambda _: Terminal(more=[TakesMccp2(), TakesCharset(("UTF-8",))]),
    "packed both ways": lambda _: Terminal(more=[TakesMccp2(), SendsMccp3()]),
    "western": lambda _: Terminal(more=[TakesCharset(("ISO-8859-1",))]),
    "western packed": lambda _: Terminal(more=[TakesMccp2(), TakesCharset(("ISO-8859-1",))]),
}
PROGRAMS: Final = tuple(_PROGRAMS)
REJECTS_UTF_8: Final = frozenset({"western", "western packed"})

_START_OF_STREAM: Final = bytes((IAC, SB, MCCP3, IAC, SE))  # output after it is compressed


class SimulatedPlayer:
    """The peer of one connection.

    Attributes:
        number: In the order of connecting; part of its address.
        read: Every byte received, inflated if necessary; `unreadable` is the reason if that failed.
        typed: Lines typed so far, whether or not they arrived.
        outcome: The action of the game's connect hook on it, if it uses this.
        faults: Faults of its link: of "reset", "closed", "eof", "stalled", "deaf", "garbled", "stranger".
        came_at: The time of its connect.
        came_from: The player whose token it presents; None for most.
        shown_before: The text that `came_from` had shown at that time.
        returns: What it presents for its return; None for most.
        door: One of `doors`.
        wire: Its side of the door; None if it sends its bytes as they are.
    """

    def __init__(
        self,
        number: int,
        address: str,
        quality: Quality,
        program: str,
        random: Random,
        outcome: str,
        start: Callable[[Callable[[], Awaitable[object]]], object],
        came_from: SimulatedPlayer | None = None,
        *,
        returns: Return | None = None,
        door: str = TELNET,
    ) -> None:
        self.number = number
        self.address = address
        self.quality = quality
        self.program = program
        self.outcome = outcome
        self.came_from = came_from
        former = None if came_from is None else came_from.terminal
        self.returns = returns if returns is not None or former is None else former.returns
        is_empty = self.returns is not None and self.returns.lines < 0  # a page that was loaded again
        self.shown_before = "" if former is None or is_empty else former.text
        self.terminal: Terminal | None = _PROGRAMS[program](self.returns)
        self.door = door
        self.wire = make_wire(door, random)
        if self.wire is not None and self.terminal is not None:
            self.terminal.receive(self.wire.greeting)
            self.wire.send(self.terminal.data_to_send())
        self.pipe = WatchedPipe(quality, address, random)
        self.read = bytearray()
        self.unreadable = ""
        self._meant = bytearray()
        self.typed = 0
        self.faults: set[str] = set()
        self.secrets: list[str] = []
        self.came_at = trio.current_time()
        self._deflater: zlib._Compress | None = None  # set while it compresses
        self._start = start  # starts a task for work that may wait
        self._hand = trio.StrictFIFOLock()  # held for typed input
        self._line = trio.StrictFIFOLock()  # held for all output, typed or from the program
        self._ear: trio.CancelScope | None = None
        self._news = trio.Event()
        self._may_read = trio.Event()
        self._may_read.set()

    def __str__(self) -> str:
        faults = ", ".join(sorted(self.faults)) or "untouched"
        return f"player {self.number} (by {self.door}, {self.program}, {self.outcome}, {faults})"

    @property
    def client(self) -> PlayersEnd:
        """Its end of the pipe."""
        return self.pipe.client

    @property
    def meant(self) -> bytes:
        """Every telnet byte sent, before compression; including bytes in transit when the link broke."""
        return bytes(self._meant) if self.wire is None else self.wire.telnet()

    @property
    def sent(self) -> bytes:
        """Every telnet byte that was put into the pipe, as a server reads it."""
        sent = self.client.sent
        return bytes(sent) if self.wire is None else self.wire.telnet(len(sent))

    @property
    def can_type(self) -> bool:
        """True if it has not ended its input."""
        return not self.faults & {"reset", "closed", "eof"}

    @property
    def reads_all(self) -> bool:
        """True if its link had no fault, so that all output sent in time arrives."""
        return self.quality.is_swift and not self.faults & {"reset", "closed", "stalled", "deaf"}

    def encode(self, text: str) -> bytes:
        """Encode text in the charset of its program."""
        return text.encode("utf-8" if self.terminal is None else self.terminal.engine.charset, "replace")

    # Actions

    async def type(self, data: bytes) -> None:
        """Type, after all earlier input."""
        async with self._hand:
            await self._send(data)

    async def answer(self, line: str, *questions: str) -> None:
        """Type a line, and the answer to each question after its prompt appears, with no other input between.

        Args:
            line: The line that leads to the first question.
            questions: The prompt of a question, its answer, and so on; the rest is left out if one does not come.
        """
        async with self._hand:
            await self._send(f"{line}\r\n".encode())
            for prompt, answer in zip(questions[::2], questions[1::2], strict=True):
                with trio.move_on_after(PATIENCE) as patience:
                    while prompt.encode() not in self.read:
                        await self._hears_more()
                if patience.cancelled_caught:
                    return
                await self._send(f"{answer}\r\n".encode())  # never cut, which would break a compressed stream

    async def break_word(self, before: Sequence[str], behind: Sequence[str], *, ends_stream: bool) -> None:
        """Once it compresses, type lines, then plain ones inside the stream or after its end."""
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
                    await self.client.send_all(self._framed(data, ends_stream, is_plain))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _flush(self) -> None:
        """Send what its wire has queued."""
        await self._send(b"")

    def _framed(self, data: bytes, ends_stream: bool, is_plain: bool) -> bytes:
        if self.wire is None:
            self._meant += data
            return self._packed(data, ends_stream, is_plain)
        if data:
            self.wire.send(data)
        return self.wire.data_to_send()

    def _packed(self, data: bytes, ends_stream: bool, is_plain: bool) -> bytes:
        """Return the bytes to send for this input, compressed if a stream is on."""
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
        """Read and answer telnet until the end."""
        if self.wire is not None:
            self._start(self._flush)
        try:
            while True:
                await self._may_read.wait()
                with trio.CancelScope() as self._ear:
                    data = await self.client.receive_some()
                if self._ear.cancelled_caught:
                    continue
                if not data:
                    break
                if self.wire is not None:
                    data = self.wire.receive(data)
                    if self.wire.has_data_to_send:
                        self._start(self._flush)
                self.read += data if self.terminal is None else self.terminal.receive(data)
                self._news.set()
                if self.terminal is not None and (answer := self.terminal.data_to_send()):
                    self._start(partial(self._send, answer))  # a task, because waiting would stop reading
            await self.client.aclose()
        except zlib.error as error:
            self.unreadable = str(error)
            await self.client.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def vanish(self) -> None:
        """Reset the link."""
        self.faults.add("reset")
        self.pipe.reset()

    async def hang_up(self) -> None:
        """Close the link."""
        self.faults.add("closed")
        self.be_deaf()
        await self.client.aclose()

    def send_raw(self, *frames: bytes) -> bool:
        """Send bytes to the web port that need not be frames; return False by another door."""
        if not isinstance(self.wire, WebWire) or not self.can_type:
            return False
        for frame in frames:
            self.wire.send_raw(frame)
        self._start(self._flush)
        return True

    async def end_input(self) -> None:
        """Send the end of file, after all earlier output; of a layer that has its own, that one."""
        try:
            async with self._hand, self._line:
                if not self.can_type:
                    return
                self.faults.add("eof")
                if self.wire is None or self.number % 2:
                    await self.client.send_eof()
                else:
                    self.faults.add("closed")  # a server sends nothing more
                    self.wire.close(GOING_AWAY)
                    await self.client.send_all(self.wire.data_to_send())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def stall(self) -> None:
        """Stop all delivery."""
        self.faults.add("stalled")
        self.client.stall()

    def be_deaf(self) -> None:
        """Stop reading."""
        self.faults.add("deaf")
        self._may_read = trio.Event()
        if self._ear is not None:
            self._ear.cancel()

    def recover(self) -> None:
        """Resume reading and delivery."""
        self.client.resume()
        if "closed" not in self.faults:
            self._may_read.set()

    def next_secret(self) -> str:
        """Return a password that no other player types."""
        secret = f"{CANARY}{self.number}-{len(self.secrets)}-end"
        self.secrets.append(secret)
        return secret
