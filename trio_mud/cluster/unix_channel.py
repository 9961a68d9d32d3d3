"""The messages between the two ends of a Unix socket, their framing, and the process at the other end.

A message is MessagePack, in one piece or more. A piece is 4 bytes, big-endian, with the length of the rest, and then
that; the highest bit is set if another piece of the message follows. The gateway greets, the world asks for its turn,
and from then on frames go up and commits go down.

The roll of many players, what is held for a world, and a commit after many changes may have any size. They are as large
as what the sender has in memory, and the receiver has to keep most of it, so the bound of a message is only there for a
peer that does not follow the protocol. A world that does not serve sends small messages, and has a small bound.

Used by `unix_link`, which has both ends.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from contextlib import suppress
from typing import Final, Generic, Literal, TypeVar

import msgspec
import trio

from ..errors import TrioMudError
from ..transports.unix import credentials_of, is_own

MAX_PIECE: Final = 64 * 1024 * 1024  # bytes; a message of an earlier version had one piece, up to this
MAX_MESSAGE: Final = 4 * 1024 * 1024 * 1024  # bytes of all its pieces
MAX_REQUEST: Final = 4096  # bytes of a message of a world that does not serve
CHUNK: Final = 256 * 1024  # bytes that one call receives
_LENGTH: Final = 4  # bytes
_MORE: Final = 1 << 31  # another piece of the message follows


class BadPeer(TrioMudError):
    """The other end does not follow the protocol; its connection is closed."""


class _Said(msgspec.Struct, array_like=True, frozen=True):
    """A message. Fields are only added at the end, with a default, and a tag is never used again."""


# From the gateway


class GatewayGreeting(_Said, tag=1, frozen=True):
    """The first message of all.

    Attributes:
        version: That of `wire`.
        incarnation: Greater each time the gateway starts.
    """

    version: int
    gateway: str
    incarnation: int


class TurnGranted(_Said, tag=2, frozen=True):
    """From now on the receiver is the world.

    Attributes:
        epoch: A new one; that of the receiver if its turn has not ended.
        held: The state that earlier commits have left, by key.
    """

    epoch: int
    held: dict[bytes, bytes]


class TurnRefused(_Said, tag=3, frozen=True):
    """The receiver is not the world: another one serves, or has served since it did, or the versions do not fit."""

    why: Literal["busy", "fenced", "version"]


class FramesSent(_Said, tag=4, frozen=True):
    """Frames of the gateway's service, in order."""

    frames: list[bytes]


class CommitTaken(_Said, tag=5, frozen=True):
    """The commit of this number was delivered, now or before."""

    number: int


FromGateway = GatewayGreeting | TurnGranted | TurnRefused | FramesSent | CommitTaken

# From a world


class TurnWanted(_Said, tag=1, frozen=True):
    """The sender wants to be the world.

    Attributes:
        version: That of `wire`.
        epoch: 0 for a world that has not served yet; otherwise its epoch, after a gateway has started again.
        waits: True to wait as long as another world serves.
        goes_first: True to have the next turn before the worlds that wait already.
    """

    version: int
    epoch: int
    waits: bool
    goes_first: bool = False


class CommitSent(_Said, tag=2, frozen=True):
    """A commit for this gateway."""

    number: int
    frames: list[bytes]
    held: dict[bytes, bytes | None]


class StillAlive(_Said, tag=3, frozen=True):
    """The sender's event loop runs."""


class TurnOver(_Said, tag=4, frozen=True):
    """The sender has committed everything, and another world may serve."""


FromWorld = TurnWanted | CommitSent | StillAlive | TurnOver

_encoder: Final = msgspec.msgpack.Encoder()
FROM_GATEWAY: Final[msgspec.msgpack.Decoder[FromGateway]] = msgspec.msgpack.Decoder(FromGateway)
FROM_WORLD: Final[msgspec.msgpack.Decoder[FromWorld]] = msgspec.msgpack.Decoder(FromWorld)


Received = TypeVar("Received", FromGateway, FromWorld)


