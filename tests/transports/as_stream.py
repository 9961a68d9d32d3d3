"""A transport as a trio stream, so that trio's own checks of streams can be run over it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from trio.lowlevel import checkpoint

from trio_mud.transports import Transport

LINGER = 0.01  # seconds that a close waits for the peer, as the driver bounds it by `limits.linger`


class TransportStream(trio.abc.Stream):
    """One transport, owned. What the peer sees of it is the transport's own; what follows is added here.

    A transport's one user is the driver, so it does not promise what trio asks of streams in strangers' hands:
    to tell its own closing from the peer's, to notice two tasks in the same method, to yield at every call,
    to receive at most so many bytes, to be closed while another task receives (a polite close receives itself,
    so that one is forceful), and to be closed without a peer that plays along: that wait is bounded.

    Two things cannot be added. It learns whether a sending might wait by sending only,
    so that `wait_send_all_might_not_block` says yes at once; and it ends its output by closing only.
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
