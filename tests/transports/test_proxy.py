"""The PROXY protocol: the parser first, without I/O, then the trusted networks."""

from __future__ import annotations

import ipaddress
import logging
import ssl
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud import Cause, Connect, Disconnect, Hooks, Input, Limits, MasterServer, Rate
from trio_mud.testing import Pipe, PipeListener
from trio_mud.transports.proxy import NoProxyHeader, ProxyHeader, ProxyListener, read_header
from trio_mud.transports.streams import StreamListener
from trio_mud.transports.tcp import canonical_host, open_tcp_listeners
from trio_mud.transports.tls import Certificate, TlsListener

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.9 56324 4000\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PORTS = struct.pack("!HH", 56324, 4000)
TCP4, TCP6, UNIX, UNSPEC = 0x11, 0x21, 0x31, 0x00
LOCAL, PROXY = 0x20, 0x21
IPV4 = ipaddress.ip_address("192.0.2.7").packed + ipaddress.ip_address("192.0.2.9").packed + PORTS
IPV6 = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::9").packed + PORTS
MAPPED = ipaddress.ip_address("::ffff:192.0.2.7").packed * 2 + PORTS


def v2(body: bytes, *, command: int = PROXY, family: int = TCP4, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body) if length is None else length) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


BY_TLS = tlv(0x20, b"\x01" + bytes(4) + tlv(0x21, b"TLSv1.3"))
NOT_BY_TLS = tlv(0x20, bytes(5))

GOOD = [
    (V1, "192.0.2.7", 56324, False),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535, False),
    (b"PROXY TCP6 2001:DB8:0::7 ::1 1 0\r\n", "2001:db8::7", 1, False),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7", 1, False),
    (b"PROXY UNKNOWN\r\n", "", 0, False),
    (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", "", 0, False),
    (v2(IPV4), "192.0.2.7", 56324, False),
    (v2(IPV6, family=TCP6), "2001:db8::7", 56324, False),
    (v2(MAPPED, family=TCP6), "192.0.2.7", 56324, False),
    (v2(bytes(216), family=UNIX), "", 0, False),
    (v2(b"", family=UNSPEC), "", 0, False),
    (v2(b"", command=LOCAL, family=UNSPEC), "", 0, False),
    (v2(IPV4 + b"junk", command=LOCAL), "", 0, False),
    (v2(IPV4 + NOT_BY_TLS), "192.0.2.7", 56324, False),
    (v2(IPV4 + tlv(0x05, b"id") + BY_TLS + tlv(0x04, bytes(3))), "192.0.2.7", 56324, True),
    (v2(IPV4 + tlv(0x04, bytes(4000))), "192.0.2.7", 56324, False),
]
FOR_NOBODY = [  # the proxy speaks for itself, or does not know of whom
    b"PROXY UNKNOWN\r\n",
    v2(b"", command=LOCAL, family=UNSPEC),
    v2(IPV4, command=LOCAL),
    v2(b"", family=UNSPEC),
    v2(bytes(216), family=UNIX),
]
BAD = [
    b"look\r\n",
    b"PROXY\r\n",
    b"proxy TCP4 192.0.2.7 192.0.2.9 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 1\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.7  192.0.2.9 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 1 -2\r\n",
    b"PROXY TCP4 192.0.2.007 192.0.2.9 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY UDP4 192.0.2.7 192.0.2.9 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 1 \xb2\r\n",
    b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n",
    b"PROXY TCP4 " + b"1" * 200,
    v2(IPV4, command=0x11),
    v2(IPV4, command=0x22),
    v2(IPV4, family=0x41),
    v2(IPV4, family=0x13),
    v2(IPV4[:-1]),
    v2(IPV4, family=TCP6),
    v2(b"", length=4096),
    v2(IPV4 + b"\x20"),
    v2(IPV4 + b"\x20\x00\x06abcde"),
    v2(IPV4 + tlv(0x20, bytes(4))),
]


def outcome(received: bytes) -> ProxyHeader | str | None:
    try:
        return read_header(received)
    except NoProxyHeader as error:
        return str(error)


# The parser


