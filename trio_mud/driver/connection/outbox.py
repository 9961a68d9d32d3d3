"""A connection's outbox: what was written, on its way through the engine to the transport.

Written bytes wait in the engine until the end of the dispatcher's batch; then they are sent at once.
What the transport does not take is finished by the rest-writer, a task that exists only while there is a rest.
A quit never cuts it, only the loss of the link does.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ...telnet.codes import EOR, IAC
from ...transports import Transport
from ..core.events import Cause

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("trio_mud")


_END_OF_RECORD = bytes((IAC, EOR))  # the mark of a client that knows a prompt from other text


class _Prompt(enum.Enum):
    """What became of a prompt on the screen of a client that does not tell it from other text."""

    NONE = enum.auto()  # there is none, or it is answered
    SHOWN = enum.auto()  # the cursor stands behind it
    COVERED = enum.auto()  # text came: it is shown again when the text is sent


_NONE, _SHOWN, _COVERED = _Prompt  # asked for at every line, and an attribute of an enum is slow to find


class Outbox:
    """Bytes on their way out, in order, and bounded."""

    __slots__ = (
        "_connection",
        "_dropped",
        "_is_soiled",
        "_is_writing",
        "_limit",
        "_prompt",
        "_prompt_stage",
        "_rest",
        "_transport",
        "_written",
        "is_unmarked",
    )

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._limit = connection.server.limits.outbox
        self._written = 0  # bytes in the engine since the last flush
        self._rest = b""  # what the transport did not take
        self._is_soiled = False  # the server knows that there is something to flush
        self._is_writing = False
        self._dropped = 0  # messages, since the peer was last told
        self._prompt = b""  # the last one, encoded, until it is answered
        self._prompt_stage = _NONE
        self.is_unmarked = False  # it was sent before the client had said which mark it wants

    def reserve(self, size: int) -> None:
        """Leave room for so many bytes elsewhere, but keep at least half of `limits.outbox`."""
        self._limit = max(self._limit - size, self._limit // 2)

    def write(self, text: bytes) -> bool:
        """Queue encoded text that ends its line, below a prompt that stands there; False if it is dropped."""
        if self._prompt_stage is not _SHOWN:
            return self.queue(text)
        if not self.queue(b"\r\n" + text):
            return False
        self._prompt_stage = _COVERED
        return True

    def last_words(self, text: bytes) -> None:
        """Queue encoded text that ends the connection; it is one, so it may go beyond the bound."""
        self._connection.engine.send_encoded(b"\r\n" + text if self._prompt_stage is _SHOWN else text)
        self.soil(len(text))

    def prompt(self, text: bytes, mark: bytes) -> bool:
        """Queue an encoded prompt and its mark; False if it is dropped."""
        if not self.queue(text + mark):
            return False
        self.is_unmarked = not mark
        if mark != _END_OF_RECORD:
            self._prompt = text + mark
            self._prompt_stage = _SHOWN
        return True

    def prompt_answered(self) -> None:
        """The player pressed Enter, so the cursor stands at the beginning of a line."""
        self._prompt = b""
        self._prompt_stage = _NONE
        self.is_unmarked = False

    def mark_prompt(self, mark: bytes) -> None:
        """It has become known which mark the client wants, and the prompt on its screen has none.

        TinyFugue shows a prompt only when its mark has come.
        """
        self.is_unmarked = False
        if self._prompt_stage is _SHOWN:
            self.queue(mark)
            self._prompt += mark
            if mark == _END_OF_RECORD:
                self._prompt_stage = _NONE  # the client sees to it by itself

    def queue(self, data: bytes) -> bool:
        """Queue encoded bytes as they are, if there is room for them and somebody to read them."""
        connection, written = self._connection, self._written + len(data)
        if connection.life.cause is not None:
            return False
        if written + len(self._rest) > self._limit and not self.makes_room_for(len(data)):
            return False
        connection.engine.send_encoded(data)
        self._written = written
        if not self._is_soiled:
            self._is_soiled = True
            connection.server.soil(connection)
        return True

    @property
    def is_overfull(self) -> bool:
        """Whether even the answers of the protocol, which are never dropped, pile up."""
        return len(self._rest) > self._limit

    @property
    def is_empty(self) -> bool:
        """Whether the transport has taken everything that was written."""
        return not self._is_soiled and not self._rest and not self._is_writing

    def makes_room_for(self, size: int) -> bool:
        """Whether a message of so many bytes may be written; if not, count it as dropped."""
        if self._written + len(self._rest) + size <= self._limit:
            return True
        self._dropped += 1
        self._connection.server.counters["messages dropped"] += 1
        self.soil(0)  # the next flush tells
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

    def flush(self) -> None:
        """Send at once what can be sent, and leave the rest to the writer."""
        self._is_soiled = False
        connection = self._connection
        if not connection.life.may_write:
            return
        if self._prompt_stage is _COVERED and connection.life.cause is None:
            connection.engine.send_encoded(self._prompt)
            self._prompt_stage = _SHOWN
        self._written = 0
        try:
            engine = connection.engine
            while data := engine.data_to_send():
                if self._is_writing:
                    self._rest += data
                elif (sent := self._transport.send_nowait(data)) < len(data):
                    self._rest = data[sent:]
                    self._is_writing = True
                    connection.life.start_writer(self._write_rest)
                if engine.outgoing.deflater is None and not engine.outgoing.queue:
                    break  # that was all
        except trio.BrokenResourceError as error:
            connection.life.break_link(error)
        except Exception as error:  # noqa: BLE001 - the boundary of a link
            connection.life.fail(error)
        if self._dropped:
            self._tell_what_was_dropped()

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
                    self._connection.life.lose_link(Cause.WRITE_STALL)
        except trio.BrokenResourceError as error:
            self._connection.life.break_link(error)
        finally:
            self._is_writing = False
            self._tell_what_was_dropped()
            self._connection.life.stir()

    def _tell_what_was_dropped(self) -> None:
        connection = self._connection
        if self._dropped and not self._rest and connection.ending is None:
            connection.server.repeats.log(
                logging.INFO,
                f"{connection.name} (#{connection.number}) reads too slowly: {self._dropped} messages were dropped",
                kind="reads too slowly",
                summary="connections read too slowly",
            )
            self._dropped = 0
            if notice := connection.server.texts.output_dropped:  # beyond the bound: it is one line
                data = connection.engine.encode(notice + "\n")
                connection.engine.send_encoded(data)
                self.soil(len(data))
