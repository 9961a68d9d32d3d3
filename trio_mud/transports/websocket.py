"""WebSocket over any other transport: the telnet bytes of a client, which come and go in messages.

Theory of operation
-------------------
The transport reads the head of one HTTP request. A request for a page is answered, and the connection is closed;
a request for a WebSocket is checked and accepted. From then on `framing` converts between frames and telnet bytes,
and this module moves them. So the driver above sees the same stream from every client.

Reading is synchronous: the transport below, or the poller that reads it, feeds received bytes through the framing to
the reader. Pings are answered there, as far as the transport below accepts bytes at once.
A read of 4 KiB may hold 585 frames, which take six milliseconds. So they are unwrapped a slice at a time and metered:
a peer that sends many small ones is read slowly.

Sending follows the rules of `layered`: framed bytes cannot be taken back, because a codec has a state.

A client that closes its WebSocket, or its side of the link, has reached the end of file. A violation of the protocol
is answered by a close frame and raises `ProtocolViolation`.

Source: RFC 6455
"""

from __future__ import annotations

import contextlib
import math
from typing import Final, NoReturn

import trio
from websockets.frames import CloseCode

from ..limits import Rate
from . import DeadPeer, Listener, MessageChannel, ProtocolViolation, Reader, RequestAnswered, Transport
from .framing import Framing
from .http import BadRequest, Head, HttpAnswer, read_head, refusal
from .layered import EndOfStream, LayeredTransport
from .poller import Poller
from .site import Site

PIECE: Final = 16 * 1024  # bytes of one message that is sent
SLICE: Final = 512  # received bytes that are unwrapped at once: 85 frames at most
# Frames, other than one short message a read; past it, reading pauses. 3 ms of CPU a second.
FRAMES: Final = Rate(200, burst=100)
PAUSE: Final = 0.25  # seconds of a pause at least, because each one wakes a task


