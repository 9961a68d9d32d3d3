"""A restart on a socket that a supervisor holds: no player is refused, and programs return by themselves."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
import trustme

from .supervisor import PATIENCE, Supervisor, WebProgram

pytestmark = pytest.mark.slow


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as supervisor:
        yield supervisor


@pytest.mark.parametrize(
    ("program", "number"), [("run", signal.SIGTERM), ("run", signal.SIGKILL), ("serve", signal.SIGTERM)]
)
def test_a_program_is_in_the_game_again_after_a_restart(
    supervisor: Supervisor, program: str, number: signal.Signals
) -> None:
    ann = supervisor.program()
    supervisor.start(program=program)
    ann.connect(["new", "Ann", "open sesame", "open sesame", "open door", "in", "take lamp"])
    ann.sees("You take the brass lamp.")
    token = ann.token
    supervisor.saves()

    supervisor.stop(number, ann)
    ann.connect(["inventory"])  # before the next server is there
    supervisor.start(program=program)

    ann.sees("The Gatehouse")
    ann.sees("You carry brass lamp.")
    assert ann.token != token
    assert supervisor.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("program", ["run", "serve"])
def test_peers_who_come_during_a_restart_wait_for_it(supervisor: Supervisor, program: str) -> None:
    crowd = [supervisor.program() for _ in range(10)]
    for player in crowd:
        player.connect(["guest"])
    supervisor.start(program=program)
    for player in crowd:
        player.sees("What is your name to be?")


def test_a_player_by_websocket_is_in_the_game_again_after_a_restart(tmp_path: Path) -> None:
    with Supervisor(tmp_path, "telnet", "web") as supervisor, ExitStack() as links:

        def arrive() -> socket.socket:
            return links.enter_context(socket.create_connection(supervisor.addresses[1], timeout=PATIENCE))

        supervisor.start()
        ann = WebProgram(arrive())
        ann.type("new", "Ann", "open sesame", "open sesame", "open door", "in", "take lamp")
        ann.sees("You take the brass lamp.")
        supervisor.saves()

        assert supervisor.stop(signal.SIGTERM, ann) == 0
        again = arrive(), arrive()  # before the next server is there
        supervisor.start()
        probe = HTTPConnection(*supervisor.addresses[1])
        probe.sock = again[0]
        probe.request("GET", "/healthz")
        assert probe.getresponse().read() == b"ok\n"
        probe.close()
        back = WebProgram(again[1], token=ann.token)
        links.callback(back.close)
        back.sees("The Gatehouse")
        back.type("inventory")
        back.sees("You carry brass lamp.")


def test_a_socket_for_tls_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "inn.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Supervisor(tmp_path, "tls") as supervisor:
        arguments = ("--port", "0", "--tls-port", "1", "--tls-certificate", str(tmp_path / "inn.pem"))
        supervisor.start(*arguments)
        plain = socket.create_connection(supervisor.addresses[0], timeout=PATIENCE)
        with context.wrap_socket(plain, server_hostname="localhost") as player:
            seen = b""
            while b"Welcome to Inn." not in seen:
                data = player.recv(4096)
                assert data, seen
                seen += data
        assert supervisor.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tls", "a socket of LISTEN_FDS is for TLS: set tls_port and tls_certificate"),
        ("web-tls", "a socket of LISTEN_FDS is for WebSocket with TLS: set web_tls_port and tls_certificate"),
        ("http", "a socket is called 'http': write FileDescriptorName=telnet, tls, web or web-tls into its unit"),
    ],
)
def test_a_socket_that_cannot_be_used_is_one_line_and_status_2(tmp_path: Path, name: str, said: str) -> None:
    with Supervisor(tmp_path, name) as supervisor:
        process = supervisor.start()
        _, complaint = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaint.endswith(f"trio-mud: {said}\n")) == (2, True), complaint
