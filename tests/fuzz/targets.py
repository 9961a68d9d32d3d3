"""The fuzz targets, each a function of bytes that raises if a promise is broken."""

from __future__ import annotations

import ast
import ipaddress
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trio_mud.cluster.frames import WireError, decode_down, decode_up, encode_down, encode_up
from trio_mud.cluster.wire import (
    Acknowledged,
    Arrived,
    InputHidden,
    KnownFacts,
    LineTyped,
    Listed,
    MessageReceived,
    Output,
    Preferred,
    RollOver,
    TextSent,
    on_wire,
)
from trio_mud.limits import Rate
from trio_mud.telnet import Anomaly, Subnegotiation, TelnetCommand, TelnetEngine
from trio_mud.telnet.codes import DM, DO, IAC, MCCP3, SB, SE
from trio_mud.telnet.compression import InflationLimits
from trio_mud.telnet.gmcp_messages import decode_gmcp, encode_gmcp
from trio_mud.telnet.json_bounds import MAX_DEPTH
from trio_mud.telnet.msdp_messages import decode_msdp, encode_msdp
from trio_mud.telnet.options import Mccp3
from trio_mud.telnet.subprotocols import AsciiCodec, GmcpCodec, JsonCodec, TerminalCodec
from trio_mud.testing.playbook import drain
from trio_mud.text import Rendering, clean_line, clean_text, link, markup, render, wrap
from trio_mud.transports.framing import Codec, Framing
from trio_mud.transports.http import BadRequest, read_head
from trio_mud.transports.proxy import NoProxyHeader, ProxyHeader, read_header

from ..transports.frames import BINARY, CLOSE, FAULTS, PING, TEXT, fragments, frame
from .script import (
    CODES,
    INFLATES,
    ByteReader,
    FuzzResult,
    FuzzStep,
    as_it_came,
    byte_by_byte,
    hear,
    in_one_piece,
    play,
)
from .script import read_script as read

SAID_OF_ONE: Final = 64  # bytes answered to one; the most is for a list of MSDP
LONGEST_TEXT: Final = 8 * 1024  # bytes in a stream: more than all limits below
TIGHT: Final = InflationLimits(per_second=4096, burst=6000, ratio=20, window=4096)
SAID_AT_LEAST: Final = 8 * 1024  # bytes: offers, questions, and what is said once

CORPUS: Final = Path(__file__).parent / "corpus"
RECORDED: Final = Path(__file__).parent.parent / "telnet" / "recorded"


# The engine


def engine(data: bytes) -> None:
    """However it is cut, an exchange means the same, raises nothing, and is not answered without bound."""
    script = read(data)
    came = play(script, as_it_came)
    assert came == play(script, in_one_piece), "cut in another way it means something else"
    if script.heard < 128:
        assert came == play(script, byte_by_byte), "byte by byte it means something else"
    assert len(came.said) <= SAID_AT_LEAST + SAID_OF_ONE * script.heard + 2 * script.written, "it says too much"


_START_OF_STREAM: Final = bytes((IAC, DO, MCCP3, IAC, SB, MCCP3, IAC, SE))


