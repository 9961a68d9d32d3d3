"""Bytes that broke other servers, over real sockets: no other player is affected, and no log is filled."""

from __future__ import annotations

import json
import logging
import zlib
from contextlib import suppress

import pytest
import trio

from trio_mud import Cause, Hooks, Input, Limits, broadcast
from trio_mud.telnet.codes import AYT, DO, DONT, IAC, NAWS, SB, SE, TTYPE, WILL, WONT

from .test_over_tcp import TcpServer, serving

CHARSET, GMCP, LINEMODE, MCCP3, MSDP, NEW_ENVIRON = 42, 201, 34, 87, 69, 39
LIMITS = Limits(
    max_per_address=None,
    accept_rate_per_address=None,
    command_rate=None,
    quit_timeout=0.3,
    linger_timeout=0.2,
    shutdown_timeout=2,
)


def sub(option: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, option)) + payload + bytes((IAC, SE))


def agreed(option: int, payload: bytes, *, verb: int = DO) -> bytes:
    return bytes((IAC, verb, option)) + sub(option, payload)


EVERY_VERB = b"".join(bytes((IAC, verb, option)) for option in range(256) for verb in (WILL, WONT, DO, DONT))
EVERY_COMMAND = b"".join(bytes((IAC, command)) for command in range(240, 250) if command not in (SB, IAC))
ENTER_KEYS = b"a\r\nb\nc\r\0d\rsay \0\x07\x08\x7fe\r\n"
BROKEN_TEXT = b"\xc0\xaf\xe2\x82\xed\xa0\x80\xf4\x90\x80\x80\xc2\x9b31m\x9b5m\x1b]52;c;YQ==\x07\r\n"
BOMB = zlib.compress(b"\0" * 50_000_000, 9)
CORRUPT = zlib.compress(b"")[:2] + b"\xff" * 40  # there is no block of that kind
NUMBERS = b" ".join((b"A", b"9" * 5000))
LISTS = sub(MSDP, b"\x01A\x02" + b"\x05" * 5000) * 4
INJECTION = b"\0\0USER\1-f root\0IPADDRESS\x01127.0.0.1\3\xff\xff\x02"

HOSTILE = {
    "P1 without end": (bytes((IAC, SB, NAWS)) + b"y\n" * 200_000, None),
    "P1 thrice": (sub(NAWS, b"y\n" * 20_000) * 3, Cause.PROTOCOL),
    "P3 nothing inside": (bytes((IAC, SB, IAC, SE)) * 100, None),
    "P4 every option": (EVERY_VERB, None),
    "P5 a loop": (bytes((IAC, WILL, NAWS, IAC, WONT, NAWS)) * 100, None),
    "P6 a storm of one": (bytes((IAC, WILL, 99)) * 300_000, Cause.PROTOCOL),
    "P6 a storm": (bytes((IAC, WILL, NAWS, IAC, WONT, NAWS)) * 150_000, Cause.PROTOCOL),
    "P7 are you there": (bytes((IAC, AYT)) * 10_000, None),
    "P8 commands": (EVERY_COMMAND * 10 + b"\r\n", None),
    "P9 enter keys": (ENTER_KEYS, None),
    "P10 P13 no text": (BROKEN_TEXT, None),
    "P15 one line": (b"A" * 5_000_000 + b"\r\n", None),
    "P16 one packet": (b"x\n" * 10_000, None),
    "P18 a bomb": (bytes((IAC, DO, MCCP3)) + sub(MCCP3, b"") + BOMB, Cause.PROTOCOL),
    "P19 corrupt": (bytes((IAC, DO, MCCP3)) + sub(MCCP3, b"") + CORRUPT, Cause.PROTOCOL),
    "P20 brackets": (agreed(GMCP, b"A " + b"[" * 60_000) + sub(GMCP, b"A " + b"[" * 60_000) * 2, None),
    "P21 numbers": (agreed(GMCP, NUMBERS) + sub(GMCP, b"A NaN") + sub(GMCP, b"A [1"), None),
    "P22 a flood": (agreed(GMCP, b"A 1") + sub(GMCP, b"A 1") * 5000, None),
    "P22 two hellos": (agreed(GMCP, b'Core.Hello {"client":"x"}') + sub(GMCP, b'Core.Hello {"client":"y"}'), None),
    "P23 injection": (agreed(NEW_ENVIRON, INJECTION, verb=WILL), None),
    "P24 linemode": (agreed(LINEMODE, b"\x03" + b"\x01\x02\x03" * 2000, verb=WILL), None),
    "P25 names": (bytes((IAC, WILL, TTYPE)) + b"".join(sub(TTYPE, b"\0VT%d" % n) for n in range(1000)), None),
    "P25 sizes": (bytes((IAC, WILL, NAWS)) + sub(NAWS, b"\0\0\0\0") * 500 + sub(NAWS, b"\xff" * 8) * 500, None),
    "P26 tables": (agreed(CHARSET, b"\x01[TTABLE]\x01;UTF-9;", verb=WILL) + sub(CHARSET, b"\x04" * 100), None),
    "P27 nested lists": (bytes((IAC, DO, MSDP)) + LISTS, None),
}


