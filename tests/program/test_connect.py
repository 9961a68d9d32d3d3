"""The bridge between a terminal and a server's Unix socket, on a true terminal of the kernel."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import struct
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trio_mud.program.admin_command import NoServer
from trio_mud.program.connect import LocalTerminal, _header, _join, connect
from trio_mud.telnet.codes import DO, DONT, ECHO, GMCP, IAC, NAWS, SB, SE, TTYPE, WILL, WONT
from trio_mud.transports.proxy import ProxyHeader, read_header

PATIENCE = 10.0  # true seconds until a test that hangs has failed
ENVIRON = {"TERM": "xterm-256color"}


class Bridge:
    """A bridge that runs in a thread: `server` is the server's end, `player` that of the terminal."""

    def __init__(self, player: int, server: socket.socket, resize: socket.socket, thread: threading.Thread) -> None:
        self.thread = thread
        self.player = player
        self.server = server
        self._resize = resize
        self._received = b""

    def receives(self, expected: bytes) -> None:
        """Wait for exactly these bytes at the server."""
        while len(self._received) < len(expected):
            data = self.server.recv(len(expected) - len(self._received))
            assert data, f"the link ended after {self._received!r}"
            self._received += data
        assert self._received == expected
        self._received = b""

    def shows(self, expected: str) -> None:
        """Wait until the screen shows a text."""
        shown = ""
        while expected not in shown:
            shown += os.read(self.player, 1024).decode()

    def types(self, text: str) -> None:
        os.write(self.player, text.encode())

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.player)[3] & termios.ECHO)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.player, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self._resize.send(b"!")  # what the kernel's signal does


@contextmanager
def bridged(environ: dict[str, str] = ENVIRON) -> Generator[Bridge]:
    player, typed = pty.openpty()
    fcntl.ioctl(player, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    server, link = socket.socketpair()
    resized, resize = socket.socketpair()
    server.settimeout(PATIENCE)
    terminal = LocalTerminal(typed, typed, environ)
    thread = threading.Thread(target=_join, args=(link, terminal, resized), daemon=True)
    thread.start()
    try:
        yield Bridge(player, server, resize, thread)
        server.close()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the bridge ends with the server"
    finally:
        for each in (server, link, resized, resize):
            each.close()
        os.close(player)
        os.close(typed)


def test_what_is_typed_goes_to_the_server_and_what_it_writes_to_the_screen() -> None:
    with bridged() as bridge:
        bridge.types("look\r")
        bridge.receives(b"look\r\n")
        bridge.server.sendall("A cavé.\r\n".encode())
        bridge.shows("A cavé.")


def test_a_byte_ff_is_doubled() -> None:
    with bridged() as bridge:
        os.write(bridge.player, b"say \xff\r")
        bridge.receives(b"say \xff\xff\r\n")


def test_the_terminal_hides_what_is_typed_while_the_server_claims_to_echo() -> None:
    with bridged() as bridge:
        assert bridge.echoes
        bridge.server.sendall(b"Password: " + bytes((IAC, WILL, ECHO)))
        bridge.receives(bytes((IAC, DO, ECHO)))
        assert not bridge.echoes
        bridge.server.sendall(bytes((IAC, WONT, ECHO)))
        bridge.receives(bytes((IAC, DONT, ECHO)))
        assert bridge.echoes


def test_the_server_learns_the_size_of_the_window_and_each_change() -> None:
    with bridged() as bridge:
        bridge.server.sendall(bytes((IAC, DO, NAWS)))
        bridge.receives(bytes((IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)))
        bridge.resize(100, 30)
        bridge.receives(bytes((IAC, SB, NAWS, 0, 100, 0, 30, IAC, SE)))


def test_a_size_that_was_not_asked_for_is_not_sent() -> None:
    with bridged() as bridge:
        bridge.resize(100, 30)
        bridge.types("look\r")
        bridge.receives(b"look\r\n")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"TERM": "xterm-256color"}, (b"TRIO-MUD CONNECT", b"XTERM-256COLOR", b"MTTS 13", b"MTTS 13")),
        ({"TERM": "linux"}, (b"TRIO-MUD CONNECT", b"LINUX", b"MTTS 5")),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, (b"TRIO-MUD CONNECT", b"XTERM", b"MTTS 269")),
        ({}, (b"TRIO-MUD CONNECT", b"DUMB", b"MTTS 4")),
    ],
)
def test_the_server_learns_the_kind_of_terminal_name_by_name(environ: dict[str, str], names: tuple[bytes]) -> None:
    with bridged(environ) as bridge:
        bridge.server.sendall(bytes((IAC, DO, TTYPE)))
        bridge.receives(bytes((IAC, WILL, TTYPE)))
        for name in names:
            bridge.server.sendall(bytes((IAC, SB, TTYPE, 1, IAC, SE)))
            bridge.receives(bytes((IAC, SB, TTYPE, 0)) + name + bytes((IAC, SE)))


def test_other_options_are_refused() -> None:
    with bridged() as bridge:
        bridge.server.sendall(bytes((IAC, WILL, GMCP)))
        bridge.receives(bytes((IAC, DONT, GMCP)))


def test_the_end_of_input_ends_the_link() -> None:
    with bridged() as bridge:
        bridge.types("\x04")
        bridge.thread.join(PATIENCE)
        assert not bridge.thread.is_alive()


def test_without_a_server_the_error_names_the_socket(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match=r"no server answers at .*mud\.door: No such file"):
        connect(tmp_path / "mud.door", LocalTerminal(0, 1, ENVIRON), ENVIRON)


@pytest.mark.parametrize(
    ("connection", "address", "port"),
    [
        ("192.0.2.7 50000 198.51.100.1 22", "192.0.2.7", 50_000),
        ("2001:db8::7 50000 2001:db8::1 22", "2001:db8::7", 50_000),
        ("fe80::7%eth0 50000 fe80::1%eth0 22", "fe80::7", 50_000),
        ("", "127.0.0.1", 0),
        ("UNKNOWN 65535 UNKNOWN 65535", "127.0.0.1", 0),
    ],
)
def test_the_header_names_the_peer_of_sshd_or_this_machine(connection: str, address: str, port: int) -> None:
    found = read_header(_header({"SSH_CONNECTION": connection}))
    assert isinstance(found, ProxyHeader)
    assert (found.address, found.port, found.is_secure) == (address, port, True)
