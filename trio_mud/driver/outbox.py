"""A connection's outbox: what was written, on its way through the engine to the transport.

Written bytes wait in the engine until the end of the dispatcher's batch; then they are sent at once.
What the transport does not take is finished by the rest-writer, a task that exists only while there is a rest.
It lives in the connection's *link* nursery: a quit never cuts it, only the loss of the link does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ..transports import Transport
from .events import Cause

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("trio_mud")


class Outbox:
    """Bytes on their way out, in order, and bounded."""

    __slots__ = ("_connection", "_dropped", "_is_soiled", "_is_writing", "_rest", "_transport", "_written")

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._written = 0  # bytes in the engine since the last flush
        self._rest = b""  # what the transport did not take
        self._is_soiled = False  # the server knows that there is something to flush
        self._is_writing = False
        self._dropped = 0  # messages, since the peer was last told

    @property
    def is_overfull(self) -> bool:
        """Whether even the answers of the protocol, which are never dropped, pile up."""
        return len(self._rest) > self._connection.server.limits.outbox

    @property
    def is_empty(self) -> bool:
        """Whether the transport has taken everything that was written."""
        return not self._is_soiled and not self._rest and not self._is_writing

    def makes_room_for(self, size: int) -> bool:
        """Whether a message of so many bytes may be written; if not, count it as dropped."""
        limit = self._connection.server.limits.outbox
        if self._written + len(self._rest) + size <= limit:
            return True
        self._dropped += 1
        self._connection.server.counters["messages dropped"] += 1
        return False

    def soil(self, size: int) -> None:
        """So many bytes more are in the engine: have them flushed with all else."""
        self._written += size
        if not self._is_soiled:
            self._is_soiled = True
            self._connection.server.soil(self._connection)

    def forget(self) -> None:
        """Nothing of it will be sent."""
        self._written = 0
        self._rest = b""

    def flush(self, link: trio.Nursery | None) -> None:
        """Send at once what can be sent, and leave the rest to the writer."""
        self._is_soiled = False
        if link is None or link.cancel_scope.cancel_called:
            return
        self._written = 0
        try:
            while data := self._connection.engine.data_to_send():
                self._send(data, link)
        except Exception as error:  # noqa: BLE001 - the boundary of a link
            self._connection.fail(error)
        self._tell_what_was_dropped()

    def _send(self, data: bytes, link: trio.Nursery) -> None:
        if self._is_writing:
            self._rest += data
            return
        try:
            sent = self._transport.send_nowait(data)
        except trio.BrokenResourceError:
            self._connection.lose_link(Cause.RESET)
            return
        if sent < len(data):
            self._rest = data[sent:]
            self._is_writing = True
            link.start_soon(self._write_rest, name=f"rest-writer of {self._connection.name}")

    @enable_ki_protection
    async def _write_rest(self) -> None:
        stall = self._connection.server.limits.write_stall
        try:
            while self._rest:
                with trio.CancelScope() as patience:
                    if stall is not None:
                        patience.deadline = trio.current_time() + stall
                    sent = await self._transport.send_some(self._rest)
                    self._rest = self._rest[sent:]
                if patience.cancelled_caught:
                    self._connection.lose_link(Cause.WRITE_STALL)
        except trio.BrokenResourceError:
            self._connection.lose_link(Cause.RESET)
        finally:
            self._is_writing = False
            self._tell_what_was_dropped()
            self._connection.stir()

    def _tell_what_was_dropped(self) -> None:
        connection = self._connection
        if self._dropped and not self._rest and connection.ending is None:
            logger.info("%s reads too slowly: %d messages were dropped", connection.name, self._dropped)
            self._dropped = 0
            if notice := connection.server.texts.output_dropped:  # beyond the bound: it is one line
                data = connection.engine.encode(notice + "\n")
                connection.engine.send_encoded(data)
                self.soil(len(data))