@pytest.fixture
def hall() -> Hooks:
    """A game in which every line is sent to all."""
    hooks = Hooks()
    hooks.on(Input)(
        lambda event: broadcast(f"{event.connection.name}: {event.line}", to=event.connection.server.connections)
    )
    return hooks


SLOW = {"P1 thrice"}  # the budget for protocol holds it up for twelve seconds


@pytest.mark.parametrize(
    ("data", "ending"),
    [pytest.param(*row, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, row in HOSTILE.items()],
)
async def test_hostile_bytes_cost_the_sender_at_most_its_own_connection(
    hall: Hooks, caplog: pytest.LogCaptureFixture, data: bytes, ending: Cause | None
) -> None:
    async with serving(hall, LIMITS) as house, await house.call() as honest, await call_raw(house) as bad:
        await honest.type("before")
        await honest.sees(": before\n")
        is_sent = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_on, bad)
            nursery.start_soon(send, bad, data, is_sent)
            number = 0
            while number < 5 or (number < 200 and not is_sent.is_set()):  # most is held up by the budget
                number += 1
                asked = trio.current_time()
                await honest.type(f"line {number}")
                await honest.sees(f": line {number}\n")
                assert trio.current_time() - asked < 2
            if ending is not None:
                assert await house.has_seen(1) == [ending]
            nursery.cancel_scope.cancel()
        assert len(house.endings) == (ending is not None)
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.WARNING] == []


async def call_raw(house: TcpServer) -> trio.SocketStream:
    """One whose bytes are sent and read as they are."""
    return await trio.open_tcp_stream(*house.address)


async def read_on(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass


async def send(stream: trio.SocketStream, data: bytes, is_sent: trio.Event) -> None:
    with suppress(trio.BrokenResourceError):
        await stream.send_all(data)
    is_sent.set()


async def test_no_escape_goes_from_one_player_to_another(hall: Hooks) -> None:
    """P11, P10: title, clipboard, colour and cursor, in seven bits and in eight."""
    async with serving(hall, LIMITS) as house, await call_raw(house) as victim, await house.call() as bad:
        await bad.send(b"hi \x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[31m\x9b2J\xc2\x9b2J\xe2\x80\xaethere\r\n")
        heard = b""
        while not heard.endswith(b"there\r\n"):
            heard += await victim.receive_some()
        assert heard.endswith(": hi \N{REPLACEMENT CHARACTER}2Jthere\r\n".encode())  # a lone 9B is no UTF-8
        assert b"\x1b" not in heard
        assert b"\x9b" not in heard
        assert "\u202e".encode() not in heard


async def test_one_byte_a_packet_means_what_all_at_once_does(hall: Hooks) -> None:
    """P2: telnet, an escaped 255 and text in two bytes, cut everywhere."""
    lines: list[str] = []
    hall.on(Input)(lambda event: lines.append(event.line))
    data = bytes((IAC, WILL, NAWS)) + sub(NAWS, b"\0\x50\0\xff\xff") + b"na\xc3\xafve \xff\xff\xff\xf1!\r\n"
    async with serving(hall, LIMITS) as house, await house.call() as slow, await house.call() as quick:
        await quick.send(data)
        await quick.sees("!\n")
        for byte in data:
            await slow.stream.send_all(bytes((byte,)))
            await trio.sleep(0.001)
        await slow.sees("!\n")
        sizes = {connection.client.size for connection in house.server.connections}
    assert len(sizes) == 1
    assert len(lines) == 2
    assert len(set(lines)) == 1


def test_these_bytes_are_what_they_are_called() -> None:
    """A bomb, a corrupt stream, and brackets that a careless parser would recurse into."""
    assert len(BOMB) * 900 < 50_000_000
    with pytest.raises(zlib.error, match="invalid"):
        zlib.decompress(CORRUPT)
    with pytest.raises((RecursionError, json.JSONDecodeError)):
        json.loads("[" * 60_000)
