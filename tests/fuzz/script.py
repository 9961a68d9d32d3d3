"""Any bytes as a script for an engine: agreements, received pieces, and calls of the game in between.

A fuzzer changes bytes. For its changes to be useful, every byte string is a script, and a small change of the bytes is
a small change of the script. Compression is part of it, because no fuzzer ever guesses a checksum.
"""

from __future__ import annotations

import gc
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import partial
from typing import Final

from trio_mud.telnet import DEFAULT_OPTIONS, Option, OptionFailed, TelnetEngine, TelnetEvent
from trio_mud.telnet.codes import DO, DONT, IAC, MCCP3, SB, SE, WILL, WONT
from trio_mud.telnet.compression import PIECE
from trio_mud.telnet.options import Gmcp, Msdp, Msp, Mssp, Mxp

OPTIONS: Final[tuple[Option, ...]] = (Mssp(lambda: {"NAME": "Fuzz"}), *DEFAULT_OPTIONS, Mxp(), Msp())
CODES: Final = tuple(option.code for option in OPTIONS)
VERBS: Final = (WILL, WONT, DO, DONT)

MOST_HEARD: Final = 4 * 1024  # bytes, inflated
EVENTS_OF_ONE: Final = 128  # events that the last byte of a payload may bring at once: the variables in it
HELD_BY_ENGINE: Final = 256 * 1024  # bytes: a payload of 64 KiB, what was said of packages and variables, and objects
HELD_BY_ZLIB: Final = 64 * 1024  # bytes, which Python cannot see

# Bits of the first byte
SMALL, ANSWERS_AYT, HIDES_AT_ONCE, INFLATES = 1, 2, 4, 8


class FuzzStep(IntEnum):
    """The meaning of a byte; below `TICK`, the number of bytes that follow and are received in one piece."""

    TICK = 0xC0
    HIDE = 0xC1
    SHOW = 0xC2
    WRITE = 0xC3
    PROMPT = 0xC4
    NEGOTIATE = 0xC5
    PAYLOAD = 0xC6
    BEGIN_STREAM = 0xC7
    END_STREAM = 0xC8
    ENABLE = 0xC9
    DISABLE = 0xCA
    PLAIN_AGAIN = 0xCB
    REPEAT = 0xCC
    TELL_GMCP = 0xCD
    TELL_MSDP = 0xCE