def stream(data: bytes) -> None:
    """Bytes after the beginning of a compressed stream are read, or are a fault, however they are cut."""
    reader = ByteReader(data)
    way, cut, repeat, wrong, at = (reader.byte() for _ in range(5))
    rest = reader.rest()
    if way & 1:  # a stream as it should be, of a text that perhaps is long
        times = 1 + min(repeat * 16, LONGEST_TEXT // (1 + len(rest))) if way & 2 and repeat > 192 else 1 + repeat % 4
        rest = zlib.compress(rest * times, way >> 5, 15 if way & 16 else 9)
    if way & 4 and rest:  # and a fault in it
        place = at * len(rest) // 256
        rest = rest[:place] + bytes((wrong,)) + rest[place + 1 :]
    heard = _START_OF_STREAM + rest + (b"\xff\xfb\x1flook\r\n" if way & 8 else b"")
    size = max(1 + cut % 97, len(heard) // 64)
    whole = _read_stream([heard])
    assert whole == _read_stream([heard[at : at + size] for at in range(0, len(heard), size)]), "it depends on the cut"
    if len(heard) < 128:
        assert whole == _read_stream([heard[at : at + 1] for at in range(len(heard))]), "it depends on the cut"


def _read_stream(pieces: list[bytes]) -> FuzzResult:
    machine = TelnetEngine([Mccp3(TIGHT)], settle_within=None, are_you_there="")
    drain(machine)
    events = machine.tick(0)
    for piece in pieces:
        events += hear(machine, piece)
    now = 0.0
    while machine.is_full:  # paused: it may read so many bytes a second
        now += 1.0
        events += machine.tick(now) + hear(machine, b"")
        assert now < 300, "it never ends"
    # IAC AO is obeyed once a second, and whether a second passes depends on the pauses, and so on the cut.
    return FuzzResult(events, drain(machine).replace(bytes((IAC, DM)), b""))


# Messages


def gmcp(data: bytes) -> None:
    """A payload is a message that can be sent again, or an anomaly that quotes nothing."""
    for payload in (data, b"Char.Vitals " + data):
        message = decode_gmcp(payload)
        if isinstance(message, Anomaly):
            assert len(message.detail) < 100
            continue
        assert _depth(message.data) <= MAX_DEPTH
        sent = encode_gmcp(message.package, message.data)
        assert decode_gmcp(sent[3:-2].replace(b"\xff\xff", b"\xff")) == message, f"{message!r} is not what it was"


def _depth(value: object) -> int:
    if isinstance(value, dict):
        value = [*value.values()]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def msdp(data: bytes) -> None:
    """A payload is a list of variables that can be sent again, or an anomaly that quotes nothing."""
    variables = decode_msdp(data)
    if isinstance(variables, Anomaly):
        assert len(variables.detail) < 100
        return
    for variable in variables:
        if "\ufffd" in repr(variable):
            continue  # what was no UTF-8 is longer once it is decoded, and perhaps too long
        sent = encode_msdp(variable.variable, variable.value)
        assert decode_msdp(sent) == [variable], f"{variable!r} is not what it was"


# In front of telnet


def proxy(data: bytes) -> None:
    """The result for the first bytes of a header holds when more of them come."""
    verdicts = [_verdict(data[:size]) for size in (*range(0, 32, 3), *range(32, 128, 11)) if size < len(data)]
    verdicts.append(_verdict(data))
    first = next((verdict for verdict in verdicts if verdict is not None), None)
    if first is None:
        return
    decided = verdicts[verdicts.index(first) :]
    if isinstance(first, str):
        assert not any(isinstance(verdict, ProxyHeader) for verdict in decided), "a refusal was taken back"
        return
    assert all(verdict == first for verdict in decided), "a header changed its meaning"
    assert 0 < first.size <= len(data)
    if first.address:
        assert str(ipaddress.ip_address(first.address)) == first.address


def _verdict(data: bytes) -> ProxyHeader | str | None:
    try:
        return read_header(data)
    except NoProxyHeader:
        return "none"


# WebSocket


def head(data: bytes) -> None:
    """The result for the first bytes of a request holds when more of them come."""
    for received in (
        data,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + data,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n",
    ):
        sizes = [*range(0, min(len(received), 48), 3), *range(48, len(received), 37), len(received)]
        outcomes = [_outcome(received[:size]) for size in sizes]
        decided = [outcome for outcome in outcomes if outcome is not None]
        assert outcomes == [None] * (len(outcomes) - len(decided)) + decided, "a decision was taken back"
        assert len(set(decided)) <= 1, "a decision was changed"


def _outcome(received: bytes) -> tuple[str, int] | int | None:
    try:
        found = read_head(received)
    except BadRequest as error:
        return int(error.status)
    return None if found is None else (found.path, found.size)


def frames(data: bytes) -> None:
    """Frames have the same content however they are cut, and end with a close frame if they are faulty."""
    reader = ByteReader(data)
    way, cut = reader.byte(), 1 + reader.byte() % 40
    rest = reader.rest()
    if UNMASKED_CLOSE in rest:
        return  # no violation if it ends a read
    while way & 1 and rest and len(rest) < 200:  # a good frame in front, so that more of the bytes are read as frames
        rest = frame(BINARY, rest[: len(rest) // 2], fin=not way & 2) + rest[len(rest) // 2 :]
        way >>= 2
    make = (lambda: None, TerminalCodec, GmcpCodec, JsonCodec)[cut % 4]
    whole, pieces = _framing(make()), _framing(make())
    heard = whole.receive(rest, 0.0)
    in_pieces = b""
    for at in range(0, len(rest), cut):
        if pieces.is_open:
            in_pieces += pieces.receive(rest[at : at + cut], 0.0)
    assert heard == in_pieces, "cut in another way it means something else"
    assert (whole.fault is None, whole.is_open) == (pieces.fault is None, pieces.is_open)
    for peer in (whole, pieces):
        assert peer.is_open or CLOSE_FRAME in peer.take_answers(), "it ended without a close frame"


CLOSE_FRAME: Final = b"\x88"
UNMASKED_CLOSE: Final = b"\x88\x02\x03\xe9"


def _framing(codec: Codec | None) -> Framing:
    return Framing(codec, max_message=300, empty_frames=Rate(10, burst=32))


def wire(data: bytes) -> None:
    """A frame is refused as a whole, or its messages arrive the same after another encoding."""
    try:
        if data[:1] == b"\0":
            up = decode_up(data[1:])
            again = encode_up(up.gateway, up.incarnation, up.epoch, up.roll, up.messages)
            assert [message for frame in again for message in decode_up(frame).messages] == up.messages
        else:
            down = decode_down(data[1:])
            again = encode_down(down.epoch, down.messages)
            assert [message for frame in again for message in decode_down(frame).messages] == down.messages
    except WireError:
        pass


def codec(data: bytes) -> None:
    """No message begins a telnet command, and all output is messages that a client can decode."""
    reader = ByteReader(data)
    way, cut = reader.byte(), 1 + reader.byte()
    rest = reader.rest()
    make = (TerminalCodec, AsciiCodec, GmcpCodec, JsonCodec)[way // 2 % 4]
    engine = TelnetEngine(settle_within=None)
    engine.receive(make.greeting)
    drain(engine)
    peer = make()
    heard = peer.hear(rest, is_text=bool(way & 1))
    events = engine.receive(heard)
    assert not any(isinstance(event, TelnetCommand | Subnegotiation) for event in events)
    said = drain(engine)
    assert set(said) <= set(b"\xff\xfa\xc9Core.Ping\xff\xf0"), "a message was answered like a telnet command"
    messages = [each for at in range(0, len(rest), cut) for each in peer.say(rest[at : at + cut])]
    for is_text, payload in messages:
        if is_text:
            payload.decode()


# Text

_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_OURS: Final = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\|\x1b\[[0-9]z")


def text(data: bytes) -> None:
    """No typed text controls a terminal, in any use by a game."""
    reader = ByteReader(data)
    way, width, colours = reader.byte(), reader.byte(), (0, 8, 16, 256, 1 << 24)[reader.byte() % 5]
    typed = reader.rest().decode(("utf-8", "latin-1", "utf-16-le")[way % 3], "replace")
    line = clean_line(typed)
    assert _COMMANDS.search(line.replace("\t", "")) is None
    assert "\n" not in line
    assert clean_line(line) == line, "clean is not clean enough"
    assert clean_text(line) == line
    rendering = Rendering(colours, width or None, bool(way & 4), bool(way & 8), bool(way & 16))
    shown = render(typed, rendering)
    assert _COMMANDS.search(shown.replace("\n", "").replace("\t", "")) is None
    command = clean_line(line[:40]) or "look"
    said = markup("<b>{who}</b> says: <red>{what}</red>", who=typed, what=link(line or "x", send=command))
    shown = render(said, rendering)
    assert _COMMANDS.search(_OURS.sub("", shown).replace("\n", "").replace("\t", "")) is None
    if rendering.mxp:
        assert "<" not in _without_our_tags(shown)
    assert wrap(line, max(1, width)) == wrap(line, max(1, width))


def _without_our_tags(shown: str) -> str:
    return re.sub(r"</?(?:send|a)\b[^<>]*>", "", shown, flags=re.IGNORECASE)


# What there is


@dataclass(frozen=True)
class Target:
    """A function to fuzz.

    Attributes:
        run: Raises AssertionError, or any other exception, if it breaks a promise.
        words: Byte strings that have a meaning for it.
        share: Of a thousand executions.
        longest: Bytes of an input.
    """

    run: Callable[[bytes], None]
    words: tuple[bytes, ...]
    share: int
    longest: int

    @property
    def name(self) -> str:
        return self.run.__name__

    def seeds(self) -> list[bytes]:
        """Return the initial inputs: those in the folder, its words, and for the engine recordings of programs."""
        kept = [path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))]
        return [*kept, *self.words, *(recorded_scripts() if self.run is engine else ())]


def recorded_scripts() -> list[bytes]:
    """Return the recorded output of real programs, as scripts for an engine that offers everything."""
    scripts = []
    for path in sorted(RECORDED.glob("*.txt")):
        script = bytearray((0, 0xFF, 0xFF))
        for row in path.read_text(encoding="ascii").splitlines():
            kind, _, what = row.partition(" ")
            if kind == "hears":
                piece: bytes = ast.literal_eval(what)
                for at in range(0, len(piece), FuzzStep.TICK - 1):
                    part = piece[at : at + FuzzStep.TICK - 1]
                    script += bytes((len(part),)) + part
            elif kind == "hides":
                script.append(FuzzStep.HIDE if what == "True" else FuzzStep.SHOW)
            elif kind == "ticks":
                script += bytes((FuzzStep.TICK, 1))
        scripts.append(bytes(script))
    return scripts


_TELNET: Final = tuple(
    bytes(step)
    for step in (
        *((FuzzStep.NEGOTIATE, verb, number) for verb in range(4) for number in range(len(CODES))),
        (INFLATES, 0xFF, 0xFF, 5, *b"look\n"),
        (FuzzStep.BEGIN_STREAM,),
        (FuzzStep.END_STREAM,),
        (FuzzStep.REPEAT, 255, 2, 13, 10),
        *((3, IAC, SB, code) for code in CODES),
        (2, IAC, SE),
        (FuzzStep.PAYLOAD, CODES.index(201), 18, *b"Core.Ping 12345678"),
        (FuzzStep.PAYLOAD, CODES.index(69), 14, 1, *b"LIST", 2, *b"COMMANDS"),
        (FuzzStep.PAYLOAD, CODES.index(69), 14, 1, *b"REPORT", 2, *b"HEALTH"),
        (FuzzStep.PAYLOAD, CODES.index(24), 9, 0, *b"MTTS 271"),
        (FuzzStep.PAYLOAD, CODES.index(39), 14, 0, 0, *b"MTTS", 1, *b"271", 3, *b"AB", 1),
        (FuzzStep.PAYLOAD, CODES.index(42), 7, 1, *b";UTF-8"),
        (FuzzStep.PAYLOAD, CODES.index(31), 4, 0, 80, 0, 24),
    )
)
_JSON: Final = (
    b"Core.Hello {}",
    b'Core.Supports.Set ["Char 1", "Room 1"]',
    b'Char.Vitals {"hp": 1, "mp": [1, 2.5e3, true, null, "\\ud83d\\ude00"]}',
    b'MSDP {"LIST": ["COMMANDS", "LISTS"]}',
    b"A " + b"[" * 32 + b"]" * 32,
    b"A " + b'{"a":' * 33 + b"1" + b"}" * 33,
    b"A " + b"1" * 33,
    b'A "\\"[[[["',
)
_MSDP: Final = (
    b"\1LIST\2COMMANDS",
    b"\1REPORT\2A\2B\2C",
    b"\1ROOM\2\3\1VNUM\0026008\1EXITS\2\3\1n\0021\1s\0022\4\4",
    b"\1A\2\5\2x\2y\2\3\1k\2v\4\6",
    b"\1A\2" + b"\5\2" * 15 + b"x" + b"\6" * 15,
)
_PROXY: Final = (
    b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 4000\r\n",
    b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.9 56324 4000\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\xdc\4\x0f\xa0",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2c" + bytes(range(36)) + b"\x20\0\5\1\0\0\0\0",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
)
_TEXT: Final = (
    b"\0\x28\0\x1b[31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
    b"\0\x14\1" + "שלום e\u0301\u0301\u0301\u0301\u0301\u0301\u0301 👩\u200d🚀 漢字漢字漢字".encode(),
    b"\x1f\x0a\2!!SOUND(a.wav) <send href='x'>&lt;{who}</b> !!music(",
    b"\1\0\3\x9b31m\x90x\x9c\x85\xad",
    b"\2\0\4\x2e\x20\x00\xd8\x00\xdc\x28\x20",
    b"\0\1\0" + "\u1160\u115f\u3164\ufe0f\u20e3\U000e0041\u2028\u0085".encode(),
)

_HEADS: Final = (
    b"GET /play?x HTTP/1.1\r\nHost: mud.example\r\nOrigin: https://mud.example\r\n\r\n",
    b"HEAD /healthz HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
)
_FRAMES: Final = (
    b"\0\1" + frame(BINARY, b"look\r\n") + frame(PING, b"?"),
    b"\0\2" + fragments(TEXT, ["grün".encode()[:3], "grün".encode()[3:]]),
    b"\1\3" + frame(TEXT, b'{"proto":"text","data":"look"}') + frame(CLOSE, b"\x03\xe8"),
    *(b"\0\7" + data for _, data, _ in FAULTS if len(data) < 500),
)
_MESSAGES: Final = (
    b"\7\xff" + b'{"proto": "gmcp", "id": "Char.Vitals", "data": {"hp": [1]}}',
    b"\7\xff" + b'{"proto": "gmcp", "id": "Core.Ping", "data": "\\ud83d\\ude00"}',
    b"\7\xff" + b'{"proto": "telnet_31", "data": "AP8A/w=="}',
    b"\5\xff" + b'Core.Supports.Set ["Room 1"]',
    b"\2\4" + "grün 世界 👩\r\n> ".encode() + bytes((IAC, 0xEF, IAC, IAC)),
    b"\6\2" + bytes((IAC, SB, 201)) + b"Core.Ping" + bytes((IAC, SE)),
)

_FRAMES_OF_A_CLUSTER: Final = (
    b"\0"
    + encode_up("g", 1, 1, 1, [Arrived(1, "10.0.0.1", False, KnownFacts({"size": ((80, 24), 3)})), RollOver()])[0],
    b"\0" + encode_up("g", 1, 1, 1, [LineTyped(1, 1, "look"), MessageReceived(1, 2, "gmcp", "Char.Login", b"{}")])[0],
    b"\1" + encode_down(1, [Output([1, 2], (TextSent(on_wire(markup("<b>{x}</b>", x="y"))), InputHidden(True)))])[0],
    b"\1"
    + encode_down(
        1, [Acknowledged([1, 2]), Output([1], (Preferred({"colours": (16, 9)}),)), Listed({"NAME": ("a", "b")})]
    )[0],
    b"\x96\1\xa1g\1\1\1\x91",
    b"\x93\1\1\x91",
)

TARGETS: Final = {
    target.name: target
    for target in (
        Target(engine, _TELNET, 120, 640),
        Target(stream, (b"\1\0\0\0\0look\r\n", b"\3\7\xff\0\0a", b"\x0d\1\1\2\x80look\r\nlook\r\n"), 30, 256),
        Target(gmcp, _JSON, 230, 1024),
        Target(msdp, _MSDP, 230, 1024),
        Target(proxy, _PROXY, 120, 256),
        Target(head, _HEADS, 50, 512),
        Target(frames, _FRAMES, 40, 512),
        Target(codec, _MESSAGES, 40, 512),
        Target(text, _TEXT, 100, 256),
        Target(wire, _FRAMES_OF_A_CLUSTER, 40, 512),
    )
}
