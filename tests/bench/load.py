"""The players of a measurement: one process, plain sockets and epoll, no trio. Started by `run.py`.

    load.py KIND CELL PORT PID NUMBER... SECONDS

    echo N        closed loop: each has one command in flight, and types the next when it has read the answer
    room S L      the same by S speakers, and L more only listen
    fan L         one speaks ten times a second to L listeners
    storm N       all connect at once
    idle N        all are connected and do nothing
    death N       half of them are reset at once, while the others play on at 1,000 commands a second in all
    beat N        as echo; the median delay of a heartbeat of the server's game by that
    worst N       the same, at worst
    full P R      P players play at 1,000 commands a second in all, while R more connect and are refused

KIND is the kind of server, because it decides how to connect (`peers.py`).
Prints one line of JSON: "value" is the result of the cell, in seconds (or bytes) for each "unit"; the rest is detail.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

from tests.bench.peers import KINDS, Peer

LIFETIME = 120  # seconds; then SIGALRM ends the process
WARM_UP = 0.3  # seconds before the measured ones
PATIENCE = 60.0  # seconds for all to be greeted
DRAIN = 2.0  # seconds for the last answers
AT_ONCE = 200  # connections that are being made
PROMPT, SAYS = b"> ", b" says, '"
RATE = 1000  # commands a second in all, where they come on schedule
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no seconds

Found = dict[str, object]


class Hung(Exception):
    """A server hung up, or did not answer."""


class Crowd:
    """Connections that have been greeted, under one epoll."""

    def __init__(self, port: int, pid: int, kind: type[Peer] = Peer) -> None:
        self.port = port
        self.pid = pid
        self.kind = kind
        self.peers: dict[int, Peer] = {}
        self.poll = select.epoll()

    def grow(self, count: int) -> list[Peer]:
        """Connect this many more players, and wait until all have read their first prompt."""
        come: list[Peer] = []
        until = time.perf_counter() + PATIENCE
        while len(come) < count:
            batch = [
                self.kind(self.port, len(self.peers) + number) for number in range(min(AT_ONCE, count - len(come)))
            ]
            for peer in batch:
                self.add(peer)
            waiting = len(batch)
            while waiting:
                if time.perf_counter() > until:
                    raise Hung("not all were greeted in time")
                for peer, data in self.heard(0.1):
                    if data is None:
                        raise Hung("the server hung up at the door")
                    peer.refuse(data)
                    if not peer.greeted and PROMPT in peer.rest + data:
                        peer.greeted = True
                        waiting -= 1
                    peer.rest = data[-1:]
            come += batch
        return come

    def add(self, peer: Peer) -> None:
        self.peers[peer.fileno] = peer
        self.poll.register(peer.fileno, select.EPOLLIN)

    def drop(self, peer: Peer) -> None:
        self.poll.unregister(peer.fileno)
        del self.peers[peer.fileno]
        peer.sock.close()

    def heard(self, wait: float) -> Iterable[tuple[Peer, bytes | None]]:
        for fileno, _ in self.poll.poll(wait, 256):
            peer = self.peers.get(fileno)
            if peer is not None:
                yield peer, peer.read()

    def settle(self, seconds: float = 0.3) -> None:
        """Read the remaining output to the new connections."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for peer, data in self.heard(0.05):
                peer.refuse(data or b"")

    def ask(self, peer: Peer, command: bytes) -> bytes:
        """One command, and all of its answer."""
        peer.sock.send(command)
        answer = b""
        until = time.perf_counter() + PATIENCE
        while not answer.rstrip(b"\xff\xf9\xef").endswith(PROMPT):
            if time.perf_counter() > until:
                raise Hung(f"no answer to {command!r}")
            for other, data in self.heard(0.1):
                if other is peer:
                    answer += data or b""
        return answer


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time of a process, in nanoseconds where the kernel reports them; None without /proc."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9
    except (OSError, IndexError):
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def cost(crowd: Crowd, seconds: float, step: Callable[[float], int]) -> tuple[float | None, int, float]:
    """Warm up, then count for this time; return the server's CPU per operation, their number, and the time."""
    until = time.perf_counter() + WARM_UP
    while time.perf_counter() < until:
        step(until)
    cpu, start, count = cpu_seconds(crowd.pid), time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        count += step(start + seconds)
    elapsed, cpu_then = time.perf_counter() - start, cpu_seconds(crowd.pid)
    if not count:
        raise Hung("nothing was answered")
    return None if cpu is None or cpu_then is None else (cpu_then - cpu) / count, count, elapsed


