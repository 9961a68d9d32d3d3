"""Storms: the cost of a flood of each kind of telnet command and payload, and its effect on others.

Three figures, each with a bound (`bounds.py` checks them):

- CPU of parsing a kind, per KiB, without any budget, 4 KiB at a time as from a socket and 64 KiB at once. The greater
  one counts, so that a cost that grows faster than its bytes shows.
- CPU of the server process for one connection that never stops, once its burst is spent.
- How long a slow typist waits for an echo beside ten such connections.

The first runs in this process, the others start a server and sockets on loopback.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from tests.bench.bounds import BoundRow
from trio_mud import Hooks, Limits
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet.codes import (
    ABORT,
    AO,
    AYT,
    BRK,
    CHARSET,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
    GMCP,
    IAC,
    IP,
    MCCP2,
    MCCP3,
    MSDP,
    NAWS,
    NEW_ENVIRON,
    NOP,
    SB,
    SE,
    SGA,
    TIMING_MARK,
    TTYPE,
    WILL,
    WONT,
)
from trio_mud.testing import open_mud

HERE = Path(__file__).resolve().parent
KIB = 1024
READ = 4 * KIB  # bytes a read, as from a socket
LONG = 4 * KIB  # bytes of a long line
MOST = 64 * KIB  # bytes given at once
REPETITIONS = 5
ATTACKERS = 10
SECONDS = 3.0  # of each storm over sockets, once the bursts are spent
TYPING = 5.0  # seconds of the typist, from the beginning of the storms
PACE = 0.035  # seconds between two lines; `command_rate` lets 160 through in that time
DRIP = 0.001  # seconds between two bytes that come one at a time: each needs a read of its own

MOST_PARSING = 2.0  # ms of CPU per KiB
MOST_STORMING = 10.0  # ms of CPU a second
MOST_WAITING = 50.0  # ms


def command(*codes: int) -> bytes:
    return bytes((IAC, *codes))


def payload(code: int, content: bytes = b"") -> bytes:
    return bytes((IAC, SB, code)) + content.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))


def array(members: list[bytes]) -> bytes:
    """The value of an MSDP variable: several values."""
    return b"".join(b"\x02" + member for member in members)


def nested(depth: int, inner: bytes) -> bytes:
    """An MSDP value in which each table holds two values, the second of which is the next table."""
    for _ in range(depth):
        inner = b"\x02x\x02\x03\x01a" + inner + b"\x04"
    return inner


WORDS = [b"%x" % number for number in range(2000)]
EMPTY_STREAM = zlib.compress(b"")

# Told by hand which kinds there are: every command, every option with a payload, and the odd cases of each.
KINDS: dict[str, bytes] = {
    "NOP": command(NOP),
    "AO": command(AO),
    "AYT": command(AYT),
    "EC": command(EC),
    "EC behind letters": b"a" + command(EC),
    "EL behind letters": b"ab" + command(EL),
    "EC behind accents": "e\N{COMBINING ACUTE ACCENT}".encode() + command(EC),
    "EC behind emoji": "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}".encode() + command(EC),
    "EC behind a long word of accents": ("e" + "\N{COMBINING ACUTE ACCENT}" * 60).encode() + command(EC) * 2,
    "EC behind GBK": b"\xb0\xa1" + command(EC),
    "EC and EL in GBK": b"\xb0\xa1" + command(EC) + command(EL),
    "EC behind half a key": b"\x1b[" + command(EC),
    "BRK": command(BRK),
    "IP": command(IP),
    "ABORT": command(ABORT),
    "an unknown command": command(0xEC),
    "IAC IAC": command(IAC),
    "DO of an unknown option": command(DO, 99),
    "DO of every option": b"".join(command(DO, code) for code in range(255)),
    "WILL of every option": b"".join(command(WILL, code) for code in range(255)),
    "WONT": command(WONT, 99),
    "SGA on and off": command(WILL, SGA) + command(WONT, SGA),
    "NAWS on and off": command(WILL, NAWS) + command(WONT, NAWS),
    "GMCP on and off": command(DO, GMCP) + command(DONT, GMCP),
    "MSDP on and off": command(DO, MSDP) + command(DONT, MSDP),
    "MCCP2 on and off": command(DO, MCCP2) + command(DONT, MCCP2),
    "DO ECHO": command(DO, ECHO) + command(DONT, ECHO),
    "timing marks": command(DO, TIMING_MARK),
    "an empty frame": command(SB, IAC, SE),
    "a payload of an unknown option": payload(99),
    "a long payload of an unknown option": payload(99, b"x" * 7000),
    "a payload broken off": command(SB, NAWS, 0) + command(NOP),
    "a payload without end": b"x",
    "NAWS": b"".join(payload(NAWS, bytes((0, 20 + number % 200, 0, 30))) for number in range(400)),
    "NAWS of a wrong length": payload(NAWS, b"\0P"),
    "TTYPE that was not asked for": payload(TTYPE, b"\0X"),
    "CHARSET that is rejected": payload(CHARSET, b"\x01;X"),
    "CHARSET back and forth": payload(CHARSET, b"\x01;GBK") + payload(CHARSET, b"\x01;BIG5"),
    "CHARSET with many names": payload(CHARSET, b"\x01" + b";X" * 3000),
    "CHARSET with a table": payload(CHARSET, b"\x04"),
    "NEW-ENVIRON of 64 variables": payload(
        NEW_ENVIRON, b"\x02" + b"".join(b"\x00%s\x011" % name for name in (b"MTTS", b"ANSI", b"TRUECOLOR", b"TLS") * 16)
    ),
    "NEW-ENVIRON of one variable": payload(NEW_ENVIRON, b"\x02\x00MTTS\x01%d"),
    "NEW-ENVIRON of empty variables": payload(NEW_ENVIRON, b"\x02" + b"\x00" * 7000),
    "NEW-ENVIRON of escapes": payload(NEW_ENVIRON, b"\x02\x00" + b"\x02\x00" * 3500),
    "GMCP": payload(GMCP, b"A 1"),
    "GMCP pings": payload(GMCP, b"Core.Ping"),
    "GMCP hellos": payload(GMCP, b'Core.Hello {"client":"x"}'),
    "GMCP packages": payload(GMCP, b'Core.Supports.Set ["A 1"]') + payload(GMCP, b'Core.Supports.Set ["B 1"]'),
    "GMCP with many packages": payload(GMCP, b'Core.Supports.Set ["A 1"]')
    + payload(GMCP, b"Core.Supports.Set [" + b",".join(b'"%s 1"' % word for word in WORDS[:1000]) + b"]"),
    "GMCP that is no JSON": payload(GMCP, b"A {"),
    "GMCP of many values": payload(GMCP, b"A [" + b"0," * 4000 + b"0]"),
    "GMCP of brackets": payload(GMCP, b"A " + b"[" * 32000),
    "GMCP of objects": payload(GMCP, b"A {" + b",".join(b'"%s":{}' % word for word in WORDS) + b"}"),
    "GMCP of strings": payload(GMCP, b'A ["' + b'","'.join([b"["] * 4000) + b'"]'),
    "MSDP": payload(MSDP, b"\x01A\x02B"),
    "MSDP lists": payload(MSDP, b"\x01LIST\x02LISTS"),
    "MSDP lists of one payload": payload(
        MSDP,
        b"\x01LIST"
        + array(
            [
                "".join(c.lower() if number >> at & 1 else c for at, c in enumerate("SENDABLE_VARIABLES")).encode()
                for number in range(2000)
            ]
        ),
    ),
    "MSDP reports": payload(MSDP, b"\x01REPORT" + array(WORDS)),
    "MSDP sends": payload(MSDP, b"\x01SEND" + array(WORDS)),
    "MSDP resets": payload(MSDP, b"\x01RESET\x02REPORTED_VARIABLES"),
    "MSDP of empty values": payload(MSDP, b"\x01A" + b"\x02" * 4000),
    "MSDP of variables": payload(MSDP, b"\x01A\x02B" * 2000),
    "MSDP of deep tables": payload(MSDP, b"\x01A" + nested(15, b"\x02" * 3800)),
    "MSDP of tables": payload(MSDP, b"\x01A\x02\x05" + b"\x02\x03\x04" * 1300 + b"\x06"),
    "streams that end": payload(MCCP3) + EMPTY_STREAM,
    "erasing keys behind accents": "é".encode() * 8 + b"\x08" * 8,
    "erasing keys": b"aaaaaaaa\x08\x08\x08\x08\x08\x08\x08\x08",
    "one erasing key behind a letter": b"a\x7f",
    "erasing keys alone": b"\x7f",
    "line erasing keys": b"a\x15",
    "a line without end": b"x",
    "a line without end, of ff": b"\xff\xff\x80",
    **{
        f"long lines of {name}": (b"echo " + unit * LONG)[:LONG] + b"\r\n"
        for name, unit in {
            "ASCII": b"a",
            "words": b"look at me ",
            "ideographs": "\u6f22".encode(),
            "marks": "\N{COMBINING ACUTE ACCENT}".encode(),
            "emoji": "\N{WOMAN}\N{ZERO WIDTH JOINER}".encode(),
            "escapes": b"\x1b]",
            "triggers": b"!SOUND(",
            "bytes that are no UTF-8": b"\x80",
        }.items()
    },
    "lines of 128 bytes that are no UTF-8": b"echo " + b"\x80" * 123 + b"\r\n",
    "short lines": b"echo hello\r\n",
    "empty lines": b"\n",
}
# Sent first. Some kinds need an option off, or text before them.
AGREED = b"".join(
    command(verb, code)
    for verb, codes in ((WILL, (NAWS, TTYPE, NEW_ENVIRON, CHARSET)), (DO, (CHARSET, GMCP, MSDP)))
    for code in codes
) + payload(CHARSET, b"\x02UTF-8")
BEFORE = {
    "a payload without end": command(SB, 99),
    "streams that end": command(DO, MCCP3),
    **{name: command(DONT, code) for name, code in (("GMCP on and off", GMCP), ("MSDP on and off", MSDP))},
    "NAWS on and off": command(WONT, NAWS),
    **dict.fromkeys(("EC behind GBK", "EC and EL in GBK"), payload(CHARSET, b"\x01;GBK")),
}
DRIPPED = {  # over sockets only, a byte at a time
    "letters, dripped": b"x",
    "lines, dripped": b"echo hello there\r\n",
    "empty lines, dripped": b"\n",
    "erasing keys, dripped": b"a\x7f",
    "commands, dripped": command(NOP),
    "GMCP, dripped": payload(GMCP, b"A 1"),
    "a long payload, dripped": payload(99, b"x" * 7000),
}
COMPRESSED = {"AO, compressed": command(AO), "a line without end, compressed": b"x"}  # over sockets only


def filled(unit: bytes, size: int) -> bytes:
    """Return as many whole units as come to about this size."""
    return unit * max(1, size // len(unit))


async def _parse(name: str) -> float:
    """ms of CPU per KiB: the greatest of 4 KiB a read, all at once, and the first read."""
    data = filled(KINDS[name], MOST)
    limits = Limits(
        protocol_rate=None,
        command_rate=None,
        max_anomalies=None,
        max_typeahead=MOST,
        max_typeahead_bytes=1 << 30,
        first_input_timeout=None,
    )
    usual = {READ: float("inf"), MOST: float("inf")}
    first = dict(usual)  # the beginning costs more where a budget bounds the answers
    async with open_mud(Hooks(), limits=limits) as mud:
        for size in (READ, MOST) * REPETITIONS:
            pipe = mud.connect()
            while not mud.server.connections:  # noqa: ASYNC110 - a true clock, and nothing else to wait for
                await trio.sleep(0.01)
            *_, connection = mud.server.connections
            assert isinstance(connection._link, TelnetLink)
            reader = connection._link._incoming
            for said in (b"x\r\n", AGREED, BEFORE.get(name, b"")):
                reader.feed(said)
                await trio.sleep(0.01)
            costs = []
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                began = time.process_time()
                reader.feed(piece)
                mud.server._host.flush()
                while reader.is_full and connection.ending is None:  # compressed bytes are parsed by the dispatcher
                    await trio.lowlevel.checkpoint()
                costs.append((time.process_time() - began) / (len(piece) / KIB))
            assert connection.ending is None, f"{name} ended the connection: nothing was measured"
            usual[size] = min(usual[size], statistics.median(costs))
            first[size] = min(first[size], costs[0])
            connection.quit()  # drops the events
            pipe.reset()
            while mud.server.connections:  # noqa: ASYNC110
                await trio.sleep(0.01)
    return 1e3 * max(*usual.values(), *first.values())


def parsing(name: str) -> float:
    logging.disable(logging.CRITICAL)
    try:
        return trio.run(_parse, name)
    finally:
        logging.disable(logging.NOTSET)


# Over sockets


class StormThread(threading.Thread):
    """Connections that send without end, and read what comes."""

    def __init__(
        self, port: int, unit: bytes, first: bytes, count: int, *, is_compressed: bool, is_dripped: bool
    ) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._drips = is_dripped
        self._unit = filled(unit, MOST)
        if is_compressed:
            packer = zlib.compressobj(1)
            first += command(DO, MCCP3) + payload(MCCP3) + packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)
            packer = zlib.compressobj(1, wbits=-15)
            self._unit = packer.compress(self._unit) + packer.flush(zlib.Z_FULL_FLUSH)  # the same bytes again and again
        self._left: dict[socket.socket, bytes] = {}
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(b"x\r\n" + first)
            sock.setblocking(False)
            self._left[sock] = b""

    def run(self) -> None:
        socks = list(self._left)
        while not self._over.is_set():
            readable, writable, _ = select.select(socks, socks, [], 0.1)
            for sock in readable:
                with contextlib.suppress(OSError):
                    if not sock.recv(MOST):
                        socks.remove(sock)
            for sock in writable:
                data = self._left[sock] or self._unit
                with contextlib.suppress(OSError):
                    self._left[sock] = data[sock.send(data[:1] if self._drips else data) :]
            if self._drips:
                time.sleep(DRIP)

    def close(self) -> None:
        """Stop, and close every connection."""
        self._over.set()
        self.join()
        for sock in self._left:
            sock.close()


@contextlib.contextmanager
def serving(kind: str = "guarded") -> Iterator[tuple[int, int]]:
    """A server of `servers.py` in a process of its own: its port and process.

    The usual one has its usual limits on what a peer may send.
    """
    with subprocess.Popen(
        [sys.executable, HERE / "servers.py", kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline()), server.pid
        finally:
            server.kill()


@contextlib.contextmanager
def storming(port: int, name: str, count: int) -> Iterator[None]:
    unit = {**KINDS, **COMPRESSED, **DRIPPED}[name]
    before = AGREED + BEFORE.get(name, b"")
    storm = StormThread(port, unit, before, count, is_compressed=name in COMPRESSED, is_dripped=name in DRIPPED)
    storm.start()
    try:
        yield
    finally:
        storm.close()


def cpu_of(pid: int) -> float:
    """Seconds of CPU that the main thread of a process has taken, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def storming_cost(name: str) -> float:
    """ms of CPU a second, once the burst is spent."""
    with serving() as (port, pid), storming(port, name, 1):
        time.sleep(1.0)
        began, cpu = time.monotonic(), cpu_of(pid)
        time.sleep(SECONDS)
        return 1e3 * (cpu_of(pid) - cpu) / (time.monotonic() - began)


