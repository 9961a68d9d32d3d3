"""A transport as a trio stream, so that trio's own checks of streams can be run over it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from trio.lowlevel import checkpoint

from trio_mud.transports import Transport

LINGER = 0.01  # seconds that a close waits for the peer, as the driver bounds it by `limits.linger_timeout`


class TransportStream(trio.abc.Stream):
    """A stream on one transport, which it owns. The peer sees the transport's own behaviour; the rest is added here.

    A transport's one user is the driver, so it does not promise everything that trio requires of streams: to
    distinguish its own closing from the peer's, to detect two tasks in the same method, to yield at every call, to
    receive at most a given number of bytes, to be closed while another task receives (a polite close receives itself,
    so that one is forceful), and to be closed without a cooperating peer: that wait is bounded.

    Two things cannot be added. The transport finds out whether a send would wait only by sending, so
    `wait_send_all_might_not_block` returns at once. And it ends its output only by closing.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._heard = b""
        self._is_closed = False
        self._busy: set[str] = set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._used_alone("sending"):
            await checkpoint()
            rest = bytes(data)
            rest = rest[self._transport.send_nowait(rest) :] if rest else b""
            while rest:
                rest = rest[await self._transport.send_some(rest) :]

    async def wait_send_all_might_not_block(self) -> None:
        with self._used_alone("sending"):
            await checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._used_alone("receiving"):
            await checkpoint()
            heard = self._heard or await self._transport.receive()
            self._heard = heard[max_bytes:] if max_bytes else b""
            return heard[:max_bytes]

    async def aclose(self) -> None:
        self._is_closed = True
        with trio.move_on_after(LINGER):
            if "receiving" in self._busy:
                await self._transport.aclose_forcefully()
            else:
                await self._transport.aclose()
        await checkpoint()

    @contextmanager
    def _used_alone(self, how: str) -> Iterator[None]:
        if how in self._busy:
            raise trio.BusyResourceError(f"another task is {how}")
        if self._is_closed:
            raise trio.ClosedResourceError("this end was closed")
        self._busy.add(how)
        try:
            yield
        except trio.BrokenResourceError as error:
            if self._is_closed:
                raise trio.ClosedResourceError("this end was closed meanwhile") from error
            raise
        finally:
            self._busy.remove(how)
