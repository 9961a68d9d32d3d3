"""A link's receiving half alone: what is parsed when, and what waits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import trio.testing

from trio_mud import Cause
from trio_mud.driver.link.base import Interrupted
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet import InterruptKind
from trio_mud.telnet.compression import PIECE
from trio_mud.telnet.options import DEFAULT_OPTIONS

from .receivers import KeepingReceiver, link_to
from .test_compression import AGREED3, flushed, lax


def parsed_by(link: TelnetLink, data: bytes) -> Iterator[None]:
    """One step for the feed, then one for each turn that gets further."""
    link._incoming.feed(data)
    yield
    while link.has_unparsed and not link._receiver.is_full and link.can_parse:
        link.taken()
        yield


async def test_compressed_bytes_are_read_a_piece_at_a_time_and_reading_waits_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    receiver = KeepingReceiver(10_000)
    link, before = link_to(receiver, lax()), 0
    for _ in parsed_by(link, AGREED3 + flushed(b"\n" * 5 * PIECE)):
        assert len(receiver.kept) - before == PIECE
        assert link._incoming.is_full is (len(receiver.kept) < 5 * PIECE)
        before = len(receiver.kept)
    assert len(receiver.kept) == 5 * PIECE


async def test_bytes_behind_compressed_ones_wait_for_them(autojump_clock: trio.testing.MockClock) -> None:
    receiver = KeepingReceiver(10_000)
    link = link_to(receiver, lax())
    data = AGREED3 + zlib.compress(bytes(range(48, 58)) * 500 + b"\n", 1) + b"plain\n" * 200
    for _ in parsed_by(link, data):
        assert receiver.kept or link.has_unparsed
    lines = [item for item in receiver.kept if isinstance(item, str)]
    assert len(lines) == 201
    assert not link._incoming.is_full
    assert len(lines[0]) == 4096
    assert lines[1] == "plain"


async def test_no_room_for_lines_no_more_pieces(autojump_clock: trio.testing.MockClock) -> None:
    receiver = KeepingReceiver(3)
    link = link_to(receiver, lax())
    for _ in parsed_by(link, AGREED3 + flushed(b"\n" * 2 * PIECE)):
        pass
    assert len(receiver.kept) == PIECE
    assert receiver.is_full
    for _ in range(PIECE):
        receiver.take()
    assert link.has_unparsed
    assert link.can_parse


async def test_what_breaks_the_stream_ends_the_link(autojump_clock: trio.testing.MockClock) -> None:
    receiver = KeepingReceiver(3)
    link = link_to(receiver, DEFAULT_OPTIONS)
    for _ in parsed_by(link, AGREED3 + b"look\r\n"):
        pass
    assert receiver.endings == [Cause.PROTOCOL]
    assert receiver.kept == []
    assert not link.has_unparsed


async def test_bytes_that_come_though_it_is_full_wait_behind_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    receiver = KeepingReceiver(1)
    link = link_to(receiver, ())
    for data in (b"one\ntwo\n" + b"x" * 600, b"three\n", b"four\n"):
        link._incoming.feed(data)
    taken = []
    while receiver.kept:
        taken.append(receiver.take())
        link.taken()
    assert taken == ["one", "two", "x" * 600 + "three", "four"]


async def test_closed_in_the_midst_of_a_piece_it_takes_no_more_of_it(autojump_clock: trio.testing.MockClock) -> None:
    receiver = KeepingReceiver(64)
    link = link_to(receiver, DEFAULT_OPTIONS)
    receiver.on_event = lambda event: link.drop_input()
    link._incoming.feed(AGREED3 + flushed(b"one\n\xff\xf4two\n" + b"three\n" * PIECE))
    assert receiver.kept[0] == "one"
    assert len(receiver.kept) == 2
    assert not link.has_unparsed


async def test_what_the_game_is_to_have_in_turn_waits_among_the_lines(autojump_clock: trio.testing.MockClock) -> None:
    receiver = KeepingReceiver(64)
    link_to(receiver, ())._incoming.feed(b"one\n\xff\xf4two\n")
    assert receiver.kept == ["one", Interrupted(InterruptKind.INTERRUPT), "two"]