@pytest.mark.parametrize(("header", "address", "port", "is_secure"), GOOD)
def test_a_header_tells_where_the_peer_is_and_how_it_came(
    header: bytes, address: str, port: int, is_secure: bool
) -> None:
    assert read_header(header) == ProxyHeader(len(header), address, port, is_secure)


@pytest.mark.parametrize("header", BAD)
def test_a_malformed_header_is_none(header: bytes) -> None:
    with pytest.raises(NoProxyHeader):
        read_header(header)


@pytest.mark.parametrize("header", [good[0] for good in GOOD])
def test_what_follows_a_header_is_not_looked_at(header: bytes) -> None:
    for rest in (b"look\r\n", b"\r\n", bytes(5000), header):
        assert read_header(header + rest) == read_header(header)


@pytest.mark.parametrize("header", [*(good[0] for good in GOOD), *BAD])
def test_however_a_header_is_cut_the_outcome_is_the_same(header: bytes) -> None:
    """None until all is there, or the error as soon as it shows."""
    whole = outcome(header)
    seen = [outcome(header[:size]) for size in range(len(header))]
    decided = [one for one in seen if one is not None]
    assert set(decided) <= ({whole} if isinstance(whole, str) else set())


@example(b"PROXY " + b" " * 120 + b"\r\n")
@example(v2(IPV4 + BY_TLS)[:40])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda rest: b"PROXY " + rest),
        st.text("TCP46UNKOW 0123456789abcdef:.\r\n", max_size=120).map(lambda text: b"PROXY " + text.encode()),
        st.binary(max_size=300).map(lambda rest: SIGNATURE + rest),
        st.builds(v2, st.binary(max_size=300), command=st.sampled_from([LOCAL, PROXY]), family=st.integers(0, 255)),
        st.builds(lambda rest: v2(IPV4 + rest), st.binary(max_size=60)),
    )
)
def test_the_parser_raises_nothing_but_its_own_error_and_changes_its_mind_for_no_cut(received: bytes) -> None:
    decided = [one for size in range(len(received) + 1) if (one := outcome(received[:size])) is not None]
    assert len(set(decided)) <= 1
    assert len(received) < 4096 + 16 or decided


@given(
    source=st.ip_addresses(),
    ports=st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    is_secure=st.booleans(),
    rest=st.binary(max_size=20),
)
def test_both_versions_tell_the_same(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address, ports: tuple[int, int], is_secure: bool, rest: bytes
) -> None:
    line = f"PROXY TCP{source.version} {source} {source} {ports[0]} {ports[1]}\r\n".encode()
    family = TCP4 if source.version == 4 else TCP6
    binary = v2(source.packed * 2 + struct.pack("!HH", *ports) + (BY_TLS if is_secure else b""), family=family)
    address = canonical_host(str(source))
    assert read_header(line + rest) == ProxyHeader(len(line), address, ports[0])
    assert read_header(binary + rest) == ProxyHeader(len(binary), address, ports[0], is_secure)


# Addresses have one spelling


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("127.0.0.1", "127.0.0.1"),
        ("", ""),
        ("pipe:3", "pipe:3"),
    ],
)
def test_an_address_has_one_spelling_for_every_ban(written: str, canonical: str) -> None:
    """N30."""
    assert canonical_host(written) == canonical


@given(st.ip_addresses(v=4))
def test_mapped_or_not_an_address_is_one(address: ipaddress.IPv4Address) -> None:
    """N30."""
    assert canonical_host(f"::ffff:{address}") == canonical_host(str(address)) == str(address)


@given(st.text(max_size=30))
def test_a_canonical_address_stays_what_it_is(text: str) -> None:
    assert canonical_host(canonical_host(text)) == canonical_host(text)


# Who is believed


