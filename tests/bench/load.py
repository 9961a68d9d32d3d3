"""The players of a measurement: one process, plain sockets and `selectors`, no trio. Started by `run.py`.

    load.py echo PORT PID CONNECTIONS SECONDS
    load.py room PORT PID SPEAKERS LISTENERS SECONDS

A closed loop: each connection has one command in flight, and types the next when it has read the answer.
In the room only the speakers type, and an answer is the speaker's own line come back.
Prints one line of JSON: what was answered or delivered in the measured seconds, and what that cost the server's CPU.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

LIFETIME = 30  # seconds; then SIGALRM ends the process
WARM_UP = 0.3  # seconds before the measured ones
GREETING = b"ready\r\n"
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds; the unit of /proc/PID/stat


class Peer:
    """One connection: what it types, and what it waits for."""

    def __init__(self, port: int, command: bytes, answer: bytes) -> None:
        self.command = command
        self.answer = answer
        self.rest = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def be_greeted(self) -> None:
        """Read up to the greeting; telnet offers before it stay unanswered, as `nc` leaves them."""
        seen = b""
        while not seen.endswith(GREETING):
            data = self.socket.recv(4096)
            if not data:
                raise SystemExit("the server hung up at the door")
            seen += data
        self.socket.setblocking(False)

    def type(self) -> None:
        self.socket.send(self.command)

    def read(self) -> tuple[int, int]:
        """Return how many lines came, and how many of them answer this peer's command."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return 0, 0
        if not data:
            raise SystemExit("the server hung up")
        lines = data.count(b"\n")
        if not self.answer:
            return lines, 0
        *whole, self.rest = (self.rest + data).split(b"\n")
        return lines, sum(self.answer in line for line in whole)


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process, or None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) * TICK


def drive(peers: list[Peer], pid: int, seconds: float) -> dict[str, float | None]:
    """Keep the loop going; count what came within the measured seconds."""
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer.socket, selectors.EVENT_READ, peer)
        for peer in peers:
            if peer.answer:
                peer.type()
        _spin(selector, time.perf_counter() + WARM_UP)
        cpu, start = cpu_seconds(pid), time.perf_counter()
        lines, answers = _spin(selector, start + seconds)
        elapsed, cpu_then = time.perf_counter() - start, cpu_seconds(pid)
    cost = None if cpu is None or cpu_then is None else cpu_then - cpu
    return {"lines": lines, "answers": answers, "seconds": elapsed, "cpu": cost}


def _spin(selector: selectors.BaseSelector, until: float) -> tuple[int, int]:
    lines = answers = 0
    while time.perf_counter() < until:
        for key, _ in selector.select(0.1):
            peer: Peer = key.data
            heard, answered = peer.read()
            lines += heard
            answers += answered
            for _ in range(answered):
                peer.type()
    return lines, answers


def main(what: str, port: int, pid: int, *rest: str) -> None:
    *numbers, seconds = rest
    if what == "echo":
        peers = [Peer(port, b"echo of %05d, please\r\n" % n, b"echo of %05d" % n) for n in range(int(numbers[0]))]
    else:
        speakers, listeners = map(int, numbers)
        peers = [Peer(port, b"speaker %03d says hello\r\n" % n, b"speaker %03d" % n) for n in range(speakers)]
        peers += [Peer(port, b"", b"") for _ in range(listeners)]
    for peer in peers:
        peer.be_greeted()
    sys.stdout.write(json.dumps(drive(peers, pid, float(seconds))) + "\n")


if __name__ == "__main__":
    signal.alarm(LIFETIME)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
