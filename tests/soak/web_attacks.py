"""Hostile clients of a web port, as a program of its own: the players' clocks stay in another process.

    python -m tests.soak.web_attacks PORT PEERS SECONDS

Each peer connects again and again, sends a request or frames that no honest client sends, and compares the answer with
the expected one. The result is printed as JSON: the number of connections by the server's counter that counts them.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from ..transports.frames import BINARY, CLOSE, FAULTS, TEXT, client_frames, frame
from .crowd import Caller, Lost, SoakTally, call, home

STREET: Final = 50
NICENESS: Final = 5  # the attackers are other machines; here they share the processor of the players
PATIENCE: Final = 60.0  # seconds for one attack; machines are shared
PAUSE: Final = 1.0  # seconds between two attacks of a peer, on average
SMALL: Final = 4096  # bytes of a receive buffer
LIMITS: Final[dict[str, object]] = {  # of the server, so that the slow ones end in time
    "handshake_timeout": 4.0,
    "first_input_timeout": 5.0,
    "write_stall_timeout": 4.0,
    "linger_timeout": 1.0,
}
DEAF: Final = 12.0  # seconds in which nothing is read: more than the write stall

FAILED, ANSWERED = "handshakes failed", "requests answered"
VIOLATED, ENDED, RESET = "quit: protocol abuse", "linkdeath: end of file", "linkdeath: reset"
STALLED, SILENT = "linkdeath: write stall", "quit: login deadline"


def request(first: str = "GET / HTTP/1.1", *headers: str) -> bytes:
    """Return a request without a body."""
    return "\r\n".join([first, "Host: mud.example", *headers, "", ""]).encode()


def upgrade(*headers: str, version: str = "13", key: str = "dGhlIHNhbXBsZSBub25jZQ==", name: str = "telnet") -> bytes:
    """Return a request for a WebSocket."""
    named = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Protocol: {name}.mudstandards.org"]
    if version:
        named.append(f"Sec-WebSocket-Version: {version}")
    if key:
        named.append(f"Sec-WebSocket-Key: {key}")
    return request("GET / HTTP/1.1", *named, *headers)


@dataclass(frozen=True)
class WebAttack:
    """One thing to send, its answer, and how the server counts it.

    Attributes:
        data: Sent in one piece, right behind the connection.
        answer: The status of the answer, or the code of the close frame; 0 if neither is expected.
        counted_as: The server's counter.
    """

    data: bytes
    answer: int
    counted_as: str


ATTACKS: Final[dict[str, WebAttack]] = {
    "POST": WebAttack(request("POST / HTTP/1.1", "Content-Length: 3") + b"abc", 405, FAILED),
    "NULs": WebAttack(bytes(4096), 400, FAILED),
    "a TLS hello": WebAttack(b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03" + bytes(range(200)), 400, FAILED),
    "an endless first line": WebAttack(b"G" * 200_000, 431, FAILED),
    "a head of 9 KB": WebAttack(request("GET / HTTP/1.1", "X: " + "x" * 9000), 431, FAILED),
    "150 headers": WebAttack(request("GET / HTTP/1.1", *["X: x"] * 150), 400, FAILED),
    "a folded header": WebAttack(request("GET / HTTP/1.1", "X: x", " y"), 400, FAILED),
    "version 12": WebAttack(upgrade(version="12"), 400, FAILED),
    "no key": WebAttack(upgrade(key=""), 400, FAILED),
    "a short key": WebAttack(upgrade(key="AAAA"), 400, FAILED),
    "a foreign origin": WebAttack(upgrade("Origin: https://evil.example"), 403, FAILED),
    "the origin null": WebAttack(upgrade("Origin: null"), 403, FAILED),
    "two origins": WebAttack(upgrade("Origin: http://mud.example", "Origin: http://mud.example"), 403, FAILED),
    "an unknown path": WebAttack(request("GET /nothing HTTP/1.1"), 404, ANSWERED),
    "the page": WebAttack(request(), 200, ANSWERED),
    "its head": WebAttack(request("HEAD / HTTP/1.1"), 200, ANSWERED),
    "a health check": WebAttack(request("GET /healthz HTTP/1.1"), 200, ANSWERED),
    "two bytes behind the handshake": WebAttack(upgrade() + b"\xff\xff", 1002, VIOLATED),  # ended Hypercorn 0.18
    "junk GMCP": WebAttack(upgrade(name="gmcp") + frame(TEXT, b"A {") * 20 + frame(CLOSE, b"\x03\xe8"), 1000, ENDED),
    "junk JSON": WebAttack(upgrade(name="json") + frame(TEXT, b"{") * 20 + frame(CLOSE, b"\x03\xe8"), 1000, ENDED),
    "a close frame": WebAttack(upgrade() + frame(CLOSE, b"\x03\xe9"), 1001, ENDED),
    **{name: WebAttack(upgrade() + data, code, VIOLATED) for name, data, code in FAULTS},
}


async def send(attack: WebAttack, caller: Caller) -> str:
    """Send the bytes of an attack, and check the answer."""
    heard = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send, caller, attack.data)
        await _read_all(caller, heard)
        nursery.cancel_scope.cancel()
    answer = _answer_in(bytes(heard))
    if answer != attack.answer:
        raise Lost(f"the answer is {answer}, not {attack.answer}, behind {bytes(heard[:60])!r}")
    return attack.counted_as


async def drip(caller: Caller) -> str:
    """Send a byte of a request now and then."""
    heard = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read_all, caller, heard, nursery.cancel_scope)
        while True:
            await _send(caller, b"G")
            await trio.sleep(0.5)
    return FAILED


async def never_read(caller: Caller) -> str:
    """Ask for pages, and read none."""
    lines = [b"deaf\r\n", b"ears\r\n", *[b"read\r\n"] * 60]
    await _send(caller, upgrade() + b"".join(frame(BINARY, line) for line in lines))
    await trio.sleep(DEAF)
    await _read_all(caller, bytearray())
    return STALLED


async def stay_silent(caller: Caller) -> str:
    """Open a WebSocket and type nothing."""
    await send(WebAttack(upgrade(), 1000, SILENT), caller)
    return SILENT


async def hang_up(caller: Caller) -> str:
    """End without a close frame."""
    await _send(caller, upgrade())
    await _greeted(caller)
    caller.socket.shutdown(socket.SHUT_WR)
    await _read_all(caller, bytearray())
    return ENDED


async def reset(caller: Caller) -> str:
    """Reset amid a frame."""
    await _send(caller, upgrade() + frame(BINARY, b"name\r\n")[:5])
    await _greeted(caller)
    caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return RESET


Act = Callable[[Caller], Awaitable[str]]
SLOW: Final[dict[str, Act]] = {"drips": drip, "never reads": never_read, "is silent": stay_silent}
QUICK: Final[dict[str, Act]] = {
    **{name: partial(send, attack) for name, attack in ATTACKS.items()},
    "hangs up": hang_up,
    "resets": reset,
}
SLOW_PEERS: Final = 4  # of each slow kind


async def peer(port: int, number: int, until: float, tally: SoakTally) -> None:
    """Attack until it is time to stop: the first peers each in one slow way, the others in every quick way in turn."""
    chance = random.Random(number)
    slow = list(SLOW)[number // SLOW_PEERS] if number < SLOW_PEERS * len(SLOW) else None
    names = [slow] if slow is not None else chance.sample(sorted(QUICK), len(QUICK))
    at = 0
    while trio.current_time() < until:
        name = names[at % len(names)]
        at += 1
        try:
            with trio.fail_after(PATIENCE):
                buffer = SMALL if name == "never reads" else None
                async with call(port, home(STREET, number), tally, buffer=buffer) as caller:
                    tally.seen[await {**SLOW, **QUICK}[name](caller)] += 1
        except (Lost, OSError, trio.TooSlowError) as error:
            tally.problems.append(f"{name}: {error!r}")
        await trio.sleep(PAUSE * chance.uniform(0.5, 1.5))


async def attack(port: int, peers: int, seconds: float) -> SoakTally:
    """Let all peers attack for this time, and end what they have begun."""
    tally = SoakTally()
    until = trio.current_time() + seconds
    async with trio.open_nursery() as nursery:
        for number in range(peers):
            nursery.start_soon(peer, port, number, until, tally)
            await trio.sleep(PAUSE / peers)
    return tally


async def _send(caller: Caller, data: bytes) -> None:
    try:
        while data:
            data = data[await caller.socket.send(data) :]
    except OSError:
        pass  # the server has closed; the reader sees how


async def _read_all(caller: Caller, heard: bytearray, over: trio.CancelScope | None = None) -> None:
    """Read to the end, and then cancel a scope. A reset behind the answer is an end too."""
    try:
        while data := await caller.socket.recv(65536):
            heard += data
    except OSError:
        pass
    if over is not None:
        over.cancel()


async def _greeted(caller: Caller) -> None:
    heard = b""
    while b"Name? " not in heard:
        if not (data := await caller.socket.recv(65536)):
            raise Lost(f"the end came behind {heard!r}")
        heard += data


def _answer_in(heard: bytes) -> int:
    """Return the code of the close frame, or the status of an answer that opens no WebSocket; 0 for none."""
    head, _, rest = heard.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2:
        return 0
    if words[1] != b"101":
        return int(words[1])
    codes = [int.from_bytes(each.data[:2], "big") for each in client_frames(rest) if each.opcode is CLOSE]
    return codes[0] if codes else 0


if __name__ == "__main__":
    os.nice(NICENESS)
    told = trio.run(attack, int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(vars(told)))