class MessageStream(Generic[Received]):
    """Messages on a stream, which it owns.

    Args:
        stream: The stream.
        decoder: For the messages of the other end.
        largest: As the attribute.

    Attributes:
        largest: The most bytes of one message of the other end.
        silent_for: Set to 0 whenever bytes come, of whatever message: a sign of life. The owner counts it up.
    """

    def __init__(
        self, stream: trio.abc.Stream, decoder: msgspec.msgpack.Decoder[Received], *, largest: int = MAX_MESSAGE
    ) -> None:
        self.largest = largest
        self._stream = stream
        self._decoder: msgspec.msgpack.Decoder[Received] = decoder
        self._received: deque[Received] = deque()
        self._buffer = bytearray()
        self._pieces = bytearray()  # of a message whose last piece has not come
        self.silent_for = 0
        self._turn = trio.StrictFIFOLock()  # of the tasks that send

    async def send(self, message: FromGateway | FromWorld) -> None:
        """Send a message.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: The connection has ended.
        """
        data = _encoder.encode(message)
        async with self._turn:
            for begin in range(0, len(data), MAX_PIECE):
                piece = data[begin : begin + MAX_PIECE]
                follows = _MORE if begin + MAX_PIECE < len(data) else 0
                await self._stream.send_all((len(piece) | follows).to_bytes(_LENGTH, "big") + piece)

    async def receive(self) -> Received | None:
        """Return the next message; None at the end of the connection, however it ends.

        Raises:
            BadPeer: It is no message.
        """
        while not self._received:
            try:
                data = await self._stream.receive_some(CHUNK)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return None
            if not data:
                return None
            self.silent_for = 0
            self._buffer += data
            self._split()
        return self._received.popleft()

    async def aclose(self) -> None:
        """Close the connection at once."""
        await trio.aclose_forcefully(self._stream)

    def _split(self) -> None:
        """Decode all messages that are complete."""
        begin, buffer = 0, self._buffer
        while len(buffer) - begin >= _LENGTH:
            header = int.from_bytes(buffer[begin : begin + _LENGTH], "big")
            length = header & ~_MORE
            if length > MAX_PIECE:
                raise BadPeer(f"a piece of {length} bytes; the greatest has {MAX_PIECE}")
            if len(self._pieces) + length > self.largest:
                raise BadPeer(f"a message of more than {self.largest} bytes")
            end = begin + _LENGTH + length
            if len(buffer) < end:
                break
            piece = buffer[begin + _LENGTH : end]
            if header & _MORE or self._pieces:
                self._pieces += piece
            if not header & _MORE:
                self._received.append(self._decoded(self._pieces or piece))
                self._pieces = bytearray()
            begin = end
        del buffer[:begin]

    def _decoded(self, data: bytearray) -> Received:
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise BadPeer(f"no message of this protocol: {error}") from None


def check_own(stream: trio.abc.Stream) -> None:
    """Raise BadPeer if a process of another user is at the other end; a stream in memory has no such end."""
    if isinstance(stream, trio.SocketStream) and not is_own(stream.socket):
        raise BadPeer("the other end of the cluster link belongs to another user: let one user run both")


class PeerProgram:
    """The process at the other end of a Unix socket, whose number cannot be given to another one meanwhile.

    Args:
        number: The number of the process.

    Raises:
        OSError: There is no such process.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._descriptor = os.pidfd_open(number)

    @classmethod
    def of(cls, stream: trio.abc.Stream) -> PeerProgram | None:
        """Return the process of a peer; None if it is not known or this one, or the platform cannot wait for it."""
        if not isinstance(stream, trio.SocketStream) or not hasattr(os, "pidfd_open"):
            return None
        credentials = credentials_of(stream.socket)
        if credentials is None or credentials[0] in (0, os.getpid()):
            return None
        with suppress(OSError):
            return cls(credentials[0])
        return None

    async def wait(self) -> None:
        """Return when the process has ended."""
        await trio.lowlevel.wait_readable(self._descriptor)

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Release the descriptor."""
        os.close(self._descriptor)
