"""The output queue: text and telnet commands, in the order in which they were queued.

It encodes telnet commands but does not decide when to send them. Each engine owns one, and its caller empties it.
"""

from typing import Final

from .codes import DM, IAC, MCCP2, SB, SE
from .compression import Deflater
from .encoding import double_iac, is_text

_DATA_MARK: Final = bytes((IAC, DM))
_START_OF_STREAM: Final = bytes((IAC, SB, MCCP2, IAC, SE))


class OutputQueue:
    """A queue of chunks, compressed while MCCP2 is on.

    Attributes:
        queue: Chunks not taken yet; encoded bytes may be appended.
        deflater: The compressor, while anything is compressed.
    """

    __slots__ = ("deflater", "queue")

    def __init__(self, first: bytes) -> None:
        self.queue = [first] if first else []
        self.deflater: Deflater | None = None  # None unless something is compressed

    @property
    def has_data(self) -> bool:
        """True if `take` would return anything."""
        return bool(self.queue) or (self.deflater is not None and self.deflater.has_chunks)

    def take(self) -> bytes:
        """Return the queued bytes, or the part that goes into one write; b"" if there are none."""
        queue = self.queue
        if self.deflater is not None:
            data = self.deflater.take(queue)
            if self.deflater.is_over:
                self.deflater = None
            return data
        data = b"".join(queue)  # makes no copy of a single chunk
        queue.clear()
        return data

    def put(self, data: bytes) -> None:
        """Queue encoded bytes."""
        self.queue.append(data)

    def put_verb(self, verb: int, code: int) -> None:
        """Queue a verb (WILL, WONT, DO or DONT) and an option."""
        self.queue.append(bytes((IAC, verb, code)))

    def put_payload(self, code: int, payload: bytes) -> None:
        """Queue a subnegotiation, with ff doubled."""
        self.queue.append(bytes((IAC, SB, code)) + double_iac(payload) + bytes((IAC, SE)))

    def drop_text(self) -> None:
        """Drop queued text, but not telnet commands, which must still be sent.

        The data mark shows the peer where output begins again (RFC 854).
        """
        self.queue[:] = [data for data in self.queue if not is_text(data)]
        self.queue.append(_DATA_MARK)

    def clear(self) -> None:
        """Drop everything: the link is lost, and nothing more is sent."""
        self.queue.clear()
        self.deflater = None

    def start_compression(self) -> None:
        """Compress everything queued after this call; a marker announces it to the peer."""
        if self.deflater is None:
            self.deflater = Deflater()
        self.deflater.start(self.queue, _START_OF_STREAM)

    def stop_compression(self) -> None:
        """Compress everything queued so far, and nothing after it."""
        if self.deflater is not None:
            self.deflater.stop(self.queue)