def percentile(latencies: list[float], percent: float) -> float | None:
    in_order = sorted(latencies)
    return in_order[min(len(in_order) - 1, int(len(in_order) * percent / 100))] if in_order else None


def answered(peer: Peer, data: bytes) -> int:
    """How many prompts came; one cut in two counts."""
    text = peer.rest + data
    peer.rest = data[-1:] if data.endswith(b">") else b""
    return text.count(PROMPT)


def loop(crowd: Crowd, typists: list[Peer], count_lines: bytes = b"") -> Callable[[float], int]:
    """A closed loop; a step counts answers, or the lines that hold these bytes."""
    for peer in typists:
        peer.rest = b""
        peer.sock.send(peer.command)
    speaking = {peer.fileno for peer in typists}

    def step(until: float) -> int:
        count = 0
        for peer, data in crowd.heard(max(0.0, until - time.perf_counter())):
            if data is None:
                raise Hung("the server hung up")
            if count_lines:
                count += data.count(count_lines)
            if peer.fileno in speaking and answered(peer, data):
                count += not count_lines
                peer.sock.send(peer.command)
        return count

    return step


def echo(crowd: Crowd, seconds: float, players: int) -> Found:
    typists = crowd.grow(players)
    crowd.settle()
    cpu, count, elapsed = cost(crowd, seconds, loop(crowd, typists))
    return {"value": cpu, "rate": count / elapsed}


def room(crowd: Crowd, seconds: float, speakers: int, listeners: int) -> Found:
    typists = crowd.grow(speakers)
    crowd.grow(listeners)
    crowd.settle()
    for peer in typists:
        peer.command = b"say hello to all of you\r\n"
    cpu, count, elapsed = cost(crowd, seconds, loop(crowd, typists, SAYS))
    return {"value": cpu, "rate": count / elapsed}


def fan(crowd: Crowd, seconds: float, listeners: int) -> Found:
    [speaker] = crowd.grow(1)
    crowd.grow(listeners)
    crowd.settle()
    due = time.perf_counter()

    def step(until: float) -> int:
        nonlocal due
        now = time.perf_counter()
        if now >= due:
            speaker.sock.send(b"say hello to all of you\r\n")
            due = max(due + 0.1, now)
        heard = crowd.heard(max(0.0, min(until, due) - now))
        return sum(data.count(SAYS) for _, data in heard if data is not None)

    cpu, count, elapsed = cost(crowd, seconds, step)
    return {"value": cpu, "rate": count / elapsed}


def storm(crowd: Crowd, seconds: float, players: int) -> Found:
    cpu, start = cpu_seconds(crowd.pid), time.perf_counter()
    crowd.grow(players)
    elapsed, cpu_then = time.perf_counter() - start, cpu_seconds(crowd.pid)
    return {
        "value": None if cpu is None or cpu_then is None else (cpu_then - cpu) / players,
        "rate": players / elapsed,
    }


def idle(crowd: Crowd, seconds: float, players: int) -> Found:
    crowd.grow(100)  # what the first ones cost once is no connection's
    crowd.settle()
    before = resident(crowd.pid)
    crowd.grow(players)
    crowd.settle(seconds + 1)  # clients have a second to say what they are
    return {"value": (resident(crowd.pid) - before) / players, "rate": None}


