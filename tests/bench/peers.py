"""One connection of the load: plain, compressed by MCCP2, encrypted, or by WebSocket. Used by `load.py`."""

from __future__ import annotations

import re
import socket
import ssl
from collections import deque

from websockets.frames import Frame, Opcode

from trio_mud.telnet.client import TakesMccp2, TelnetClient

NEGOTIATION = re.compile(rb"\xff([\xfb-\xfd])(.)", re.DOTALL)
REFUSALS = {0xFB: 0xFE, 0xFC: 0xFE, 0xFD: 0xFC}


class Peer:
    """A plain connection, which refuses every option.

    It uses a regular expression, which is four to seven times cheaper than a `TelnetClient`.
    The clients must not slow down a storm of connections.
    """

    __slots__ = ("command", "due", "fileno", "greeted", "rest", "sock")

    def __init__(self, port: int, number: int) -> None:
        self.sock = self.connect(port)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.fileno = self.sock.fileno()
        self.command = b"echo number %05d, please\r\n" % number
        self.greeted = False
        self.rest = b""
        self.due: deque[float] = deque()

    def connect(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port))

    def read(self) -> bytes | None:
        """Return received bytes; None at the end."""
        try:
            return self.sock.recv(65536) or None
        except BlockingIOError:
            return b""
        except ConnectionError:
            return None

    def refuse(self, data: bytes) -> None:
        """Answer every offer and every wish with no."""
        answers = [bytes((0xFF, REFUSALS[verb[0]])) + code for verb, code in NEGOTIATION.findall(data)]
        if answers:
            self.sock.send(b"".join(answers))


class CompressedPeer(Peer):
    """One that takes up the offer of MCCP2, and nothing else."""

    __slots__ = ("_client",)

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port, number)
        self._client = TelnetClient((TakesMccp2(),), lambda text: None)

    def read(self) -> bytes | None:
        data = super().read()
        return self._client.receive(data) if data else data

    def refuse(self, data: bytes) -> None:
        if answers := self._client.data_to_send():  # to what was read
            self.sock.send(answers)


class EncryptedPeer(Peer):
    """A connection with TLS, which does not verify the server."""

    __slots__ = ()

    def connect(self, port: int) -> ssl.SSLSocket:
        return CONTEXT.wrap_socket(super().connect(port))

    def read(self) -> bytes | None:
        assert isinstance(self.sock, ssl.SSLSocket)
        data = b""
        try:
            while not data or self.sock.pending():
                if not (more := self.sock.recv(65536)):
                    return data or None
                data += more
        except ssl.SSLWantReadError:
            pass
        except (ConnectionError, ssl.SSLError):
            return data or None
        return data


class WebPeer(Peer):
    """A WebSocket by `telnet.mudstandards.org`. It sends prepared frames, and reads frames as the bytes that they are.

    A frame of the server is not masked, so that a prompt in it can be read.
    """

    __slots__ = ()

    subprotocol = b"telnet.mudstandards.org"

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port, number)
        self.command = masked(self.command)

    def connect(self, port: int) -> socket.socket:
        sock = super().connect(port)
        sock.sendall(UPGRADE % self.subprotocol)
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # byte by byte: frames may follow at once
            head += sock.recv(1)
        return sock

    def refuse(self, data: bytes) -> None:
        """Answer every offer and every wish with no, in one message."""
        answers = [bytes((0xFF, REFUSALS[verb[0]])) + code for verb, code in NEGOTIATION.findall(data)]
        if answers:
            self.sock.send(masked(b"".join(answers)))


class GmcpWebPeer(WebPeer):
    """A WebSocket by `gmcp.mudstandards.org`."""

    __slots__ = ()

    subprotocol = b"gmcp.mudstandards.org"

    def refuse(self, data: bytes) -> None:
        """Do nothing: there is no negotiation."""


def masked(data: bytes) -> bytes:
    """Return a binary message of a client."""
    return Frame(Opcode.BINARY, data).serialize(mask=True)


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: mud.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
)

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE

KINDS: dict[str, type[Peer]] = {  # by the server's; others are plain
    "mccp2": CompressedPeer,
    "tls": EncryptedPeer,
    "websocket": WebPeer,
    "gmcp": GmcpWebPeer,
    "sansio": WebPeer,
}
