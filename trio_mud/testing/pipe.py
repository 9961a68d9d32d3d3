"""A bounded pipe in memory: two stream ends that can fill, lag, stall and be reset, like a network connection.

trio's own memory streams never fill and cannot be reset.
"""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

CAPACITY = 64 * 1024  # bytes in each direction before the sender must wait; a socket pair holds about as much


class _Way:
    """One direction."""

    def __init__(self, capacity: int, latency: float | Callable[[], float], cut: Callable[[int], int] | None) -> None:
        self.capacity = capacity  # bytes
        self.latency = latency  # seconds from sending to receiving
        self.cut = cut  # maps the number of arrived bytes to the number received at once
        self.size = 0  # bytes in transit
        self.chunks: deque[tuple[float, bytes]] = deque()  # the arrival time of each
        self.is_ended = False  # the sender will send nothing more
        self.is_broken = False  # bytes were lost: nothing is received after the remaining ones
        self.is_reset = False  # neither end sends or receives any more
        self.is_abandoned = False  # the receiver is closed: sent bytes are lost
        self.is_known_abandoned = False  # the sender has sent once since, and knows it
        self.is_stalled = False  # nothing arrives
        self._changed = trio.Event()

    def change(self) -> None:
        """Wake the tasks that wait on this direction."""
        self._changed.set()
        self._changed = trio.Event()

    async def changed(self, until: float = math.inf) -> None:
        with trio.move_on_at(until):
            await self._changed.wait()

    def put(self, data: bytes) -> int:
        """Accept as many bytes as there is room for."""
        part = data[: max(0, self.capacity - self.size)]
        if part:
            lag = self.latency() if callable(self.latency) else self.latency
            arrival = trio.current_time() + lag
            if self.chunks:
                arrival = max(arrival, self.chunks[-1][0])  # chunks never overtake each other
            self.chunks.append((arrival, part))
            self.size += len(part)
            self.change()
        return len(part)

    def take(self, max_bytes: int) -> bytes:
        """Return bytes that have arrived, at most `max_bytes`."""
        if self.arrival > trio.current_time():
            return b""
        when, data = self.chunks.popleft()
        if self.cut is not None:
            max_bytes = max(1, min(max_bytes, self.cut(len(data))))
        if len(data) > max_bytes:
            self.chunks.appendleft((when, data[max_bytes:]))
            data = data[:max_bytes]
        self.size -= len(data)
        self.change()
        return data

    def lose(self, *, arrived: bool) -> None:
        """Discard the bytes in transit, and with `arrived` the arrived ones too; the receiver then gets an error."""
        now = trio.current_time()
        while self.chunks and (arrived or self.chunks[-1][0] > now):
            self.size -= len(self.chunks.pop()[1])
            self.is_broken = True
        self.change()

    @property
    def arrival(self) -> float:
        """The time at which the next bytes arrive."""
        return self.chunks[0][0] if self.chunks and not self.is_stalled else math.inf


