"""What is queued for the peer: text and telnet's own, in the order in which they were said.

It knows the shape of what telnet says, not when to say it.  The engine owns one; it is emptied by whoever sends.
"""

from typing import Final

from .codes import DM, IAC, MCCP2, SB, SE
from .compression import Deflater
from .encoding import double_iac, is_text

_DATA_MARK: Final = bytes((IAC, DM))
_START_OF_STREAM: Final = bytes((IAC, SB, MCCP2, IAC, SE))


class Outgoing:
    """A queue of chunks, compressed as long as that is agreed.

    Attributes:
        queue: What was queued and not taken, for whoever has encoded bytes to add to.
        deflater: What compresses, as long as anything is compressed.
    """

    __slots__ = ("deflater", "queue")

    def __init__(self, first: bytes) -> None:
        self.queue = [first] if first else []
        self.deflater: Deflater | None = None  # as long as anything is compressed

    @property
    def has_data(self) -> bool:
        """Whether `take` would return anything."""
        return bool(self.queue) or (self.deflater is not None and self.deflater.has_chunks)

    def take(self) -> bytes:
        """Everything queued, or as much of it as goes out in one write; empty if there is nothing."""
        queue = self.queue
        if self.deflater is not None:
            data = self.deflater.take(queue)
            if self.deflater.is_over:
                self.deflater = None
            return data
        if not queue:
            return b""
        data = queue[0] if len(queue) == 1 else b"".join(queue)
        queue.clear()
        return data

    def put(self, data: bytes) -> None:
        """Queue bytes that are encoded already."""
        self.queue.append(data)

    def put_verb(self, verb: int, code: int) -> None:
        """Queue WILL, WONT, DO or DONT and an option."""
        self.queue.append(bytes((IAC, verb, code)))

    def put_payload(self, code: int, payload: bytes) -> None:
        """Queue a subnegotiation, ff doubled."""
        self.queue.append(bytes((IAC, SB, code)) + double_iac(payload) + bytes((IAC, SE)))

    def drop_text(self) -> None:
        """Drop the text that is queued; what telnet itself has to say must be said all the same.

        The mark tells the peer where output begins again (RFC 854).
        """
        self.queue[:] = [data for data in self.queue if not is_text(data)]
        self.queue.append(_DATA_MARK)

    def clear(self) -> None:
        """Drop everything: the link is lost, and nothing more is sent."""
        self.queue.clear()
        self.deflater = None

    def start_compression(self) -> None:
        """Compress what is queued after this, behind a marker that tells the peer."""
        if self.deflater is None:
            self.deflater = Deflater()
        self.deflater.start(self.queue, _START_OF_STREAM)

    def stop_compression(self) -> None:
        """Compress what is queued already, and nothing after it."""
        if self.deflater is not None:
            self.deflater.stop(self.queue)
