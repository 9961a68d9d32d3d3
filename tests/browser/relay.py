"""A relay between browser and server that can swallow what the server sends, and reset its connections."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Forwards a port of its own to another port of this machine; the swallowing is invisible to both sides.

    Attributes:
        port: Its own port.
        swallows: True while bytes from the server are dropped.
        refuses: True while new connections are closed at once; set it before `cut`.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.port: int = self._listener.getsockname()[1]
        self.swallows = False
        self.refuses = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset all connections to browsers. The server does not notice: its side stays open."""
        for browser, _ in self._pairs:
            with suppress(OSError):
                browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                browser.shutdown(socket.SHUT_RDWR)
                browser.close()

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                if self.refuses:
                    browser.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((browser, server))
                threading.Thread(target=self._forward, args=(browser, server), daemon=True).start()

    def _forward(self, browser: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while True:
                for end in select.select([browser, server], [], [])[0]:
                    data = end.recv(65536)
                    if not data and end is browser and self.refuses:
                        return  # it was cut, and the server does not notice
                    if not data:
                        browser.close()
                        server.close()
                        return
                    if end is browser:
                        server.sendall(data)
                    elif not self.swallows:
                        browser.sendall(data)
