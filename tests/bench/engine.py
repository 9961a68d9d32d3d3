"""Measure the telnet engine alone: no socket, no trio, one process, a few seconds.

    python tests/bench/engine.py

Each figure is the best of several repetitions, because disturbances only make a measurement slower. Some are shown with
another of the same run: the ratio is meaningful on other machines, the figure itself hardly.
"""

from __future__ import annotations

import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from trio_mud.telnet import Line, Subnegotiation, TelnetEngine
from trio_mud.telnet.codes import DO, DONT, GMCP, IAC, MCCP2, NAWS, SB, SE, TTYPE, WILL, WONT
from trio_mud.telnet.options import DEFAULT_OPTIONS, Gmcp
from trio_mud.text import clean_line

REPETITIONS = 15
TIMES = 5000  # in each, of what takes microseconds
READ = 4096  # bytes given to the engine at once, as from a socket
TEXT = b'You say, "The fire crackles, and the inn smells of stew."\r\n' * 32 * 1024  # 1.9 MB
PAYLOADS = (2, 4, 8)  # MB
WORDS = [
    "the",
    "old",
    "inn",
    "warm",
    "low",
    "smells",
    "of",
    "stew",
    "and",
    "wet",
    "wool",
    "fire",
    "dog",
    "north",
    "door",
]
VITALS = {"hp": 41, "maxhp": 60, "mana": 17, "maxmana": 30}
SAID_VITALS = b"\xff\xfa\xc9" + b'Char.Vitals {"hp":41,"maxhp":60,"mana":17,"maxmana":30}' + b"\xff\xf0"


class EngineRow(NamedTuple):
    """One figure of the table, and the figure it is compared with."""

    what: str
    figure: str
    beside: str = ""


def best(step: Callable[[], object], times: int = 1) -> float:
    """Seconds for one step, at best."""
    found = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        for _ in range(times):
            step()
        found.append((time.perf_counter() - start) / times)
    return min(found)


def drained(engine: TelnetEngine) -> TelnetEngine:
    while engine.data_to_send():
        pass
    return engine


def pieces(data: bytes) -> list[bytes]:
    return [data[at : at + READ] for at in range(0, len(data), READ)]


def short_line() -> EngineRow:
    engine = drained(TelnetEngine())
    seconds = best(lambda: engine.receive_line(b"look at the fire\r\n"), TIMES)
    return EngineRow("a line of 16 characters", f"{seconds * 1e6:.2f} us")


def long_text() -> EngineRow:
    engine, parts = drained(TelnetEngine()), pieces(TEXT)

    def read() -> None:
        for part in parts:
            for event in engine.receive(part):
                if isinstance(event, Line):
                    clean_line(event.text)

    def decode() -> None:
        for part in parts:
            for line in part.split(b"\r\n"):
                line.decode()

    ours, by_line, whole = (len(TEXT) / best(step) / 1e6 for step in (read, decode, TEXT.decode))
    return EngineRow(
        "long plain text, cut into lines and cleaned",
        f"{ours:.0f} MB/s",
        f"`bytes.decode` of its lines {by_line:,.0f} MB/s ({ours / by_line:.2f}), "
        f"of the whole {whole:,.0f} MB/s ({ours / whole:.3f})",
    )


def idle_engine() -> TelnetEngine:
    """Return an engine whose client, TinTin++, has sent its names and its size, and typed a line."""
    engine = drained(TelnetEngine())
    engine.tick(0.0)
    engine.receive(bytes((IAC, WILL, TTYPE, IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)))
    for name in (b"TINTIN++", b"XTERM-256COLOR", b"MTTS 271"):
        engine.receive(bytes((IAC, SB, TTYPE, 0)) + name + bytes((IAC, SE)))
    for option in DEFAULT_OPTIONS:
        if option.code not in (TTYPE, NAWS):
            engine.receive(bytes((IAC, DONT, option.code, IAC, WONT, option.code)))
    engine.tick(0.1)
    engine.receive(b"look\r\n")
    return drained(engine)


def idle_state(count: int = 2000) -> EngineRow:
    idle_engine()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    engines = [idle_engine() for _ in range(count)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return EngineRow(
        "state of an idle connection", f"{(after - before) / len(engines):,.0f} bytes", "bound: 1,536 bytes"
    )


def read_payload(parts: list[bytes], size: int) -> None:
    engine = TelnetEngine(subnegotiation_limit=size)
    (event,) = [event for part in parts for event in engine.receive(part)]
    assert isinstance(event, Subnegotiation)
    assert size == len(event.payload)


def subnegotiations() -> list[EngineRow]:
    rows: list[EngineRow] = []
    previous = 0.0
    for megabytes in PAYLOADS:
        size = megabytes * 1024 * 1024
        parts = [bytes((IAC, SB, 200)), *pieces(b"x" * size), bytes((IAC, SE))]

        seconds = best(partial(read_payload, parts, size))
        beside = f"{seconds / previous:.1f} times the one before" if previous else ""
        rows.append(EngineRow(f"a subnegotiation of {megabytes} MB, 4 kB a read", f"{seconds * 1e3:.1f} ms", beside))
        previous = seconds
    return rows


def gmcp() -> list[EngineRow]:
    engine = drained(TelnetEngine())
    engine.receive(bytes((IAC, DO, GMCP)) + b'\xff\xfa\xc9Core.Supports.Set ["Char 1"]\xff\xf0')
    ours = engine.option(Gmcp)
    assert ours is not None

    def send() -> None:
        assert ours.send(engine, "Char.Vitals", VITALS)
        engine.data_to_send()

    heard = best(lambda: engine.receive(SAID_VITALS), TIMES)
    said = best(send, TIMES)
    return [
        EngineRow("a GMCP message of 55 bytes heard", f"{heard * 1e6:.1f} us"),
        EngineRow("the same said", f"{said * 1e6:.1f} us"),
    ]


def screens(count: int = 200) -> list[str]:
    """Return different texts of 1.5 kB: the same words in another order."""
    chance = random.Random(1)
    return [" ".join(chance.choices(WORDS, k=400))[:1500] for _ in range(count)]


def flush() -> EngineRow:
    plain, compressing = drained(TelnetEngine()), drained(TelnetEngine())
    compressing.receive(bytes((IAC, DO, MCCP2)))
    drained(compressing)
    texts = screens()

    def send(engine: TelnetEngine) -> None:
        for text in texts:
            engine.send_text(text)
            engine.data_to_send()

    compressed, alone = (best(partial(send, engine)) / len(texts) for engine in (compressing, plain))
    return EngineRow("1.5 kB flushed through MCCP2", f"{compressed * 1e6:.0f} us", f"{alone * 1e6:.1f} us without")


def measure() -> list[EngineRow]:
    return [short_line(), long_text(), idle_state(), *subnegotiations(), *gmcp(), flush()]


def table(rows: list[EngineRow]) -> str:
    return "\n".join(["| telnet engine | | beside |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


if __name__ == "__main__":
    sys.stdout.write(table(measure()) + "\n")
