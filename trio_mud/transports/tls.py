"""TLS over any other transport: encrypted from the first byte, on a port of its own.

Python's `ssl` does the cryptography on bytes in memory; this module moves the bytes. `trio.SSLStream` cannot send
without waiting, so every line would cost a task. It also closes the socket right after its close_notify, so late input
would turn the last output into a reset.

There is no STARTTLS: an attacker who can read the plain beginning can also suppress the offer in it.
"""

from __future__ import annotations

import contextlib
import math
import ssl
from collections.abc import Iterable, Sequence

import trio

from ..limits import Rate
from . import Listener, Reader, Transport
from .certificate import Certificate
from .layered import EndOfStream, LayeredTransport
from .poller import RECEIVE, Poller
from .proxy import Network, ProxyListener
from .tcp import TcpListener, open_tcp_listeners

__all__ = ["Certificate", "TlsListener", "TlsTransport", "open_tls_listeners", "secure_listeners"]

PIECE = 16 * 1024  # bytes encrypted at once, the maximum of one TLS record

# Received bytes that carry nothing: new keys (27 bytes, for which OpenSSL computes 30 us), and what tiny records have
# around their content. They are counted past the first record of a read, and metered beyond one incomplete record.
AROUND = 32  # bytes around the content of a record, at most
UNMETERED = 20 * 1024  # bytes
SURPLUS = Rate(8 * 1024, burst=16 * 1024)  # bytes; 10 ms of CPU a second


class TlsTransport(LayeredTransport):
    """The server side of TLS over another transport, which it owns.

    Args:
        transport: The transport below.
        certificate: The server's certificate.
        handshake_turn: A lock held for each step of a handshake, shared by transports whose steps must take turns.
    """

    __slots__ = (
        "_certificate",
        "_fault",
        "_full_at",
        "_handshake_turn",
        "_incoming",
        "_is_exhausted",
        "_outgoing",
        "_surplus",
        "_tls",
    )

    is_secure = True
    needs_handshake = True

    def __init__(self, transport: Transport, certificate: Certificate, handshake_turn: trio.Lock | None = None) -> None:
        super().__init__(transport)
        self._certificate = certificate
        self._handshake_turn = handshake_turn or trio.Lock()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._is_exhausted = False  # True if nothing more can be decrypted until more is received
        self._fault = ""  # the first violation of the protocol, because OpenSSL reports it only once
        self._surplus = 0  # received bytes that carried nothing, and are not metered yet
        self._full_at = -math.inf  # when their bucket is full again

    async def handshake(self) -> None:
        """Agree on keys, with the current certificate.

        Raises:
            trio.BrokenResourceError: The peer does not use TLS, or supports no version or cipher that is accepted.
        """
        await self._transport.handshake()
        self._certificate.warn_in_time()
        tls = self._certificate.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                # A step computes for up to 6 ms, so handshakes take turns and other tasks run in between.
                async with self._handshake_turn:
                    tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush_records()
            except ssl.SSLError as error:
                with contextlib.suppress(trio.BrokenResourceError):
                    await self._flush_records()  # sends the alert with the reason to the peer
                raise trio.BrokenResourceError(f"TLS handshake with {self.address} failed: {error.reason}") from error
            else:
                await self._flush_records()
                self._tls = tls
                return
            if not (received := await self._transport.receive()):
                raise trio.BrokenResourceError(f"TLS handshake with {self.address} failed: the peer closed the link")
            self._incoming.write(received)

    async def receive(self) -> bytes:
        """Return up to 4 KiB of decrypted bytes; b"" after the peer's close_notify.

        Raises:
            trio.BrokenResourceError: The link is lost, was cut without close_notify, or carries invalid TLS.
        """
        try:
            while not (plain := self._decrypt()):
                if self._must_rest:
                    await self._rest()
                if not (encrypted := await self._transport.receive()):
                    raise self._cut()
                self._take(encrypted)
        except EndOfStream:
            return b""
        return plain

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Decrypt what the transport below receives, in the poller's task if that reads for it."""
        decryptor = _Decryptor(self, reader)
        try:
            if not decryptor.read_on():  # the end of the handshake may have brought more
                await decryptor.room()
            await self._transport.listen(decryptor, poller)
        except EndOfStream:
            return
        raise self._cut()

    async def aclose(self) -> None:
        """Send close_notify, then close the transport below."""
        try:
            if self._tls is not None:
                # It is sent in any case. The error is that the peer has not sent its own yet, and need not, or that
                # unread input is left.
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                with contextlib.suppress(trio.BrokenResourceError):
                    await self._flush_records()
        finally:
            await self._transport.aclose()

    def _wrap(self, data: bytes, start: int) -> int:
        assert self._tls is not None, "the handshake comes first"
        try:
            size = self._tls.write(data[start : start + PIECE])
        except ssl.SSLError as error:  # the peer has violated the protocol, and the reader gets the error
            raise trio.BrokenResourceError(f"TLS with {self.address} has failed: {error.reason}") from error
        self._unsent += self._outgoing.read()
        return size

    async def _flush_records(self) -> None:
        self._unsent += self._outgoing.read()
        await self._flush()

    def _take(self, encrypted: bytes) -> None:
        """Take received bytes, to be decrypted."""
        self._incoming.write(encrypted)
        self._surplus += len(encrypted)

    @property
    def _must_rest(self) -> bool:
        return self._surplus > UNMETERED

    async def _rest(self) -> None:
        """Wait as long as the bytes that carried nothing cost. TCP slows the sender meanwhile."""
        self._full_at, wait = SURPLUS.spend(self._full_at, trio.current_time(), self._surplus)
        self._surplus = 0
        await trio.sleep(wait)

    def _decrypt(self) -> bytes:
        """Return up to 4 KiB of what was received, and b"" if that is no whole record.

        Records are joined, so that tiny ones do not cost the reader a call each.

        Raises:
            EndOfStream: The peer has sent close_notify.
            trio.BrokenResourceError: The link is lost, or carries invalid TLS.
        """
        assert self._tls is not None, "the handshake comes first"
        plain, has_ended, self._is_exhausted = b"", False, False
        try:
            while not self._fault:
                record = self._tls.read(RECEIVE - len(plain))
                plain += record
                if has_ended := not record:
                    break
                if len(plain) == RECEIVE:
                    break
                if not self._incoming.pending:
                    self._is_exhausted = True
                    break
        except ssl.SSLWantReadError:
            self._is_exhausted = True
        except ssl.SSLError as error:
            self._fault = error.reason or str(error)
        if plain:
            self._surplus = max(0, self._surplus - len(plain) - AROUND)
            if self._outgoing.pending:  # answered by the next call, because a failure must not cost these bytes
                self._is_exhausted = False
            return plain
        if self._outgoing.pending:  # a new key, or the alert that names the fault
            self._answer(self._outgoing.read())
        if self._fault:
            raise trio.BrokenResourceError(f"{self.address} violates the TLS protocol: {self._fault}")
        if has_ended:
            raise EndOfStream
        return b""

    def _cut(self) -> trio.BrokenResourceError:
        return trio.BrokenResourceError(f"the link to {self.address} was cut: TLS ended without close_notify")


