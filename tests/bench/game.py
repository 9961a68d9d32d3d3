"""The game of the measured servers, for servers that are not MUDs: the same work as `driver.py`.

A peer is any object with `send(bytes)` that never waits, and `close()`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

BEAT = 0.01  # seconds between two heartbeats
IAC, SB, SE = 0xFF, 0xFA, 0xF0


class BenchPeer(Protocol):
    """One connection of some server."""

    name: str

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Splits bytes into lines without telnet commands, and stores an unfinished line up to 8 kB."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        if self._rest:
            data = self._rest + data
        *whole, self._rest = data.split(b"\n")
        if len(self._rest) > 8192:
            self._rest = b""
        if IAC in data:
            whole = [without_telnet(line) for line in whole]
        return [line.rstrip(b"\r").decode(errors="replace") for line in whole]


def without_telnet(line: bytes) -> bytes:
    """Leave out commands, negotiations and payloads that lie whole in a line."""
    out = bytearray()
    at = 0
    while at < len(line):
        if line[at] != IAC:
            out.append(line[at])
            at += 1
        elif line[at + 1 : at + 2] == bytes((SB,)):
            end = line.find(bytes((IAC, SE)), at)
            at = len(line) if end < 0 else end + 2
        else:
            at += 3 if line[at + 1 : at + 2] >= b"\xfb" else 2
    return bytes(out)


class BenchWorld:
    """One room."""

    def __init__(self, start_beating: Callable[[list[float]], None]) -> None:
        self._everybody: dict[BenchPeer, None] = {}
        self._guests = 0
        self._commands = {"say": self.say, "echo": self.echo, "look": self.look, "quit": self.quit, "beat": self.beat}
        self._start_beating = start_beating
        self._late: list[float] | None = None

    def join(self, peer: BenchPeer) -> None:
        peer.name = f"guest{self._guests}"
        self._guests += 1
        self._everybody[peer] = None
        peer.send(f"Welcome to the MUD.\r\nYou are {peer.name}.\r\n> ".encode())

    def leave(self, peer: BenchPeer) -> None:
        self._everybody.pop(peer, None)

    def handle(self, peer: BenchPeer, line: str) -> None:
        verb, _, rest = line.partition(" ")
        command = self._commands.get(verb)
        if command is not None:
            command(peer, rest)
        else:
            peer.send(b"Huh?\r\n> " if verb else b"> ")

    def say(self, peer: BenchPeer, rest: str) -> None:
        said = f"{peer.name} says, '{rest}'\r\n".encode()
        for other in self._everybody:
            if other is not peer:
                other.send(said)
        peer.send(f"You say, '{rest}'\r\n> ".encode())

    def echo(self, peer: BenchPeer, rest: str) -> None:
        peer.send(f"{rest}\r\n> ".encode())

    def look(self, peer: BenchPeer, rest: str) -> None:
        peer.send(b"A bare room.\r\nExits: none.\r\n> ")

    def quit(self, peer: BenchPeer, rest: str) -> None:
        peer.send(b"Bye.\r\n")
        peer.close()

    def beat(self, peer: BenchPeer, rest: str) -> None:
        """Start the heartbeat, or send how late it was since the last call."""
        if self._late is None:
            self._late = []
            self._start_beating(self._late)
        peer.send(f"{lateness(self._late)}\r\n> ".encode())
        self._late.clear()


def lateness(late: list[float]) -> str:
    """Return the delay of a heartbeat, in seconds, as JSON after the word `beat`."""
    in_order = sorted(late)
    count = len(in_order)
    told = {
        "count": count,
        "p50": in_order[count // 2] if count else None,
        "p99": in_order[count * 99 // 100] if count else None,
        "max": in_order[-1] if count else None,
    }
    return f"beat {json.dumps(told)}"
