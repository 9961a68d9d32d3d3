"""Transports that accept as many bytes as a test says, for the layers above them."""

from __future__ import annotations

import trio

from trio_mud.transports import Reader, Transport, listen_by_receiving
from trio_mud.transports.poller import Poller


class Narrow:
    """A transport that accepts a given number of bytes at once, separately for each send."""

    address = "192.0.2.1"
    channel = None
    is_secure = False
    may_be_health_check = False
    needs_handshake = False

    def __init__(self, below: Transport, takes: list[int]) -> None:
        self._below = below
        self._takes = takes
        self.taken = b""

    async def locate(self) -> None:
        pass

    async def handshake(self) -> None:
        pass

    def send_nowait(self, data: bytes) -> int:
        room = self._takes.pop() if self._takes else len(data)
        self.taken += data[:room]
        return min(room, len(data))

    async def send_some(self, data: bytes) -> int:
        while not (sent := self.send_nowait(data)):
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        return sent

    async def receive(self) -> bytes:
        if self.taken:
            await self._below.send_some(self.taken)
            self.taken = b""
        return await self._below.receive()

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        await self._below.aclose()

    async def aclose_forcefully(self) -> None:
        await self._below.aclose_forcefully()


class Gated(Narrow):
    """One whose kernel has room again before the task that waits for it runs."""

    def __init__(self, below: Transport) -> None:
        super().__init__(below, [])
        self.gate = trio.Event()

    async def send_some(self, data: bytes) -> int:
        await self.gate.wait()
        return self.send_nowait(data)
