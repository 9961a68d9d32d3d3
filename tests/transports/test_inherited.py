"""Sockets that a supervisor has opened: which are for this process, and what for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
import trio

from trio_mud.errors import ConfigurationError
from trio_mud.transports.inherited import FIRST_DESCRIPTOR, MOST_SOCKETS, InheritedSocket, adopt, take_inherited

US = 4321  # the number of this process


def variables(count: object = 1, names: str | None = None, *, process: object = US) -> dict[str, str]:
    named = {} if names is None else {"LISTEN_FDNAMES": names}
    return {"LISTEN_PID": str(process), "LISTEN_FDS": str(count), **named}


# The variables


def test_without_the_variables_there_are_no_sockets() -> None:
    for environment in ({}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": str(US)}, {"LISTEN_FDNAMES": "tls"}, variables("")):
        assert take_inherited(environment, US) == ()
    assert take_inherited(variables(0), US) == ()
    assert take_inherited(variables(0, ""), US) == ()


def test_sockets_without_names_are_for_telnet() -> None:
    plain = (InheritedSocket(FIRST_DESCRIPTOR), InheritedSocket(FIRST_DESCRIPTOR + 1))
    assert take_inherited(variables(2), US) == plain
    assert take_inherited(variables(2, "inn.socket:unknown"), US) == plain


def test_a_socket_is_for_what_its_name_says() -> None:
    found = take_inherited(variables(5, "telnet:tls:telnet:web:web-tls"), US)
    assert found == (
        InheritedSocket(3),
        InheritedSocket(4, is_secure=True),
        InheritedSocket(5),
        InheritedSocket(6, protocol="websocket"),
        InheritedSocket(7, is_secure=True, protocol="websocket"),
    )


def test_the_variables_are_removed_for_the_children_of_this_process() -> None:
    environment = {**variables(1, "telnet"), "HOME": "/srv/inn"}
    take_inherited(environment, US)
    assert environment == {"HOME": "/srv/inn"}


def test_sockets_of_another_process_are_left_to_it_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    environment = variables(1, "tls", process=US - 1)
    before = dict(environment)
    assert take_inherited(environment, US) == ()
    assert environment == before
    assert "LISTEN_FDS is for the process 4320, and this is 4321" in caplog.text


@pytest.mark.parametrize("count", ["-1", "x", "1.5", MOST_SOCKETS + 1, "9" * 400, "²"])
def test_a_count_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(ConfigurationError, match="it has to be the number of sockets, at most 64"):
        take_inherited(variables(count), US)


@pytest.mark.parametrize(("count", "names"), [(1, ""), (1, "telnet:tls"), (2, "telnet"), (0, "telnet")])
def test_as_many_names_as_sockets_are_wanted(count: int, names: str) -> None:
    with pytest.raises(ConfigurationError, match=f"it has to name {count} sockets"):
        take_inherited(variables(count, names), US)


@pytest.mark.parametrize("name", ["TLS", "tsl", "http", "\x1b[2J"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        take_inherited(variables(1, name), US)
    names = "telnet, tls, web or web-tls"
    assert str(caught.value) == f"a socket is called {name!r}: write FileDescriptorName={names} into its unit"


# The sockets


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """The socket of a supervisor."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def passed_on(sock: socket.socket) -> InheritedSocket:
    """A descriptor of the socket, as a process is started with it."""
    descriptor = os.dup(sock.fileno())
    os.set_inheritable(descriptor, True)
    return InheritedSocket(descriptor)


async def test_a_peer_who_came_between_two_servers_is_accepted_by_the_second(held: socket.socket) -> None:
    with trio.fail_after(60):
        (first,) = adopt([passed_on(held)])
        await first.aclose()
        async with await trio.open_tcp_stream(*held.getsockname()) as peer:
            (second,) = adopt([passed_on(held)], dead_peer=60)
            transport = await second.accept()
            assert second.address == held.getsockname()
            transport.send_nowait(b"welcome")
            assert await peer.receive_some() == b"welcome"
            await transport.aclose_forcefully()
            await second.aclose()


async def test_children_of_the_server_do_not_get_the_socket(held: socket.socket) -> None:
    inherited = passed_on(held)
    (listener,) = adopt([inherited])
    assert not os.get_inheritable(inherited.descriptor)
    await listener.aclose()


def test_what_is_no_tcp_socket_that_listens_is_refused() -> None:
    pair, datagram, silent = socket.socketpair(), socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    local = socket.socket(socket.AF_UNIX)
    for sock in (pair[0], datagram, silent, local):
        with pytest.raises(ConfigurationError, match="does not listen for TCP: write ListenStream=PORT and Accept=no"):
            adopt([InheritedSocket(sock.detach())])
    pair[1].close()
    file = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(ConfigurationError, match="is no socket"):
        adopt([InheritedSocket(file)])
    os.close(file)
    with pytest.raises(ConfigurationError, match="is no socket"):
        adopt([InheritedSocket(file)])  # not open
