"""Memory: the bound on what one web connection can take, beside that of telnet, for any frames of its peer."""

from __future__ import annotations

import gc
import sys
import types
from enum import Enum

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.driver.conftest import FakeTransport, first_connection, waits
from tests.transports.frames import BINARY, CONTINUATION, TEXT, frame, raw
from trio_mud import Connection, GmcpMessage, Hooks, Input, MasterServer

from .client import open_web_house

MESSAGE = 64 * 1024  # bytes, the default of `limits.max_web_message`
INPUT = 128 * 1024  # bytes, the bound of telnet; see tests/driver/test_memory.py
OBJECTS = 8 * 1024  # bytes of the objects themselves, which differ between versions of Python

_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, Enum, Connection, MasterServer)
HOSTILE = {
    "half a message": [raw(0x82, MESSAGE, b"x" * (MESSAGE - 1))],
    "a message in fragments without an end": [
        frame(BINARY, b"x" * 1000, fin=False),
        *[frame(CONTINUATION, b"x" * 1000, fin=False)] * 63,
        raw(0x00, 1000, b"x" * 999),
    ],
    "long messages of doubled bytes": [frame(BINARY, b"\xff" * MESSAGE)] * 4,
    "long messages of lines": [frame(BINARY, b"x\n" * (MESSAGE // 2))] * 4,
    "GMCP in long messages": [frame(TEXT, b'A "' + b"x" * (MESSAGE - 4) + b'"')] * 8,
    "short messages": [frame(BINARY, b"x") * 600] * 50,
}


def weight(*roots: object) -> int:
    """Bytes that objects hold, about, without what they share with others."""
    total, seen, left = 0, set[int](), list(roots)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, (*_SHARED, FakeTransport)):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        left += gc.get_referents(thing)
    return total


@pytest.mark.parametrize(
    "name", ["telnet", "terminal.mudstandards.org", "gmcp.mudstandards.org", "json.mudstandards.org"]
)
@pytest.mark.parametrize("kind", HOSTILE)
async def test_frames_that_wait_are_bounded_in_bytes_whatever_they_are(
    kind: str, name: str, autojump_clock: MockClock
) -> None:
    hooks = Hooks()
    for event in (Input, GmcpMessage):
        hooks.on(event)(waits(1000))
    async with open_web_house(hooks) as house:
        client = await house.connect(name)
        link = first_connection(house.server)._link
        before = weight(link)
        for data in HOSTILE[kind]:
            for at in range(0, len(data), 4096):
                client.wire.say(data[at : at + 4096])
        await wait_all_tasks_blocked()
        assert weight(link) - before <= INPUT + 2 * MESSAGE + OBJECTS
        client.wire.break_()