class WebSocketTransport(LayeredTransport):
    """A client on a web port. Owns the transport below.

    Args:
        transport: The transport below.
        site: The settings of the port.

    Attributes:
        is_secure: True if nothing on the way to the client can read what is sent; certain after the handshake.
        close_code: The code of the close frame that `aclose` sends.
    """

    __slots__ = (
        "_address",
        "_framing",
        "_full_at",
        "_greeting",
        "_head",
        "_is_own_request",
        "_pause",
        "_received",
        "_site",
        "close_code",
        "is_secure",
    )

    needs_handshake = True

    def __init__(self, transport: Transport, site: Site) -> None:
        super().__init__(transport)
        self._site = site
        self._address: str | None = None  # the client's, once a trusted proxy has forwarded it
        self._is_own_request = False  # a trusted proxy has forwarded no client's address
        self._head: Head | None = None  # of the request, until it is answered
        self._framing: Framing | None = None  # once the WebSocket is open
        self._greeting = b""  # telnet bytes of the codec, to be received before any other
        self._received = b""  # bytes that are not unwrapped yet
        self._full_at = -math.inf  # when the bucket of frames is full again
        self._pause = 0.0  # seconds to wait before more is unwrapped
        self.is_secure = False
        self.close_code: int = CloseCode.NORMAL_CLOSURE

    @property
    def address(self) -> str:
        """The client's address. Behind a trusted proxy it is certain after `locate`, and "" before."""
        if self._address is not None:
            return self._address
        return "" if self._site.is_proxy(self._transport.address) else self._transport.address

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened the link for itself, and no WebSocket is open on it."""
        return self._framing is None and (self._is_own_request or self._transport.may_be_health_check)

    @property
    def channel(self) -> MessageChannel:
        """This transport itself."""
        return self

    @property
    def colours(self) -> int | None:
        """The number of colours that the subprotocol implies; None if it implies none."""
        return None if self._framing is None else self._framing.colours

    # The handshake

    async def locate(self) -> None:
        """Locate the transport below. Behind a trusted HTTP proxy, read the head, which names the client."""
        await self._transport.locate()
        proxy = self._transport.address
        if not self._site.is_proxy(proxy):
            return
        await self._transport.handshake()
        self._head = await self._read_head()
        forwarded = self._site.client_address(self._head, proxy)
        self._address = forwarded or proxy
        self._is_own_request = not forwarded
        self.is_secure = self._site.is_forwarded_securely(self._head)

    async def handshake(self) -> None:
        """Answer the request: with a page, or by opening a WebSocket.

        Raises:
            RequestAnswered: It was for a page.
            trio.BrokenResourceError: It was refused, and was answered with the reason.
        """
        if self._head is None:
            await self._transport.handshake()
            self._head = await self._read_head()
        head, self._head = self._head, None
        if self._address is None or self._is_own_request:  # otherwise only the proxy knows how its client came
            self.is_secure = self.is_secure or self._transport.is_secure
        if not head.wants_websocket:
            answer = self._site.answer(head)
            await self._finish(answer, with_body=head.request.method == "GET")
            raise RequestAnswered(f"{head.path[:100]!r} was answered", answer.status.value)
        try:
            self._site.check_origin(head)
            response, make_codec = self._site.accept(head)
        except BadRequest as error:
            await self._refuse(error)
        codec = None if make_codec is None else make_codec()
        self._greeting = b"" if codec is None else codec.greeting
        await self._send_all(response.serialize())
        self._framing = self._site.frame(codec)

    async def _read_head(self) -> Head:
        received = b""
        try:
            while (head := read_head(received)) is None:
                if not (data := await self._transport.receive()):
                    raise trio.BrokenResourceError("the peer closed the link within its request")
                received += data
        except BadRequest as error:
            await self._refuse(error)
        else:
            self._received = received[head.size :]
            return head

    async def _refuse(self, error: BadRequest) -> NoReturn:
        await self._finish(refusal(error))
        raise trio.BrokenResourceError(f"the request was refused: {error}") from error

    async def _finish(self, answer: HttpAnswer, *, with_body: bool = True) -> None:
        """Send an answer and close. Gently, since a reset caused by unread input may destroy the answer on its way."""
        await self._send_all(answer.serialize(with_body=with_body))
        with trio.move_on_after(self._site.limits.linger_timeout):
            await self._transport.aclose()

    async def _send_all(self, data: bytes) -> None:
        while data:
            sent = self._transport.send_nowait(data) or await self._transport.send_some(data)
            data = data[sent:]

    # Sending

    def _wrap(self, data: bytes, start: int) -> int:
        piece = _piece(data, start)
        self._unsent += self._opened.send(piece)
        return len(piece)

    def ping(self, *, is_read: bool) -> None:
        """Send a ping, unless other bytes are still to be sent: their own timeout ends a link that accepts none.

        TCP keepalive reaches only the first proxy, while a pong comes from the client's program.

        Raises:
            DeadPeer: Nothing was received since a ping `limits.dead_peer_timeout` seconds ago.
            trio.BrokenResourceError: The link is lost.
        """
        framing, now, patience = self._opened, trio.current_time(), self._site.limits.dead_peer_timeout
        if not is_read:
            framing.pinged_at = None
        elif patience is not None and framing.pinged_at is not None and now - framing.pinged_at >= patience:
            raise DeadPeer(f"{self.address} has not answered a ping for {now - framing.pinged_at:g} s")
        if not self._unsent:
            framing.ping(now)
            self._answer(framing.take_answers())

    @property
    def _opened(self) -> Framing:
        assert self._framing is not None, "the handshake comes first"
        return self._framing

    # Receiving

    async def receive(self) -> bytes:
        """Return the telnet bytes of the next messages; b"" once the client has closed.

        Raises:
            ProtocolViolation: The client violates the WebSocket protocol.
            trio.BrokenResourceError: The link is lost.
        """
        if self._greeting:
            greeting, self._greeting = self._greeting, b""
            await trio.lowlevel.checkpoint()
            return greeting
        while True:
            if self._pause:
                await self._rest()
            if heard := self._hear():
                return heard
            if self._has_ended():
                return b""
            if not self._received:
                self._received = await self._transport.receive()
                if not self._received:
                    return b""

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Pass on the telnet bytes of all messages, until the client closes."""
        unframed = _Unframed(self, reader)
        greeting, self._greeting = self._greeting, b""
        try:
            if greeting and not reader.feed(greeting):
                await reader.room()
            if not unframed.read_on():
                await unframed.room()
            await self._transport.listen(unframed, poller)
        except EndOfStream:
            return

    def _hear(self) -> bytes:
        """Return the telnet bytes in the next slice of received bytes, and answer pings and close frames."""
        framing, data = self._opened, self._received
        self._received = data[SLICE:]
        if not data or not framing.is_open:
            return b""
        now = trio.current_time()
        heard = framing.receive(data[:SLICE], now)
        if framing.frames:
            self._full_at, wait = FRAMES.spend(self._full_at, now, framing.frames)
            self._pause = max(wait, PAUSE) if wait else 0.0
            framing.frames = 0
        if answers := framing.take_answers():
            self._answer(answers)
        return heard

    async def _rest(self) -> None:
        """Wait until the frames that were received are paid for. TCP slows the sender meanwhile."""
        pause, self._pause = self._pause, 0.0
        await trio.sleep(pause)

    def _has_ended(self) -> bool:
        """True if the client has closed.

        Raises:
            ProtocolViolation: It has violated the protocol.
        """
        framing = self._opened
        if framing.is_open:
            return False
        if framing.fault is not None:
            raise ProtocolViolation(f"{self.address} violates the WebSocket protocol: {framing.fault}")
        return True

    # The end

    async def aclose(self) -> None:
        """Send the close frame, then close the transport below."""
        try:
            if self._framing is not None:
                self._framing.close(self.close_code)
                self._unsent += self._framing.take_answers()
                with contextlib.suppress(trio.BrokenResourceError):
                    await self._flush()
        finally:
            await self._transport.aclose()