class Pace:
    """Players that type on schedule, in turn; latency counts from when a command was due."""

    def __init__(self, crowd: Crowd, typists: list[Peer]) -> None:
        self.crowd = crowd
        self.typists = typists
        self.latencies: list[float] = []
        self.unanswered = 0
        self._turn = 0

    def go_on(
        self,
        seconds: float,
        aside: Callable[[Peer, bytes | None], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Type for this time, and read the last answers; lines from other players are counted separately."""
        self.latencies = []
        now = start = time.perf_counter()
        end, due, owed = start + seconds, start, 0
        while now < end or (owed and now < end + DRAIN):
            if meanwhile is not None:
                meanwhile()
            while due <= now and due < end:
                peer = self.typists[self._turn % len(self.typists)]
                self._turn += 1
                peer.due.append(due)
                peer.sock.send(peer.command)
                owed += 1
                due += 1 / RATE
            moment = min(due, end) if now < end else end + DRAIN
            for peer, data in self.crowd.heard(max(0.0, moment - now)):
                if not peer.due:
                    if aside is not None:
                        aside(peer, data)
                    continue
                if data is None:
                    raise Hung("the server hung up")
                heard_at = time.perf_counter()
                for _ in range(answered(peer, data)):
                    if peer.due:
                        self.latencies.append(heard_at - peer.due.popleft())
                        owed -= 1
            now = time.perf_counter()
        self.unanswered += owed


def death(crowd: Crowd, seconds: float, players: int) -> Found:
    survivors, doomed = crowd.grow(players - players // 2), crowd.grow(players // 2)
    crowd.settle()
    pace = Pace(crowd, survivors)
    pace.go_on(seconds)
    before = percentile(pace.latencies, 99)
    for peer in doomed:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        crowd.poll.unregister(peer.fileno)
        del crowd.peers[peer.fileno]
    for peer in doomed:
        peer.sock.close()
    pace.go_on(1.0)
    value = percentile(pace.latencies, 99)
    return {"value": value, "rate": None, "before": before, "unanswered": pace.unanswered}


def beat(crowd: Crowd, seconds: float, players: int) -> Found:
    [asker] = crowd.grow(1)
    typists = crowd.grow(players)
    crowd.settle()
    crowd.ask(asker, b"beat\r\n")
    _, count, elapsed = cost(crowd, seconds, loop(crowd, typists))
    asker.sock.send(b"beat\r\n")
    told = b""
    until = time.perf_counter() + PATIENCE
    while not (found := re.search(rb"beat (\{.*?\})", told)):
        if time.perf_counter() > until:
            raise Hung("the heartbeat was not told")
        for peer, data in crowd.heard(0.1):
            if peer is asker:
                told += data or b""
    late = json.loads(found[1])
    return {"value": late["p50"], "rate": count / elapsed, "worst": late["max"], "p99": late["p99"]}


def worst(crowd: Crowd, seconds: float, players: int) -> Found:
    found = beat(crowd, seconds, players)
    return {**found, "value": found["worst"]}


def full(crowd: Crowd, seconds: float, players: int, refused: int) -> Found:
    """Measure a server with room for the players only, while others connect a thousand times a second."""
    pace = Pace(crowd, crowd.grow(players))
    crowd.settle()
    pace.go_on(seconds)
    before = percentile(pace.latencies, 99)
    words: Counter[str] = Counter()
    heard: dict[int, bytes] = {}
    knocked = 0
    start = time.perf_counter()

    def knock() -> None:
        nonlocal knocked
        while knocked < min(refused, (time.perf_counter() - start) * RATE):
            knocked += 1
            with contextlib.suppress(OSError):
                crowd.add(crowd.kind(crowd.port, knocked))

    def aside(peer: Peer, data: bytes | None) -> None:
        if data is None:
            words[heard.pop(peer.fileno, b"").decode("utf-8", "replace").strip()] += 1
            crowd.drop(peer)
        elif not peer.greeted:
            heard[peer.fileno] = heard.get(peer.fileno, b"") + data

    pace.go_on(refused / RATE, aside, knock)
    latencies = pace.latencies
    until = time.perf_counter() + 3
    while words.total() < knocked and time.perf_counter() < until:
        for peer, data in crowd.heard(0.1):
            aside(peer, data)
    return {
        "value": percentile(latencies, 99),
        "rate": None,
        "before": before,
        "refused": words.total(),
        "knocked": knocked,
        "words": dict(words),
        "unanswered": pace.unanswered,
        "players left": sum(peer.greeted for peer in crowd.peers.values()),
    }


CELLS: dict[str, Callable[..., Found]] = {
    "echo": echo,
    "room": room,
    "fan": fan,
    "storm": storm,
    "idle": idle,
    "death": death,
    "beat": beat,
    "worst": worst,
    "full": full,
}

if __name__ == "__main__":
    signal.alarm(LIFETIME)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kind, what, port, pid, *numbers, measured = sys.argv[1:]
    found = CELLS[what](Crowd(int(port), int(pid), KINDS.get(kind, Peer)), float(measured), *map(int, numbers))
    print(json.dumps(found))