class PipeEnd(trio.abc.HalfCloseableStream):
    """One end. It receives what the other end sends."""

    def __init__(self, outgoing: _Way, incoming: _Way, address: str) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self.address = address  # the address of the other end
        self._is_closed = False
        self._is_sending = False
        self._is_receiving = False

    def _check(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this end was closed")
        if self._outgoing.is_reset:
            raise trio.BrokenResourceError("the connection was reset")

    @contextmanager
    def _alone_sending(self) -> Iterator[None]:
        if self._is_sending:
            raise trio.BusyResourceError("another task is sending")
        self._is_sending = True
        try:
            yield
        finally:
            self._is_sending = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, waiting while the pipe is full."""
        with self._alone_sending():
            await trio.lowlevel.checkpoint()
            self._check()
            if self._outgoing.is_ended:
                raise trio.ClosedResourceError("this end has sent its end of file")
            rest = bytes(data)
            while rest:
                sent = self._put(rest)
                rest = rest[sent:]
                if rest:
                    await self._outgoing.changed()
                    self._check()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        with self._alone_sending():
            await trio.lowlevel.checkpoint()
            self._check()
            while self._outgoing.size >= self._outgoing.capacity and not self._outgoing.is_abandoned:
                await self._outgoing.changed()
                self._check()

    async def send_eof(self) -> None:
        """Send the end of file; the other direction stays open."""
        with self._alone_sending():
            await trio.lowlevel.checkpoint()
            self._check()
            self._outgoing.is_ended = True
            self._outgoing.change()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return bytes that have arrived; b"" at the end of file."""
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        if self._is_receiving:
            raise trio.BusyResourceError("another task is receiving")
        self._is_receiving = True
        way = self._incoming
        try:
            await trio.lowlevel.checkpoint()
            while True:
                self._check()
                if data := way.take(max_bytes or CAPACITY):
                    return data
                if not way.chunks and not way.is_stalled:
                    if way.is_broken:
                        raise trio.BrokenResourceError("the other end was closed before it had read everything")
                    if way.is_ended:
                        return b""
                await way.changed(until=way.arrival)
        finally:
            self._is_receiving = False

    async def aclose(self) -> None:
        """Close: the other end reads the bytes in transit, then the end of file.

        As in TCP, an end that closes with unread input, or receives more of it, answers with a reset. The reset
        overtakes its last output: bytes that have not arrived yet are lost.
        """
        if not self._is_closed:
            self._is_closed = True
            self._outgoing.is_ended = True
            self._incoming.is_abandoned = True
            if self._incoming.chunks:
                self._outgoing.lose(arrived=False)
            self._outgoing.change()
            self._incoming.change()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """Reset the connection at once: both ends raise `trio.BrokenResourceError`, and bytes in transit are lost."""
        for way in (self._outgoing, self._incoming):
            way.is_reset = True
            way.lose(arrived=True)

    def stall(self) -> None:
        """Stop delivery in both directions, as when a cable is pulled."""
        self._outgoing.is_stalled = self._incoming.is_stalled = True

    def resume(self) -> None:
        """Resume delivery in both directions."""
        for way in (self._outgoing, self._incoming):
            way.is_stalled = False
            way.change()

    def _put(self, data: bytes) -> int:
        """Send as much as there is room for. As in TCP, the first bytes sent to a closed end are lost silently."""
        way = self._outgoing
        if way.is_known_abandoned:
            raise trio.BrokenResourceError("the other end was closed")
        if not way.is_abandoned:
            return way.put(data)
        way.is_known_abandoned = True
        self._incoming.lose(arrived=False)
        return len(data)


class Pipe:
    """Both ends of one connection.

    Args:
        capacity: Bytes in each direction before a sender must wait.
        latency: Seconds from sending to receiving, or a function that returns them for each piece; order is kept.
        address: The client's address.
        cut: Maps the number of arrived bytes of a piece to the number received at once; all of them if None.
    """

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        latency: float | Callable[[], float] = 0.0,
        address: str = "",
        cut: Callable[[int], int] | None = None,
    ) -> None:
        up, down = _Way(capacity, latency, cut), _Way(capacity, latency, cut)
        self.client = PipeEnd(up, down, "server")
        self.server = PipeEnd(down, up, address)

    def reset(self) -> None:
        """Reset the connection at once: both ends raise `trio.BrokenResourceError`, and bytes in transit are lost."""
        self.client.reset()


class PipeListener(trio.abc.Listener[PipeEnd]):
    """A listener without a network: `connect` on one side, `accept` on the other."""

    def __init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[Pipe | OSError](math.inf)

    def connect(self, pipe: Pipe) -> None:
        """Queue a pipe to be accepted.

        Raises:
            ConnectionRefusedError: The listener is closed.
        """
        try:
            self._put.send_nowait(pipe)
        except trio.BrokenResourceError:
            raise ConnectionRefusedError("the listener is closed") from None

    def fail(self, error: OSError) -> None:
        """Make one accept raise this error."""
        self._put.send_nowait(error)

    async def accept(self) -> PipeEnd:
        """Return the next connected end."""
        found = await self._get.receive()
        if isinstance(found, OSError):
            raise found
        return found.server

    async def aclose(self) -> None:
        """Stop accepting; pipes that were not accepted are reset."""
        while True:
            try:
                waiting = self._get.receive_nowait()
            except (trio.WouldBlock, trio.ClosedResourceError):
                break
            if isinstance(waiting, Pipe):
                waiting.reset()
        await self._get.aclose()
