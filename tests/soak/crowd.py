"""The crowd: players who count their lines, and malicious peers.

Each is a coroutine on a loopback socket, from an address of its own in 127.0.0.0/8; only Linux has all of them,
elsewhere all peers connect from 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.bench.storms import AGREED, BEFORE, KINDS, MOST, STORMS, filled
from tests.fuzz.mutator import inputs
from tests.fuzz.targets import TARGETS
from trio_mud import Texts
from trio_mud.telnet.client import TelnetClient
from trio_mud.telnet.codes import IAC, NAWS, SB, SE, WILL

from .process import IS_LINUX

CANARY: Final = "canary-9b1f"  # every honest player's password; it must be in no log
TEXTS: Final = Texts()
TELNET: Final = Subprotocol("telnet.mudstandards.org")
SHUTDOWN: Final = TEXTS.shutdown
PATIENCE: Final = 20.0  # seconds for one answer; machines are shared
LINE: Final = 4096  # bytes of the longest line
SHOUTED: Final = ("漢字", "a\t", "\N{COMBINING ACUTE ACCENT}e", "word ", "한국어 ")  # again and again
WIDTHS: Final = (80, 100, 120, 132)  # columns; a text is rendered once for all whose window has one width
SHOUTS_EVERY: Final = 0.5  # seconds, on average
RETRY: Final = 0.5  # seconds at least between two connections of one who was thrown out


class Lost(Exception):
    """The connection ended, or an answer did not arrive."""


@dataclass
class SoakTally:
    """The observations of the crowd.

    Attributes:
        connected: Connections made.
        seen: Number of peers by observation: "ticks", "refused: full", "ended: farewell" and others.
        latencies: Seconds from a line to its answer, of honest players.
        problems: Failures of honest players, in words.
        lines: Lines of honest players that were answered.
    """

    connected: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lines: int = 0


class Caller:
    """One connection, read line by line; telnet is left out, and not answered, as `nc` does."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.socket = sock
        self._text = b""
        self._client = TelnetClient((), self._hear)

    async def connect(self) -> None:
        """Do what comes before the first line."""

    async def send(self, data: bytes) -> None:
        """Send all of it; raises Lost if the connection has ended."""
        try:
            while data:
                data = data[await self.socket.send(data) :]
        except OSError as error:
            raise Lost(f"cannot send: {error}") from error

    async def until(self, what: str) -> str:
        """Return everything up to and including a text; raise Lost if it does not arrive."""
        wanted = what.encode()
        with trio.move_on_after(PATIENCE):
            while (found := self._text.find(wanted)) < 0:
                if not await self._read():
                    raise Lost(f"the end came before {what!r}, behind {self._text[-200:]!r}")
            end = found + len(wanted)
            passed, self._text = self._text[:end], self._text[end:]
            return passed.decode(errors="replace")
        raise Lost(f"{what!r} did not come within {PATIENCE:g} s, behind {self._text[-200:]!r}")

    async def rest(self) -> str:
        """Everything up to the end."""
        with trio.move_on_after(PATIENCE):
            while await self._read():
                pass
            return self._text.decode(errors="replace")
        raise Lost(f"the end did not come within {PATIENCE:g} s")

    async def sees_one_of(self, texts: Mapping[str, str], within: float = PATIENCE) -> str:
        """Read until one of these texts has come, and return the word for it."""
        with trio.move_on_after(within):
            while True:
                shown = self._text.decode(errors="replace")
                for text, word in texts.items():
                    if text in shown:
                        return word
                if not await self._read():
                    raise Lost(f"the end came behind {shown!r}")
        raise Lost(f"nothing known came within {within:g} s, but {self._text!r}")

    async def _read(self) -> bool:
        try:
            data = await self.socket.recv(65536)
        except OSError as error:
            raise Lost(f"{error}, behind {self._text[-200:]!r}") from error
        await self._take(data)
        return bool(data)

    async def _take(self, data: bytes) -> None:
        """Take received bytes."""
        self._client.receive(data)

    def _hear(self, data: bytes) -> None:
        self._text += data


