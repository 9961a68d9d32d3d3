"""The transport: bytes of telnet in messages, over any transport below, read by its own task or by a poller."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.driver.conftest import FakeTransport
from trio_mud.telnet.subprotocols import GmcpCodec
from trio_mud.testing import Pipe
from trio_mud.transports import ProtocolViolation, RequestAnswered, Transport, listen_by_receiving
from trio_mud.transports.framing import Codec
from trio_mud.transports.http import HttpAnswer
from trio_mud.transports.poller import Poller
from trio_mud.transports.site import Site
from trio_mud.transports.streams import StreamTransport
from trio_mud.transports.tcp import TcpTransport
from trio_mud.transports.websocket import PIECE, WebSocketTransport

from .frames import BINARY, CLOSE, PING, PONG, TEXT, client_frames, fragments, frame
from .narrow import Narrow

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: mud.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
SITE = Site({"telnet": None, "gmcp": GmcpCodec}, {"/": HttpAnswer(b"page")})


def request(name: str = "telnet") -> bytes:
    return UPGRADE + f"Sec-WebSocket-Protocol: {name}\r\n\r\n".encode()


async def opened(below: FakeTransport, name: str = "telnet", *, behind: bytes = b"") -> WebSocketTransport:
    """Return a transport whose WebSocket is open."""
    below.say(request(name) + behind)
    transport = WebSocketTransport(below, SITE)
    await transport.locate()
    await transport.handshake()
    assert below.text.startswith("HTTP/1.1 101 ")
    below.sent.clear()
    return transport


def contents(sent: Sequence[bytes]) -> list[tuple[object, bytes]]:
    return [(each.opcode, bytes(each.data)) for each in client_frames(b"".join(sent))]


class Collecting:
    """A reader that has room for one feed at a time."""

    def __init__(self, *, room: bool = True) -> None:
        self.fed: list[bytes] = []
        self.losses: list[trio.BrokenResourceError] = []
        self._has_room = room

    def feed(self, data: bytes) -> bool:
        self.fed.append(data)
        return self._has_room

    async def room(self) -> None:
        await trio.lowlevel.checkpoint()

    def lost(self, error: trio.BrokenResourceError) -> None:
        self.losses.append(error)


# Sending


async def test_what_is_sent_at_once_is_one_message() -> None:
    below = FakeTransport()
    transport = await opened(below)
    assert transport.send_nowait(b"Welcome.\r\n> ") == 12
    assert contents(below.sent) == [(BINARY, b"Welcome.\r\n> ")]


async def test_long_output_is_cut_behind_a_line_where_there_is_one() -> None:
    below = FakeTransport()
    transport = await opened(below)
    line = b"x" * 999 + b"\n"
    data = line * 40 + b"y" * 20_000
    assert transport.send_nowait(data) == len(data)
    messages = [content for _, content in contents(below.sent)]
    assert b"".join(messages) == data
    assert [len(message) for message in messages] == [16_000, 16_000, 8000, PIECE, 20_000 - PIECE]


async def test_output_without_a_message_counts_as_sent() -> None:
    below = FakeTransport()
    transport = await opened(below, "gmcp")
    assert transport.send_nowait(b"\xff\xfb\x01") == 3
    assert below.sent == []


@given(
    takes=st.lists(st.integers(0, 40), max_size=60),
    lines=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8),
    steps=st.lists(st.booleans(), max_size=20),
)
def test_whatever_is_accepted_below_every_message_and_ping_goes_once_and_in_order(
    takes: list[int], lines: list[bytes], steps: list[bool]
) -> None:
    async def play() -> None:
        narrow = Narrow(StreamTransport(Pipe(address="192.0.2.1").server), [])
        transport = WebSocketTransport(narrow, SITE)
        transport._framing = SITE.frame(None)
        narrow._takes = list(takes)
        pings = 0
        for line in lines:
            rest = line
            while rest:
                is_now = steps.pop() if steps else False
                if is_now and not transport._unsent:
                    transport.ping(is_read=True)
                    pings += 1
                rest = rest[transport.send_nowait(rest) if is_now else await transport.send_some(rest) :]
        await transport._flush()
        found = contents([narrow.taken])
        assert b"".join(content for opcode, content in found if opcode is BINARY) == b"".join(lines)
        assert [opcode for opcode, _ in found].count(PING) == pings

    trio.run(play)


async def test_a_ping_is_left_out_while_other_bytes_wait() -> None:
    below = FakeTransport()
    transport = await opened(below)
    below.room = 5
    assert transport.send_nowait(b"Welcome.\r\n") == 0
    transport.ping(is_read=True)
    below.make_room(1000)
    assert transport.send_nowait(b"Welcome.\r\n") == 10
    assert contents(below.sent) == [(BINARY, b"Welcome.\r\n")]


# Receiving


@pytest.mark.parametrize(("name", "greeting"), [("telnet", b""), ("gmcp", GmcpCodec.greeting)])
async def test_both_ways_of_receiving_give_the_greeting_and_then_the_same_bytes(name: str, greeting: bytes) -> None:
    behind = frame(BINARY, b"one\r\n")
    later = [fragments(BINARY, [b"two", b"\r\n"]), frame(PING), frame(BINARY, b"three\r\n") + frame(CLOSE), frame(PING)]
    heard = []
    for listens in (True, False):
        below = FakeTransport()
        transport = await opened(below, name, behind=behind)
        for data in later:
            below.say(data)
        if listens:
            reader = Collecting()
            await transport.listen(reader)
            heard.append(b"".join(reader.fed))
        else:
            parts = []
            while data := await transport.receive():
                parts.append(data)
            assert await transport.receive() == b""
            heard.append(b"".join(parts))
        assert [opcode for opcode, _ in contents(below.sent)] == [PONG, CLOSE]
    assert heard == [greeting + b"one\r\ntwo\r\nthree\r\n"] * 2


@pytest.mark.parametrize("listens", [True, False])
async def test_both_ways_of_receiving_end_with_a_violation_after_the_bytes_before(listens: bool) -> None:
    below = FakeTransport()
    transport = await opened(below)
    below.say(frame(BINARY, b"one\r\n") + frame(TEXT, b"\xff") + frame(BINARY, b"two\r\n"))
    reader = Collecting()
    reading = transport.listen(reader) if listens else listen_by_receiving(transport, reader)
    with pytest.raises(ProtocolViolation, match="violates the WebSocket protocol: invalid UTF-8"):
        await reading
    assert reader.fed == [b"one\r\n"]
    await transport.aclose()
    assert [(opcode, content[:2]) for opcode, content in contents(below.sent)] == [(CLOSE, b"\x03\xef")]


@pytest.mark.parametrize("listens", [True, False])
async def test_many_small_frames_are_read_at_their_rate_and_none_is_lost(
    listens: bool, autojump_clock: MockClock
) -> None:
    below = FakeTransport()
    transport = await opened(below)
    below.say(frame(BINARY, b"x") * 585)
    below.say(frame(BINARY, b"y") * 585)
    below.say(b"")
    reader = Collecting()
    began = trio.current_time()
    await (transport.listen(reader) if listens else listen_by_receiving(transport, reader))
    assert b"".join(reader.fed) == b"x" * 585 + b"y" * 585
    assert max(map(len, reader.fed)) < 100
    assert 4 < trio.current_time() - began < 8


async def test_a_reader_without_room_is_waited_for_also_with_the_greeting() -> None:
    below = FakeTransport()
    transport = await opened(below, "gmcp", behind=frame(BINARY, b"one\r\n"))
    below.say(frame(BINARY, b"two\r\n"))
    below.say(b"")
    reader = Collecting(room=False)
    await transport.listen(reader)
    assert reader.fed == [GmcpCodec.greeting, b"one\r\n", b"two\r\n"]


async def test_a_poller_reads_and_answers_for_the_task_of_the_connection() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    poller, reader = Poller(), Collecting()
    with trio.fail_after(60):
        async with trio.SocketStream(trio.socket.from_stdlib_socket(there)) as peer, trio.open_nursery() as nursery:
            transport = WebSocketTransport(TcpTransport(here, "127.0.0.1"), SITE)
            await peer.send_all(request())
            await transport.handshake()
            await peer.receive_some()
            nursery.start_soon(poller.run)
            nursery.start_soon(transport.listen, reader, poller)
            await peer.send_all(frame(BINARY, b"one\r\n") + frame(PING, b"?"))
            assert contents([await peer.receive_some()]) == [(PONG, b"?")]
            assert len(poller) == 1
            await peer.send_all(frame(CLOSE, b"\x03\xe8"))
            assert contents([await peer.receive_some()]) == [(CLOSE, b"\x03\xe8")]
            await wait_all_tasks_blocked()
            assert len(poller) == 0
            assert reader.fed == [b"one\r\n"]
            await transport.aclose_forcefully()
            nursery.cancel_scope.cancel()


# The handshake


async def test_a_page_is_answered_and_closes_the_link() -> None:
    below = FakeTransport()
    below.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(RequestAnswered, match="'/' was answered"):
        await WebSocketTransport(below, SITE).handshake()
    assert below.text.endswith("\r\n\r\npage")
    assert below.is_closed


async def test_an_end_of_file_within_the_request_is_no_handshake() -> None:
    below = FakeTransport()
    below.say(request()[:20])
    below.say(b"")
    with pytest.raises(trio.BrokenResourceError, match="closed the link within its request"):
        await WebSocketTransport(below, SITE).handshake()


async def test_head_and_frames_are_the_same_wherever_their_bytes_are_cut() -> None:
    whole = request("gmcp") + frame(TEXT, b"Core.Ping") + frame(BINARY, b"look") + frame(CLOSE, b"\x03\xe9")
    for at in range(1, len(whole)):
        below = FakeTransport(room=1 << 20)
        below.say(whole[:at])
        below.say(whole[at:])
        transport = WebSocketTransport(below, SITE)
        await transport.locate()
        await transport.handshake()
        heard = b""
        while data := await transport.receive():
            heard += data
        assert heard == GmcpCodec.greeting + b"\xff\xfa\xc9Core.Ping\xff\xf0look\r\n", f"cut before byte {at}"
        assert below.text.startswith("HTTP/1.1 101 ")
        assert below.sent[-1] == b"\x88\x02\x03\xe9"


async def test_a_slow_reader_of_the_answer_gets_all_of_it() -> None:
    below = FakeTransport(room=10)
    below.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with trio.open_nursery() as nursery:

        async def shake() -> None:
            with pytest.raises(RequestAnswered):
                await WebSocketTransport(below, SITE).handshake()

        nursery.start_soon(shake)
        for _ in range(40):
            await wait_all_tasks_blocked()
            below.make_room(10)
    assert below.text.endswith("\r\n\r\npage")


# The end


async def test_a_close_sends_its_code_behind_all_output_and_closes_the_transport_below() -> None:
    below = FakeTransport(room=1 << 20)
    transport = await opened(below)
    below.room = 3
    assert transport.send_nowait(b"Farewell.\r\n") == 0
    transport.close_code = 4001
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.aclose)
        await wait_all_tasks_blocked()
        assert not below.is_closed
        below.make_room(1000)
    assert below.is_closed
    assert contents(below.sent) == [(BINARY, b"Farewell.\r\n"), (CLOSE, (4001).to_bytes(2, "big"))]


async def test_a_close_that_cannot_be_sent_still_closes_the_transport_below(autojump_clock: MockClock) -> None:
    below = FakeTransport()
    transport = await opened(below)
    below.room = 0
    with trio.move_on_after(1):
        await transport.aclose()
    assert below.is_closed


@pytest.mark.parametrize(
    ("headers", "is_secure"),
    [
        ("", True),  # a client in the network of the proxies, or the proxy itself
        ("X-Forwarded-For: 192.0.2.7\r\n", False),
        ("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n", False),
        ("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n", True),
    ],
)
async def test_tls_between_a_proxy_and_the_server_does_not_make_its_client_secure(
    headers: str, is_secure: bool
) -> None:
    below = FakeTransport(address="10.0.0.1")
    below.is_secure = True
    below.say(UPGRADE + headers.encode() + b"\r\n")
    transport = WebSocketTransport(below, Site({}, forwarded_from=[ipaddress.ip_network("10.0.0.1")]))
    await transport.locate()
    await transport.handshake()
    assert transport.is_secure is is_secure


def make(codec: Callable[[], Codec] | None) -> Transport:
    """A WebSocketTransport is a Transport, as mypy checks here."""
    return WebSocketTransport(FakeTransport(), Site({"telnet": codec}))


async def test_before_the_handshake_the_address_is_that_of_the_transport_below() -> None:
    below = FakeTransport(address="192.0.2.7")
    assert WebSocketTransport(below, SITE).address == "192.0.2.7"
    assert make(None).channel is not None