def waiting(name: str) -> float:
    """ms that a slow typist waits for an echo beside ten storms, 99 of 100 times; their bursts are part of it."""
    with serving() as (port, _), socket.create_connection(("127.0.0.1", port)) as typist:
        typist.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        typist.settimeout(30)
        waits: list[float] = []
        with storming(port, name, ATTACKERS):
            end = time.monotonic() + TYPING
            while (asked := time.monotonic()) < end:
                wanted = b"number %d.\r\n" % len(waits)
                typist.sendall(b"echo number %d.\r\n" % len(waits))
                heard = b""
                while wanted not in heard:
                    heard += typist.recv(MOST)
                waits.append(time.monotonic() - asked)
                time.sleep(PACE)
    return 1e3 * sorted(waits)[len(waits) * 99 // 100]


STORMS = (
    "AO", "NAWS", "MSDP lists", "EC", "CHARSET back and forth", "SGA on and off", "GMCP packages",
    "GMCP of many values", "a payload without end", "a line without end", "line erasing keys", *COMPRESSED,
    *(name for name in KINDS if name.startswith("long lines")), "lines of 128 bytes that are no UTF-8", "short lines",
    "empty lines", *DRIPPED,
)  # fmt: skip

ROWS = [
    *(BoundRow(f"parsing {name}", "CPU ms per KiB", MOST_PARSING, partial(parsing, name)) for name in KINDS),
    *(
        row
        for name in STORMS
        if Path("/proc/self/schedstat").exists()
        for row in (
            BoundRow(f"one storm of {name}", "CPU ms a second", MOST_STORMING, partial(storming_cost, name)),
            BoundRow(f"a typist beside {ATTACKERS} of {name}", "ms, p99", MOST_WAITING, partial(waiting, name)),
        )
    ),
]