class WebCaller(Caller):
    """One connection by WebSocket, whose subprotocol is telnet."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        super().__init__(sock)
        self._protocol = ClientProtocol(parse_uri("ws://mud.example/"), subprotocols=[TELNET])

    async def connect(self) -> None:
        """Ask for the WebSocket, and wait for the answer."""
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state is not OPEN:
            if not await self._read():
                raise Lost(f"the handshake failed: {self._protocol.handshake_exc!r}")

    async def send(self, data: bytes) -> None:
        """Send a message; raises Lost if the connection has ended."""
        self._protocol.send_binary(data)
        await self._flush()

    async def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data) if data else self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self._client.receive(bytes(event.data))
        await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await super().send(data)


@contextlib.asynccontextmanager
async def call(
    port: int, source: str, tally: SoakTally, *, buffer: int | None = None, by: type[Caller] = Caller
) -> AsyncIterator[Caller]:
    """Connect from an address; closed at the end of the block.

    Args:
        buffer: Bytes of the kernel's receive buffer.
        by: The kind of the caller.
    """
    with trio.socket.socket() as sock:
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if IS_LINUX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await sock.bind((source, 0))
        try:
            with trio.fail_after(PATIENCE):
                await sock.connect(("127.0.0.1", port))
        except (OSError, trio.TooSlowError) as error:
            raise Lost(f"cannot connect: {error}") from error
        tally.connected += 1
        caller = by(sock)
        await caller.connect()
        yield caller


def home(street: int, number: int) -> str:
    """Return an address: each street is a /16 network, with 250 peers in each of its /24 blocks."""
    return f"127.{street}.{number // 250}.{number % 250 + 1}"


# Those who are honest


async def log_in(caller: Caller, name: str) -> None:
    """Answer name and hidden password."""
    await caller.until("Name? ")
    await caller.send(f"{name}\r\n".encode())
    await caller.until("Password? ")
    await caller.send(f"{CANARY}\r\n".encode())
    await caller.until(f"Welcome, {name}.\r\n")


async def honest(
    port: int, number: int, tally: SoakTally, until: trio.Event, *, pace: float, by: type[Caller] = Caller
) -> None:
    """Number every line, and hold the world to the numbers, until it is time to quit or the server shuts down.

    Args:
        pace: Seconds between two bursts of lines, on average.
        by: The kind of the caller.
    """
    chance = random.Random(number)
    name = f"honest-{number}"
    try:
        async with call(port, home(1, number), tally, by=by) as caller:
            await log_in(caller, name)
            await trio.sleep(chance.random() * pace)
            said = 0
            while not until.is_set():
                said = await _say_some(caller, tally, said, chance.choice((1, 1, 1, 1, 4, 12)))
                if said < 0:
                    return
                with trio.move_on_after(chance.uniform(0.5, 1.5) * pace):
                    await until.wait()
            await caller.send(b"quit\r\n")
            rest = await caller.rest()
            if "echo" in rest or not rest.endswith("Farewell.\r\n"):
                raise Lost(f"its farewell was {rest[-200:]!r}")
            tally.seen["ended: farewell"] += 1
    except Lost as error:
        tally.problems.append(f"{name}: {error}")


async def _say_some(caller: Caller, tally: SoakTally, said: int, count: int) -> int:
    """Send the next numbers and read the answers, in order and without a gap; return the last, -1 after a shutdown."""
    numbers = range(said + 1, said + count + 1)
    began = time.perf_counter()
    heard = said
    try:
        await caller.send(b"".join(b"say %d\r\n" % number for number in numbers))
        while heard < numbers[-1]:
            line = (await caller.until("\n")).rstrip("\r\n")
            if line.startswith("echo "):
                if line != f"echo {heard + 1}":
                    raise Lost(f"after {heard} came {line!r}")
                heard += 1
                tally.lines += 1
            elif line == SHUTDOWN:
                return await _see_the_end(caller, tally)
    except Lost as error:
        if SHUTDOWN in str(error):
            return await _see_the_end(caller, tally)
        raise
    if count == 1:
        tally.latencies.append(time.perf_counter() - began)
    return heard


async def _see_the_end(caller: Caller, tally: SoakTally) -> int:
    """Check that nothing follows the farewell, and that the connection is closed in order."""
    if rest := (await caller.rest()).replace(SHUTDOWN, "").strip():
        raise Lost(f"behind the last words came {rest[-200:]!r}")
    tally.seen["ended: last words"] += 1
    return -1


# Those who are not; each comes again when it was thrown out


async def drips_before_login(caller: Caller, chance: random.Random) -> None:
    """Slowloris: a byte now and then, and never a name."""
    while True:
        await caller.send(b"z")
        await trio.sleep(chance.uniform(0.5, 3))


async def drips_after_login(caller: Caller, chance: random.Random) -> None:
    """Slowloris, past the password."""
    await caller.send(b"slow\r\nloris\r\n")
    await drips_before_login(caller, chance)


async def never_reads(caller: Caller, chance: random.Random) -> None:
    """Asks for pages, and reads none."""
    await caller.send(b"deaf\r\nears\r\n" + b"read\r\n" * 60)
    while True:
        await caller.send(b"read\r\n")
        await trio.sleep(chance.uniform(0.5, 1.5))


async def fuzzes(caller: Caller, chance: random.Random) -> None:
    """Sends random telnet and text, and reads the answers."""
    engine, text = (inputs(TARGETS[name], chance.randrange(1 << 30)) for name in ("engine", "text"))
    if chance.random() < 0.5:
        await caller.send(b"fuzz\r\nfuzz\r\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_forgets, caller)
        while True:
            await caller.send(next(engine if chance.random() < 0.7 else text) + b"\r\n" * chance.randrange(2))
            await trio.sleep(chance.uniform(0.05, 0.3))


async def storms(what: str, caller: Caller, chance: random.Random) -> None:
    """Sends one kind of telnet command or payload without end, and reads what comes."""
    await caller.send(b"storm\r\nstorm\r\n" + AGREED + BEFORE.get(what, b""))
    data = filled(KINDS[what], MOST)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_forgets, caller)
        while True:
            await caller.send(data)


async def listens(caller: Caller, chance: random.Random) -> None:
    """Joins the room, with a window of one of the usual sizes, and reads everything shouted there."""
    size = bytes((IAC, WILL, NAWS, IAC, SB, NAWS, 0, chance.choice(WIDTHS), 0, 24, IAC, SE))
    await caller.send(size + b"ears\r\nears\r\nlisten\r\n")
    await _forgets(caller)


async def shouts(caller: Caller, chance: random.Random) -> None:
    """Sends lines to the room that are as long as a line can be, and costly to wrap."""
    await caller.send(b"mouth\r\nmouth\r\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_forgets, caller)
        while True:
            text = chance.choice(SHOUTED) * LINE
            await caller.send(
                b"shout " + text.encode()[: LINE - len(b"shout ")].decode(errors="ignore").encode() + b"\r\n"
            )
            await trio.sleep(chance.uniform(0.5, 1.5) * SHOUTS_EVERY)


async def raves(caller: Caller, chance: random.Random) -> None:
    """Fills the room with lines as fast as the server takes them, always as the same player."""
    await caller.send(b"raver\r\nraver\r\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_forgets, caller)
        while True:
            await caller.send(b"shout spam\r\n" * 50)


async def besieges(caller: Caller, chance: random.Random) -> None:
    """Comes under another name each time, and shouts."""
    await caller.send(b"siege%d\r\nsiege\r\n" % chance.randrange(1 << 30))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_forgets, caller)
        while True:
            await trio.sleep(chance.uniform(0.5, 1.5) * SHOUTS_EVERY)
            await caller.send(b"shout siege\r\n")


async def _forgets(caller: Caller) -> None:
    while await caller.socket.recv(65536):
        pass
    raise Lost("thrown out")


HOSTILE: Final[dict[str, Callable[[Caller, random.Random], Awaitable[None]]]] = {
    "drips before login": drips_before_login,
    "drips after login": drips_after_login,
    "never reads": never_reads,
    "fuzzes": fuzzes,
    "listens": listens,
    "shouts": shouts,
    "raves": raves,
    "besieges": besieges,
    **{f"storms: {what}": partial(storms, what) for what in STORMS if what in KINDS},
}


def street_of(kind: str) -> int:
    """Return the street of all peers of one kind."""
    return 10 + list(HOSTILE).index(kind)


async def hostile(port: int, kind: str, number: int, tally: SoakTally, until: trio.Event) -> None:
    """Play a part, again and again, until it is time to go; then half of them leave by a reset."""
    chance = random.Random(f"{kind} {number}")
    while not until.is_set():
        try:
            async with call(
                port, home(street_of(kind), number), tally, buffer=4096 if kind == "never reads" else None
            ) as caller:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_play, kind, caller, chance, nursery.cancel_scope)
                    nursery.start_soon(_cancel_on, until, nursery.cancel_scope)
                if chance.random() < 0.5:
                    caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except Lost:
            tally.seen[f"{kind}: could not connect"] += 1
        if not until.is_set():
            tally.seen[f"{kind}: thrown out"] += 1
            await trio.sleep(RETRY * chance.uniform(1, 3))


async def _play(kind: str, caller: Caller, chance: random.Random, over: trio.CancelScope) -> None:
    try:
        await HOSTILE[kind](caller, chance)
    except* (Lost, OSError):
        over.cancel()


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


# Those who storm the door


VERDICTS: Final = {  # what the door says, and the server's counter that counts it
    "Name? ": "admitted",
    "You are banned.": "refused: vetoed",
    TEXTS.server_full: "refused: full",
    TEXTS.too_many_from_address: "refused: too many from here",
}


async def stormer(port: int, source: str, tally: SoakTally, stay: trio.Event | None = None) -> None:
    """Connect, read the first output, count it by kind, and disconnect. An admitted peer may remain for a while."""
    try:
        async with call(port, source, tally) as caller:
            word = await caller.sees_one_of(VERDICTS)
            tally.seen[word] += 1
            if word != "admitted":
                await caller.rest()
            elif stay is not None:
                await stay.wait()
    except Lost as error:
        tally.problems.append(f"a stormer from {source}: {error}")