class ProxiedServer:
    """A server that echoes, and what its hooks saw."""

    def __init__(self, limits: Limits) -> None:
        self.server = MasterServer(Hooks(), limits=limits)
        self.door = PipeListener()
        self.came: list[tuple[str, bool, bool]] = []  # address, secure, refused
        self.typed: list[str] = []
        self.gone: list[Cause] = []

        @self.server.hooks.on(Connect)
        def come(event: Connect) -> None:
            connection = event.connection
            self.came.append((connection.address, connection.client.is_secure, connection.is_refused))

        @self.server.hooks.on(Input)
        def answer(event: Input) -> None:
            self.typed.append(event.line)

        @self.server.hooks.on(Disconnect)
        def go(event: Disconnect) -> None:
            self.gone.append(event.cause)

    async def call(self, *said: bytes, address: str = "10.0.0.1") -> Pipe:
        """Connect, send something piece by piece, and wait until nothing moves."""
        pipe = Pipe(address=address)
        self.door.connect(pipe)
        await trio.testing.wait_all_tasks_blocked()
        for piece in said:
            await pipe.client.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        return pipe


@asynccontextmanager
async def open_house(
    limits: Limits | None = None, certificate: Certificate | None = None
) -> AsyncGenerator[ProxiedServer, None]:
    house = ProxiedServer(limits or Limits())
    networks = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    listener = ProxyListener(StreamListener(house.door), networks)
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, [TlsListener(listener, certificate) if certificate else listener])
        yield house
        house.server.shutdown(within=1)


@pytest.mark.parametrize("address", ["10.0.0.1", "10.255.0.7", "fd12::1", "::ffff:10.0.0.1"])
async def test_a_trusted_proxy_tells_where_its_peer_is(autojump_clock: trio.testing.MockClock, address: str) -> None:
    async with open_house() as house:
        await house.call(V1 + b"look\r\n", address=address)
    assert house.came == [("192.0.2.7", False, False)]
    assert house.typed == ["look"]


@pytest.mark.parametrize("header", [V1, v2(IPV4 + BY_TLS)])
async def test_a_header_byte_by_byte_loses_nothing_of_what_follows(
    autojump_clock: trio.testing.MockClock, header: bytes
) -> None:
    async with open_house() as house:
        await house.call(*(bytes([byte]) for byte in header + b"look\r\n"))
    assert house.came == [("192.0.2.7", header != V1, False)]
    assert house.typed == ["look"]


