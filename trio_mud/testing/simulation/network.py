"""The network between a simulated player and the real server: pipes that cut, lag and fill, and record traffic.

Used by `players`, with one pipe for each player; the invariants read the records.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import trio

from ..pipe import CAPACITY, Pipe, PipeEnd


class Quality(NamedTuple):
    """The quality of a network."""

    capacity: int = CAPACITY  # bytes in each direction before a sender must wait
    latency: float = 0.0  # seconds, maximum
    pieces: int = 0  # maximum number of bytes that arrive together; 0: as they were sent

    @property
    def is_swift(self) -> bool:
        """True if all output that may wait on the server arrives within a fraction of a second."""
        return self.latency == 0 or (self.capacity >= 4096 and self.latency <= 0.2 and not self.pieces)


class PlayersEnd(PipeEnd):
    """The player's end.

    Attributes:
        sent: Every byte that was put into the pipe.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe.client._outgoing, pipe.client._incoming, "server")
        self.sent = bytearray()

    def _put(self, data: bytes) -> int:
        size = super()._put(data)
        self.sent += data[:size]
        return size


class ServersEnd(PipeEnd):
    """The server's end.

    Attributes:
        closed_at: The time at which the server closed it; None if it is open.
        on_send: Called when the server begins to send.
        on_put: Called when bytes are put into the pipe.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe.server._outgoing, pipe.server._incoming, pipe.server.address)
        self.closed_at: float | None = None
        self.on_send: Callable[[], object] = lambda: None
        self.on_put: Callable[[], object] = lambda: None

    def _put(self, data: bytes) -> int:
        self.on_put()
        return super()._put(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything."""
        self.on_send()
        await super().send_all(data)

    async def aclose(self) -> None:
        """Close."""
        if self.closed_at is None:
            self.closed_at = trio.current_time()
        await super().aclose()


class WatchedPipe(Pipe):
    """A pipe of a given quality whose ends record traffic."""

    client: PlayersEnd
    server: ServersEnd

    def __init__(self, quality: Quality, address: str, random: Random) -> None:
        capacity, latency, pieces = quality
        super().__init__(
            capacity=capacity,
            latency=(lambda: random.random() * latency) if latency else 0.0,
            address=address,
            cut=(lambda size: random.randint(1, min(size, pieces))) if pieces else None,
        )
        self.client = PlayersEnd(self)
        self.server = ServersEnd(self)