class _Unframed:
    """The reader of the transport below: unwraps frames, and feeds the telnet bytes to the reader above."""

    __slots__ = ("_reader", "_websocket")

    def __init__(self, websocket: WebSocketTransport, reader: Reader) -> None:
        self._websocket = websocket
        self._reader = reader

    def feed(self, data: bytes) -> bool:
        """Unwrap received frames; return True if there is room for more."""
        self._websocket._received += data
        return self.read_on()

    def read_on(self) -> bool:
        """Feed the reader while it has room and the peer its budget; return True if everything is unwrapped."""
        websocket, has_room = self._websocket, True
        while has_room and websocket._received and not websocket._pause:
            if heard := websocket._hear():
                has_room = self._reader.feed(heard)
            if websocket._has_ended():
                raise EndOfStream
        return has_room and not websocket._received

    async def room(self) -> None:
        """Wait until the reader has room when everything is unwrapped, and the peer's frames are paid for."""
        while True:
            if self._websocket._pause:
                await self._websocket._rest()
            await self._reader.room()
            if self.read_on():
                return

    def lost(self, error: trio.BrokenResourceError) -> None:
        """Report the loss to the reader."""
        self._reader.lost(error)


class WebListener:
    """A listener whose peers use HTTP first. It owns the other listener.

    Attributes:
        address: Host and port that it is bound to, if known.
    """

    def __init__(self, listener: Listener, site: Site, *, address: tuple[str, int] = ("", 0)) -> None:
        self._listener = listener
        self._site = site
        self.address = address

    async def accept(self) -> WebSocketTransport:
        """Wait for a peer; its request is read later by its own task."""
        return WebSocketTransport(await self._listener.accept(), self._site)

    async def aclose(self) -> None:
        """Close the listener below."""
        await self._listener.aclose()


def _piece(data: bytes, at: int) -> bytes:
    """Return the bytes of the next message: all of them, or up to a line end within 16 KiB if there is one."""
    if len(data) - at <= PIECE:
        return data[at:] if at else data
    end = data.rfind(b"\n", at, at + PIECE) + 1
    return data[at : end or at + PIECE]
