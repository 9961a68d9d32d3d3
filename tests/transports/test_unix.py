"""Unix sockets: peers that a program of this machine brings, with their address."""

from __future__ import annotations

import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_mud import open_unix_listener
from trio_mud.transports.proxy import ProxyHeader, encode_header, read_header
from trio_mud.transports.tcp import canonical_host
from trio_mud.transports.unix import UnixListener

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no Unix sockets")

PATIENCE = 10.0  # true seconds until a test that hangs has failed


@asynccontextmanager
async def listening(path: Path) -> AsyncGenerator[UnixListener]:
    with trio.fail_after(PATIENCE):
        listener = open_unix_listener(path)
        try:
            yield listener
        finally:
            await listener.aclose()


async def test_a_peer_has_the_address_that_its_header_names(tmp_path: Path) -> None:
    async with listening(tmp_path / "mud.door") as listener, await trio.open_unix_socket(tmp_path / "mud.door") as peer:
        await peer.send_all(encode_header("2001:db8::7", 50_000, is_secure=True) + b"look\r\n")
        transport = await listener.accept()
        await transport.locate()
        assert (transport.address, transport.is_secure) == ("2001:db8::7", True)
        assert not transport.may_be_health_check
        assert await transport.receive() == b"look\r\n"
        assert transport.send_nowait(b"A cave.\r\n") == 9
        assert await peer.receive_some() == b"A cave.\r\n"
        await transport.aclose_forcefully()


async def test_a_peer_without_a_header_is_refused(tmp_path: Path) -> None:
    async with listening(tmp_path / "mud.door") as listener, await trio.open_unix_socket(tmp_path / "mud.door") as peer:
        await peer.send_all(b"look\r\n")
        transport = await listener.accept()
        with pytest.raises(trio.BrokenResourceError, match="no PROXY header"):
            await transport.locate()
        await transport.aclose_forcefully()


async def test_only_its_owner_may_connect_and_its_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mud.door"
    async with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_in_use_is_refused_and_the_one_of_an_ended_server_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mud.door"
    async with listening(path):
        with pytest.raises(OSError, match="another server listens there"):
            open_unix_listener(path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with listening(path):
        assert path.is_socket()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "diary"
    path.write_text("Dear diary")
    with pytest.raises(FileExistsError):
        open_unix_listener(path)
    assert path.read_text() == "Dear diary"


async def test_a_listener_that_was_replaced_leaves_the_file_to_its_successor(tmp_path: Path) -> None:
    path = tmp_path / "mud.door"
    async with listening(path):
        path.unlink()
        successor = open_unix_listener(path)
    assert path.is_socket()
    await successor.aclose()


async def test_a_closed_listener_accepts_nothing(tmp_path: Path) -> None:
    async with listening(tmp_path / "mud.door") as listener:
        await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 65535), st.booleans())
def test_a_header_that_is_written_is_read_as_it_was_meant(address: object, port: int, is_secure: bool) -> None:
    header = encode_header(str(address), port, is_secure=is_secure)
    found = read_header(header + b"look")
    assert isinstance(found, ProxyHeader)
    host = canonical_host(str(address))
    assert found == ProxyHeader(len(header), host, port, is_secure)
