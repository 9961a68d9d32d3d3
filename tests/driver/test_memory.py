"""Memory: the memory that one connection can take has a bound in bytes, for any input of its peer (I-11)."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator
from enum import Enum
from itertools import cycle, repeat
from pathlib import Path

import pytest

from trio_mud import Connection, GmcpMessage, Hooks, Input, Limits, MasterServer, MsdpMessage
from trio_mud.driver.connection.waiting import Payload
from trio_mud.driver.recording.journal import HELD, PAYLOAD, Journal
from trio_mud.telnet.codes import DO, GMCP, IAC, IP, MSDP, NEW_ENVIRON, SB, SE, WILL
from trio_mud.telnet.gmcp_messages import to_json
from trio_mud.testing import OpenMud

from .conftest import engine_of, feed, first_connection, link_of, settled, waits

INPUT = 128 * 1024  # bytes: what a peer sends and the game has not handled; with `limits.max_output` that makes 384 KiB
READ = 4096  # bytes

_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, Enum, Connection, MasterServer)


def weight(*roots: object) -> int:
    """Bytes that objects hold, about, without what they share with others."""
    total, seen, left = 0, set[int](), list(roots)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if type(thing) is not Payload:  # which counts what it holds itself
            left += gc.get_referents(thing)
    return total


def payload(code: int, *content: bytes) -> bytes:
    return bytes((IAC, SB, code)) + b"".join(content) + bytes((IAC, SE))


def objects() -> Iterator[bytes]:
    """JSON that takes far more memory than bytes, in new keys each time."""
    for first in range(0, 1 << 30, 1300):
        yield payload(GMCP, b"A {", b",".join(b'"%08x":{}' % (first + key) for key in range(1300)), b"}")


HOSTILE: dict[str, Iterator[bytes]] = {
    "empty lines": repeat(b"\n"),
    "short lines": cycle(b"%d\n" % number for number in range(1000)),
    "long lines": cycle(b"%04d%s\n" % (number, b"a" * 4092) for number in range(100)),
    "lines of four bytes a character": cycle(
        f"{number:04}".encode() + b"a" * 4080 + "\U0001f600\n".encode() for number in range(100)
    ),
    "GMCP of objects": objects(),
    "GMCP of lists": repeat(payload(GMCP, b"A [", b",".join([b"[]"] * 2000), b"]")),
    "GMCP of floats": repeat(payload(GMCP, b"A [", b",".join([b"1e15"] * 4000), b"]")),
    "GMCP, one large text": repeat(payload(GMCP, b'A "', b"x" * 65000, b'"')),
    "GMCP, small": cycle(payload(GMCP, b"A.B%d {}" % number) for number in range(1000)),
    "MSDP of arrays": repeat(payload(MSDP, b"\1A\2\5", b"\2" * 4000, b"\6")),
    "MSDP of bytes that are no text": repeat(payload(MSDP, b"\1A\2", b"\xfe" * 8000)),
    "interrupts": repeat(bytes((IAC, IP))),
    "variables": cycle(payload(NEW_ENVIRON, b"\0\3A%d\1%s" % (number, b"b" * 100)) for number in range(1000)),
}


def in_reads(messages: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The messages in a row, cut as a socket would."""
    waiting, sent = b"", 0
    while sent < most:
        while len(waiting) < READ:
            waiting += next(messages)
        yield waiting[:READ]
        waiting, sent = waiting[READ:], sent + READ


@pytest.mark.parametrize("recorded", [False, True], ids=["", "recorded"])
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_input_that_waits_for_the_game_is_bounded_in_bytes_whatever_it_is(
    mud: OpenMud, kind: str, recorded: bool, tmp_path: Path
) -> None:
    hooks = Hooks()
    for event in (Input, GmcpMessage, MsdpMessage):
        hooks.on(event)(waits(1000))
    async with mud(
        hooks, limits=Limits(command_rate=None, protocol_rate=None, hook_timeout=None), allow_errors=True
    ) as place:
        if recorded:
            place.server.record(tmp_path)
        agreed = bytes((IAC, DO, GMCP, IAC, DO, MSDP, IAC, WILL, NEW_ENVIRON))
        await place.connect().client.send_all(agreed + b"handled now\n")
        await settled()
        connection = first_connection(place.server)
        assert all(map(engine_of(connection).is_ours, (GMCP, MSDP)))
        assert engine_of(connection).is_theirs(NEW_ENVIRON)
        observer, most = connection._inbox.observer, 0
        for data in in_reads(HOSTILE[kind], 1 << 18):
            if isinstance(observer, Journal):  # as its transport does before it hands the bytes on
                observer.hear(1.0, data, is_hidden=False)
            has_room = feed(connection, data)
            most = max(most, weight(*_held(connection)))
            if not has_room:
                break
        bound = INPUT + (HELD + PAYLOAD if recorded else 0)
        assert most <= bound
        assert link_of(connection)._limit + bound <= 384 * 1024


async def test_a_full_typeahead_reads_on_when_its_bytes_were_handled_and_loses_nothing(mud: OpenMud) -> None:
    heard: list[object] = []
    hooks = Hooks()
    hooks.on(GmcpMessage)(lambda event: heard.append(event.data))
    async with mud(hooks, limits=Limits(command_rate=None, protocol_rate=None, max_typeahead_bytes=500)) as place:
        client = place.connect().client
        await client.send_all(bytes((IAC, DO, GMCP)))
        data: list[object] = [[number, "x" * 300, {"a": [None, True, -0.5, 10**30]}] for number in range(40)]
        await client.send_all(b"".join(payload(GMCP, b"A ", to_json(each)) for each in data))
        await settled()
        assert heard == data


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_lines_that_are_taken_or_given_back_leave_the_count_of_bytes_exact(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(max_typeahead_bytes=1000, command_rate=None)) as place:
        await place.player()
        await settled()
        connection = first_connection(place.server)
        inbox, incoming = connection._inbox, link_of(connection)._incoming

        def take() -> str:
            while (event := inbox.take_event()) is None:  # a turn that was used up by parsing
                pass
            assert isinstance(event, Input)
            return event.line

        lines = ["a", "b" * 150, "c" * 191, "d" * 200, "\U0001f600" * 60, "e" * 500]
        feed(connection, "".join(f"{line}\n" for line in lines).encode())
        assert incoming.is_full
        inbox.give_back(take())
        assert [take() for _ in lines] == lines
        assert not incoming.is_full
        for letter in (b"f", b"g"):
            feed(connection, letter * 500 + b"\n")
        assert incoming.is_full
        take()
        assert not incoming.is_full
        for _ in range(3):
            assert not incoming.is_full
            feed(connection, b"!SOUND(" * 20 + b"\n")  # it grows by the spaces that break the triggers
        assert incoming.is_full
        inbox.discard_lines()
        assert not incoming.is_full


def _held(connection: Connection) -> list[object]:
    """Return the objects that hold waiting input, without those of every connection."""
    held: list[object] = [connection._inbox.lines, link_of(connection)._incoming._raw, engine_of(connection)]
    journal = connection._inbox.observer
    if isinstance(journal, Journal):
        held += [journal._entries, journal._waiting, journal._scanner.payload, journal._partial]
    return held
