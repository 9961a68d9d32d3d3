"""The places of a server: what is opened together is closed together."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from trio_mud.driver.server.places import CannotListen, Places


def places(unix: Path) -> Places:
    return Places("127.0.0.1", 0, None, None, (), unix=unix)


async def test_a_server_listens_at_a_port_and_at_a_socket(tmp_path: Path) -> None:
    listeners, bound = await places(tmp_path / "door.sock").open(None)
    assert len(listeners) == 2
    async with await trio.open_unix_socket(tmp_path / "door.sock"), await trio.open_tcp_stream(*bound[0][:2]):
        pass
    for listener in listeners:
        await listener.aclose()


async def test_a_socket_in_use_is_named_and_leaves_no_port_open(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    with socket.socket(socket.AF_UNIX) as other, socket.create_server(("127.0.0.1", 0)) as taken:
        other.bind(str(path))
        other.listen()
        port = taken.getsockname()[1]
        taken.close()
        with pytest.raises(CannotListen, match=r"cannot bind .*door\.sock: another server listens there") as caught:
            await Places("127.0.0.1", port, None, None, (), unix=path).open(None)
        assert caught.value.parameter == "unix"
        with socket.create_server(("127.0.0.1", port)):
            pass  # the port is free again