class _Decryptor:
    """The reader of the transport below: decrypts what it is fed, and feeds the reader above."""

    __slots__ = ("_reader", "_tls")

    def __init__(self, tls: TlsTransport, reader: Reader) -> None:
        self._tls = tls
        self._reader = reader

    def feed(self, data: bytes) -> bool:
        """Decrypt received bytes; return True if there is room for more."""
        self._tls._take(data)
        return self.read_on()

    def read_on(self) -> bool:
        """Feed the reader while it has room; return True if it has room when everything is decrypted."""
        tls = self._tls
        while True:
            plain = tls._decrypt()
            if plain and not self._reader.feed(plain):
                return False
            if tls._is_exhausted:
                return tls._surplus <= UNMETERED

    async def room(self) -> None:
        """Wait until the reader has room when everything is decrypted, and the peer's surplus is paid for."""
        while True:
            if self._tls._must_rest:
                await self._tls._rest()
            await self._reader.room()
            if self.read_on():
                return

    def lost(self, error: trio.BrokenResourceError) -> None:
        """Report the loss to the reader."""
        self._reader.lost(error)


class TlsListener:
    """A listener whose peers use TLS. It owns the other listener; a certificate may be shared by several.

    A handshake step computes for 0.3 ms with a key on P-256, 0.7 ms with RSA of 2048 bits, 6 ms with RSA of 4096. So
    the peers take turns: a lock is passed on once per pass of trio's scheduler, and between two steps every other
    ready task runs. Without it, simultaneous handshakes would block all other tasks together.

    Args:
        listener: The listener below.
        certificate: The server's certificate.
        address: Host and port that it is bound to, if known.
        handshake_turn: The lock; listeners of one server share it, or as many steps as listeners run in one pass.

    Attributes:
        address: As above.
    """

    def __init__(
        self,
        listener: Listener,
        certificate: Certificate,
        *,
        address: tuple[str, int] = ("", 0),
        handshake_turn: trio.Lock | None = None,
    ) -> None:
        self._listener = listener
        self._certificate = certificate
        self._handshake_turn = handshake_turn or trio.Lock()
        self.address = address

    async def accept(self) -> TlsTransport:
        """Wait for a peer; its handshake is done later by its own task."""
        return TlsTransport(await self._listener.accept(), self._certificate, self._handshake_turn)

    async def aclose(self) -> None:
        """Close the listener below."""
        await self._listener.aclose()


async def open_tls_listeners(
    port: int,
    *,
    certificate: Certificate,
    host: str | None = "localhost",
    dead_peer: float | None = None,
    proxy_from: Sequence[Network] = (),
) -> list[TlsListener]:
    """Listen for peers that use TLS, otherwise as `open_tcp_listeners`.

    Args:
        port: As there; so are `host` and `dead_peer_timeout`.
        certificate: Shared by all listeners: keep a reference, and renew it with `certificate.reload()`.
        proxy_from: Networks of proxies that send a PROXY header before TLS.

    Raises:
        OSError: No address could be bound; none is left open.
    """
    listeners = await open_tcp_listeners(port, host=host, dead_peer=dead_peer)
    return secure_listeners(listeners, certificate, proxy_from)


def secure_listeners(
    listeners: Iterable[TcpListener], certificate: Certificate, proxy_from: Sequence[Network] = ()
) -> list[TlsListener]:
    """Return a listener for TLS on each of these, which it owns; their handshakes take turns."""
    turn = trio.Lock()
    return [
        TlsListener(ProxyListener(listener, proxy_from), certificate, address=listener.address, handshake_turn=turn)
        for listener in listeners
    ]