class ByteReader:
    """Takes bytes from the front; past the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        return self.take(max(0, len(self._data) - self._at))


Act = Callable[[TelnetEngine], object]


@dataclass
class FuzzScript:
    """The actions on an engine: received pieces, and between them calls of the game and ticks of the clock."""

    make: Callable[[], TelnetEngine]
    steps: list[list[bytes] | Act] = field(default_factory=list)
    heard: int = 0  # bytes, inflated
    written: int = 0  # bytes the game wrote, roughly

    def act(self, act: Act) -> None:
        self.steps.append(act)

    def hear(self, piece: bytes) -> None:
        if self.steps and isinstance(last := self.steps[-1], list):
            last.append(piece)
        else:
            self.steps.append([piece])


class _Peer:
    """Appends messages to a script, compressed or not."""

    def __init__(self, script: FuzzScript) -> None:
        self._script = script
        self._stream: zlib._Compress | None = None

    def says(self, data: bytes) -> None:
        data = data[: max(0, MOST_HEARD - self._script.heard)]
        self._script.heard += len(data)
        if data and self._stream is not None:
            data = self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        if data:
            self._script.hear(data)

    def begins_stream(self) -> None:
        self.says(bytes((IAC, DO, MCCP3, IAC, SB, MCCP3, IAC, SE)))
        if self._stream is None:
            self._stream = zlib.compressobj()

    def ends_stream(self) -> None:
        if self._stream is not None:
            self._script.hear(self._stream.flush(zlib.Z_FINISH))
            self._stream = None


def read_script(data: bytes) -> FuzzScript:
    """Read any bytes as a script."""
    reader = ByteReader(data)
    flags, agreed = reader.byte(), reader.byte() | reader.byte() << 8
    limit = 6 if flags & SMALL else 4096
    yes = "[Yes]" if flags & ANSWERS_AYT else ""
    script = FuzzScript(lambda: TelnetEngine(OPTIONS, line_limit=limit, subnegotiation_limit=limit, are_you_there=yes))
    peer = _Peer(script)
    for at, option in enumerate(OPTIONS):
        if agreed >> at & 1:
            peer.says(bytes((IAC, DO, option.code, IAC, WILL, option.code)))
    if flags & HIDES_AT_ONCE:
        script.act(lambda engine: engine.hide_input(True))
    if flags & INFLATES:
        peer.begins_stream()
    now = 0.0
    while not reader.is_empty:
        now = _read_step(reader, script, peer, now)
    return script


def _read_step(reader: ByteReader, script: FuzzScript, peer: _Peer, now: float) -> float:
    match step := reader.byte():
        case FuzzStep.TICK:
            now += reader.byte() / 4
            script.act(partial(_tick, now=now))
        case FuzzStep.HIDE | FuzzStep.SHOW:
            script.act(lambda engine: engine.hide_input(step == FuzzStep.HIDE))
        case FuzzStep.WRITE | FuzzStep.PROMPT:
            text = reader.take(reader.byte()).decode("latin-1")
            script.written += 4 * len(text) + 2
            script.act(lambda engine: (engine.send_text if step == FuzzStep.WRITE else engine.send_prompt)(text))
        case FuzzStep.NEGOTIATE:
            peer.says(bytes((IAC, VERBS[reader.byte() % 4], CODES[reader.byte() % len(CODES)])))
        case FuzzStep.PAYLOAD:
            code, payload = CODES[reader.byte() % len(CODES)], reader.take(reader.byte())
            peer.says(bytes((IAC, SB, code)) + payload.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE)))
        case FuzzStep.BEGIN_STREAM:
            peer.begins_stream()
        case FuzzStep.END_STREAM:
            peer.ends_stream()
        case FuzzStep.ENABLE | FuzzStep.DISABLE:
            code, ours = CODES[reader.byte() % len(CODES)], bool(reader.byte() & 1)
            script.act(lambda engine: _switch(engine, code, ours, on=step == FuzzStep.ENABLE))
        case FuzzStep.PLAIN_AGAIN:
            script.act(lambda engine: engine.end_compression())
        case FuzzStep.REPEAT:
            times, size = reader.byte(), reader.byte()
            peer.says(reader.take(size) * times)
        case FuzzStep.TELL_GMCP:
            script.written += 100
            script.act(lambda engine: (gmcp := engine.option(Gmcp)) and gmcp.send(engine, "Char.Vitals", {"hp": 1}))
        case FuzzStep.TELL_MSDP:
            value = str(reader.byte())
            script.written += 100
            script.act(lambda engine: (msdp := engine.option(Msdp)) and msdp.report(engine, "HEALTH", value))
        case size if size < FuzzStep.TICK:
            peer.says(reader.take(size))
        case size:
            peer.says(reader.take(size & 0xF) + b"\r\n")
    return now


def _tick(engine: TelnetEngine, now: float) -> list[TelnetEvent]:
    events = engine.tick(now)
    while engine.pending:  # it may read on what waited for the time
        events += _turn(engine, b"")
    return events


def _switch(engine: TelnetEngine, code: int, ours: bool, *, on: bool) -> None:
    if ours:
        (engine.enable_ours if on else engine.disable_ours)(code)
    else:
        (engine.enable_theirs if on else engine.disable_theirs)(code)


@dataclass(frozen=True)
class FuzzResult:
    """The result of a script for an engine."""

    events: list[TelnetEvent]
    said: bytes


def play(script: FuzzScript, cut: Callable[[list[bytes]], Iterator[bytes]]) -> FuzzResult:
    """Play a script with a new engine, with its input cut differently, and check the engine's bounds."""
    engine = script.make()
    events: list[TelnetEvent] = []
    said = bytearray()
    for step in script.steps:
        if callable(step):
            told = step(engine)
            events += told if isinstance(told, list) else []
        else:
            for piece in cut(step):
                events += hear(engine, piece)
        while data := engine.data_to_send():
            said += data
        assert not engine.has_data_to_send
    if cut is as_it_came:
        held = weight(engine)
        assert held <= HELD_BY_ENGINE, f"an engine holds {held} bytes"
    faults = [event.error for event in events if isinstance(event, OptionFailed)]
    if faults:
        raise AssertionError("an option raised") from faults[0]
    return FuzzResult(events, bytes(said))


def hear(engine: TelnetEngine, data: bytes) -> list[TelnetEvent]:
    """Pass one piece to an engine and process all of it, in bounded turns."""
    events = _turn(engine, data)
    while engine.pending:
        events += _turn(engine, b"")
    return events


def _turn(engine: TelnetEngine, data: bytes) -> list[TelnetEvent]:
    events = engine.receive(data)
    assert len(events) <= max(len(data), PIECE) + EVENTS_OF_ONE, f"{len(events)} events of {len(data)} bytes"
    return events


def in_one_piece(pieces: list[bytes]) -> Iterator[bytes]:
    yield b"".join(pieces)


def as_it_came(pieces: list[bytes]) -> Iterator[bytes]:
    yield from pieces


def byte_by_byte(pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(len(piece)):
            yield piece[at : at + 1]


_SHARED: Final = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, Enum)


def weight(engine: TelnetEngine) -> int:
    """Bytes that an engine holds by itself, about."""
    total, seen, left = 0, set(map(id, OPTIONS)), gc.get_referents(engine)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if type(thing).__module__ == "zlib":
            total += HELD_BY_ZLIB
        else:
            left += gc.get_referents(thing)
    return total