async def test_a_proxy_that_asks_for_itself_has_its_own_address(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house() as house:
        await house.call(v2(b"", command=LOCAL, family=UNSPEC) + b"x")
        await house.call(b"PROXY UNKNOWN\r\n", b"x", address="10.0.0.2")
    assert [address for address, *_ in house.came] == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("header", FOR_NOBODY)
async def test_a_proxys_health_check_is_told_to_no_hook(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, header: bytes
) -> None:
    """K13."""
    async with open_house() as house:
        closed, reset = [await house.call(header) for _ in range(2)]
        await closed.client.send_eof()
        assert [bytes(data) async for data in closed.client] == []
        reset.reset()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0
        assert house.server.counters["health checks"] == 2
        assert house.server.counters["handshakes failed"] == 0
    assert (house.came, house.gone) == ([], [])
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


@pytest.mark.parametrize("header", FOR_NOBODY)
async def test_a_link_that_may_be_a_health_check_waits_no_longer_than_a_handshake(
    autojump_clock: trio.testing.MockClock, header: bytes
) -> None:
    """K13."""
    async with open_house(Limits(handshake_timeout=10)) as house:
        pipe = await house.call(header)
        with suppress(trio.BrokenResourceError):
            assert await pipe.client.receive_some() == b""
        assert trio.current_time() == 10
        await trio.testing.wait_all_tasks_blocked()
        assert house.server.counters["health checks"] == 1
    assert (house.came, house.gone) == ([], [])


@pytest.mark.parametrize("header", FOR_NOBODY)
async def test_with_its_first_byte_a_link_that_might_have_been_a_health_check_is_a_player(
    autojump_clock: trio.testing.MockClock, header: bytes
) -> None:
    """K13."""
    said = header + b"look\r\n"
    async with open_house(Limits(accept_rate=None)) as house:
        for cut in range(len(said) + 1):
            pipe = await house.call(said[:cut], said[cut:])
            assert house.typed == ["look"]
            await pipe.client.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert (house.came, house.gone) == ([("10.0.0.1", False, False)], [Cause.EOF])
            house.came, house.gone, house.typed = [], [], []
        assert house.server.counters["health checks"] == 0


async def test_what_came_first_is_recorded_too(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async with open_house() as house:
        house.server.record(tmp_path)
        await house.call(b"PROXY UNKNOWN\r\n", b"look\r\n")
    (record,) = tmp_path.iterdir()  # noqa: ASYNC240 - a folder of this test alone
    assert "in b'look\\r\\n'" in record.read_text()


async def test_a_health_check_by_tls_is_told_to_no_hook_either(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """K13."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with open_house(certificate=Certificate(tmp_path / "both.pem")) as house:
        for said in (b"", b"look\r\n"):
            pipe = await house.call(v2(b"", command=LOCAL, family=UNSPEC))
            stream = trio.SSLStream(pipe.client, context, server_hostname="localhost")
            await stream.do_handshake()
            await trio.testing.wait_all_tasks_blocked()
            assert house.came == []
            if said:
                await stream.send_all(said)
                await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
        assert house.server.counters["health checks"] == 1
    assert house.came == [("10.0.0.1", True, False)]
    assert house.typed == ["look"]


async def test_one_too_many_behind_a_proxy_stalls_no_longer_than_any_other_that_is_refused(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    limits = Limits(max_per_address=1, handshake_timeout=10, linger_timeout=2)
    async with open_house(limits, Certificate(tmp_path / "both.pem")) as house:
        for _ in range(3):
            await house.call(V1)
        await trio.sleep(3)
        assert house.server.counters["handshakes failed"] == 2
        await trio.sleep(8)
        assert house.server.counters["handshakes failed"] == 3


@pytest.mark.parametrize("address", ["192.0.2.66", "11.0.0.1", "fe80::1", ""])
async def test_from_others_a_header_is_a_players_words(autojump_clock: trio.testing.MockClock, address: str) -> None:
    """N21."""
    async with open_house() as house:
        await house.call(V1 + b"look\r\n", address=address)
    assert house.came == [(address, False, False)]
    assert house.typed == [V1.decode().strip(), "look"]


async def test_from_others_nothing_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house() as house:
        await house.call(address="192.0.2.66")
        assert house.came == [("192.0.2.66", False, False)]


@pytest.mark.parametrize(
    "said", [b"look\r\n", b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200, v2(b"", length=65535)]
)
async def test_from_a_trusted_proxy_a_header_is_required(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    """N21, N22."""
    async with open_house() as house:
        pipe = await house.call(said)
        with suppress(trio.BrokenResourceError):
            assert await pipe.client.receive_some() == b""
        assert house.server.counters["handshakes failed"] == 1
        assert trio.current_time() == 0
    assert (house.came, house.gone) == ([], [])
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize("said", [b"", V1[:-1], v2(IPV4)[:20]])
async def test_a_stalled_header_ends_at_the_deadline_and_was_never_there(
    autojump_clock: trio.testing.MockClock, said: bytes
) -> None:
    """N22."""
    async with open_house(Limits(handshake_timeout=10)) as house:
        pipe = await house.call(said)
        with suppress(trio.BrokenResourceError):
            assert await pipe.client.receive_some() == b""
        assert trio.current_time() == 10
        await trio.testing.wait_all_tasks_blocked()
        assert house.server.counters["handshakes failed"] == 1
    assert (house.came, house.gone) == ([], [])


async def test_a_proxy_that_ends_before_its_header_is_a_failed_handshake(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house() as house:
        pipe = await house.call(V1[:9])
        await pipe.client.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert house.server.counters["handshakes failed"] == 1
    assert house.came == []


async def test_peers_behind_one_proxy_are_counted_by_their_own_addresses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Limits(max_per_address=2)) as house:
        for last in (1, 1, 2, 2, 1):
            await house.call(b"PROXY TCP4 192.0.2.%d 192.0.2.9 1 2\r\n" % last)
        assert [refused for _, _, refused in house.came] == [False, False, False, False, True]
        for connection in house.server.connections:
            connection.quit()
        await trio.sleep(5)
        await house.call(V1.replace(b".7 ", b".1 "))
        assert house.came[-1] == ("192.0.2.1", False, False)


async def test_behind_the_header_comes_tls(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with open_house(certificate=Certificate(tmp_path / "both.pem")) as house:
        for address in ("10.0.0.1", "192.0.2.66"):
            pipe = await house.call(*([V1] if address == "10.0.0.1" else []), address=address)
            player = trio.SSLStream(pipe.client, context, server_hostname="localhost")
            await player.send_all(b"look\r\n")
            await trio.testing.wait_all_tasks_blocked()
    assert house.came == [("192.0.2.7", True, False), ("192.0.2.66", True, False)]
    assert house.typed == ["look", "look"]


async def test_over_true_sockets_a_header_and_what_follows_may_come_at_once() -> None:
    house = ProxiedServer(Limits())
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    trusted = [ProxyListener(listener, [ipaddress.ip_network("127.0.0.1")]) for listener in listeners]
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, trusted)
        async with await trio.open_tcp_stream("127.0.0.1", listeners[0].address[1]) as stream:
            await stream.send_all(V1 + b"look\r\n")
            with trio.fail_after(60):
                while not house.typed:  # noqa: ASYNC110 - what is waited for has no event
                    await trio.sleep(0.01)
        house.server.shutdown(within=1)
    assert house.came == [("192.0.2.7", False, False)]


@pytest.mark.parametrize(("source", "came"), [("127.0.0.2", "192.0.2.7"), ("127.0.0.3", "127.0.0.3")])
async def test_over_true_sockets_only_a_trusted_address_is_believed_also_byte_by_byte(source: str, came: str) -> None:
    """N21, N22."""
    house = ProxiedServer(Limits())
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    trusted = [ProxyListener(listener, [ipaddress.ip_network("127.0.0.2")]) for listener in listeners]
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, trusted)
        sock = trio.socket.socket()
        await sock.bind((source, 0))
        await sock.connect(("127.0.0.1", listeners[0].address[1]))
        async with trio.SocketStream(sock) as stream:
            for byte in V1 + b"look\r\n":
                await stream.send_all(bytes((byte,)))
            with trio.fail_after(60):
                while "look" not in house.typed:  # noqa: ASYNC110 - what is waited for has no event
                    await trio.sleep(0.01)
        house.server.shutdown(within=1)
    assert house.came == [(came, False, False)]
    assert house.typed == ["look"] if came != source else [V1.decode().strip(), "look"]


@pytest.mark.parametrize("offset", [0, 1])
async def test_over_true_sockets_a_header_that_names_its_own_socket_is_a_health_check(offset: int) -> None:
    """K13. haproxy 2.6 writes so for its own checks, in version 1."""
    house = ProxiedServer(Limits())
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    trusted = [ProxyListener(listener, [ipaddress.ip_network("127.0.0.1")]) for listener in listeners]
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, trusted)
        async with await trio.open_tcp_stream("127.0.0.1", listeners[0].address[1]) as stream:
            port = stream.socket.getsockname()[1] ^ offset
            await stream.send_all(b"PROXY TCP4 127.0.0.1 127.0.0.1 %d 4000\r\n" % port)
            await stream.send_eof()
            with trio.fail_after(60):
                async for _ in stream:
                    assert offset  # a health check is sent nothing
        house.server.shutdown(within=1)
    assert len(house.came) == len(house.gone) == offset
    assert house.server.counters["health checks"] == 1 - offset


@pytest.mark.parametrize("is_secure", [False, True])
async def test_behind_a_proxy_the_rate_is_that_of_the_address_in_the_header(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, is_secure: bool
) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    limits = Limits(accept_rate_per_address=Rate(1, burst=3), max_per_address=None)
    async with open_house(limits, Certificate(tmp_path / "both.pem") if is_secure else None) as house:
        for _ in range(10):
            await house.call(V1)
        counters = house.server.counters
        assert counters["accepted"] == 10
        assert counters["closed by rate"] == 7  # before TLS has cost anything
        assert counters["handshakes failed"] == 0
        await house.call(V1.replace(b"192.0.2.7", b"192.0.2.8"))
        for _ in range(10):
            await house.call(b"PROXY UNKNOWN\r\n", b"x")  # the proxy's own, which has no rate
        assert counters["closed by rate"] == 7
    assert len(house.came) == (0 if is_secure else 14)
    assert house.gone.count(Cause.SHUTDOWN) == (0 if is_secure else 14)
