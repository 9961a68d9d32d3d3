"""TLS over any other transport: encrypted from the first byte, on a port of its own.

Python's `ssl` does the cryptography on bytes in memory; this module moves the bytes. `trio.SSLStream` cannot send
without waiting, so every line would cost a task. It also closes the socket right after its close_notify, so late input
would turn the last output into a reset.

There is no STARTTLS: an attacker who can read the plain beginning can also suppress the offer in it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import ssl
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from ..errors import ConfigurationError
from . import Listener, Reader, Transport, listen_by_receiving
from .poller import Poller
from .proxy import Network, ProxyListener
from .tcp import open_tcp_listeners
from .validity import Validity, validity_of

logger = logging.getLogger("trio_mud")

WARN_BEFORE = dt.timedelta(days=14)  # before the certificate ends; automated renewal is done with 30 days left
MOST_PEM = 1024 * 1024  # bytes of a file; a chain of four certificates has 8 KiB
PIECE = 16 * 1024  # bytes encrypted at once, the maximum of one TLS record
RECEIVE = 4096  # bytes per read
UNREAD_ANSWERS = 64 * 1024  # bytes of protocol answers queued for a peer that sends requests and does not read

# Elliptic-curve key exchange and authenticated encryption, as in Mozilla's "intermediate" profile.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; all ciphers of TLS 1.3 are of this kind
GROUPS = "X25519:P-256"
CURVE = "prime256v1"  # OpenSSL's name of P-256


class Certificate:
    """A server's certificate and key, from two PEM files; read at once, and again by `reload`.

    Args:
        certificate: The file of the certificate, followed by its intermediate certificates.
        key: The file of its private key, without a passphrase; None if the first file contains it.
        wall_clock: Returns the time in seconds since 1970.

    One warning is logged for a certificate that is not valid yet, ends within 14 days, or has expired: when it is
    read, or at the first handshake after that began.

    Attributes:
        context: Used for new handshakes.
        validity: Its period of validity; None if that cannot be read.

    Raises:
        ConfigurationError: A file cannot be read or has the wrong content; the message names it.
    """

    def __init__(
        self,
        certificate: Path | str,
        key: Path | str | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(certificate)
        self.key_path = Path(certificate if key is None else key)
        self._wall_clock = wall_clock
        self._read()

    def reload(self) -> None:
        """Read the files again, for all new handshakes; existing connections are not affected.

        Raises:
            ConfigurationError: As for the constructor; the old certificate stays in use.
        """
        self._read()

    def warn_in_time(self) -> None:
        """Log a warning if the certificate's dates require action; once for each problem."""
        now = dt.datetime.fromtimestamp(self._wall_clock(), dt.UTC)
        trouble = "" if self.validity is None else _trouble(self.validity, now)
        if trouble and trouble not in self._warned:
            self._warned.add(trouble)
            logger.warning("the certificate in %s %s", self.path, trouble)

    def _read(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION  # each one costs the server more than the peer: CVE-2011-1473
        context.options |= ssl.OP_NO_COMPRESSION  # the compressed length reveals the content: CVE-2012-4929
        # A ticket left unread by a client that only sends would turn its end of file into a reset.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET  # off in TLS 1.2 too, where one key would decrypt all of them
        context.set_ciphers(CIPHERS)
        _restrict_groups(context)
        pem = _check_holds(self.path, b"CERTIFICATE-----", "certificate")
        _check_holds(self.key_path, b"PRIVATE KEY-----", "private key")

        def refuse_to_ask() -> str:
            raise ConfigurationError(f"{self.key_path} is protected by a passphrase: write the key without one")

        try:
            context.load_cert_chain(self.path, self.key_path, password=refuse_to_ask)
        except OSError as error:  # including those of ssl
            why = getattr(error, "reason", None) or error
            if why == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(f"{self.key_path} is not the key of the certificate in {self.path}") from error
            raise ConfigurationError(
                f"{self.path} or {self.key_path} is damaged ({why}): replace both files"
            ) from error
        self.context = context
        self._warned: set[str] = set()
        self.validity: Validity | None = None
        with contextlib.suppress(ValueError):  # OpenSSL accepted it, so it is usable
            self.validity = validity_of(pem)
        self.warn_in_time()


def _restrict_groups(context: ssl.SSLContext) -> None:
    """Exclude groups that are expensive for the server, because a recorded ClientHello can be replayed.

    OpenSSL's defaults include ffdhe8192, which costs the server 180 ms and the peer nothing: CVE-2002-20001. P-256
    costs 0.1 ms. Before Python 3.15 only a single curve can be set. That excludes the finite fields too, and clients
    that guessed another curve are asked to retry (RFC 8446, section 4.1.4).
    """
    if (set_groups := getattr(context, "set_groups", None)) is not None:
        set_groups(GROUPS)
    else:
        context.set_ecdh_curve(CURVE)


def _trouble(validity: Validity, now: dt.datetime) -> str:
    """Return the problem with these dates and its remedy; "" if there is none."""
    begins, ends = (f"{when:%Y-%m-%d %H:%M} UTC" for when in validity)
    if now < validity.begins:
        return f"is not valid before {begins}: set the clock of this machine right, or get another"
    if now >= validity.ends:
        return f"has ended on {ends}, and clients refuse it: get a new one, and send SIGHUP to load it"
    if now + WARN_BEFORE >= validity.ends:
        return f"ends on {ends}: renew it before, and send SIGHUP to load it"
    return ""


def _check_holds(path: Path, mark: bytes, what: str) -> bytes:
    """Return the content of a file; raise ConfigurationError if it cannot be the PEM file of this kind."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a device or a pipe may never end
            raise ConfigurationError(f"{path} is not a regular file: name the PEM file of the {what}")
        if about.st_size > MOST_PEM:
            raise ConfigurationError(f"{path} holds {about.st_size} bytes, too many for a {what}: name its PEM file")
        pem = path.read_bytes()
    except (OSError, ValueError) as error:  # a path containing NUL raises ValueError
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if mark not in pem:
        raise ConfigurationError(f"{path} holds no {what}: name the PEM file that does")
    return pem


class TlsTransport:
    """The server side of TLS over another transport, which it owns.

    Bytes that `send_nowait` and `send_some` did not report as sent must be offered again before any other bytes: they
    may already be encrypted and partly sent. OpenSSL has the same rule (SSL_write).

    Args:
        transport: The transport below.
        certificate: The server's certificate.
        handshake_turn: A lock held for each step of a handshake, shared by transports whose steps must take turns.
    """

    __slots__ = (
        "_certificate",
        "_handshake_turn",
        "_incoming",
        "_is_sending",
        "_outgoing",
        "_owed",
        "_tls",
        "_transport",
        "_unsent",
    )

    is_secure = True
    needs_handshake = True

    def __init__(self, transport: Transport, certificate: Certificate, handshake_turn: trio.Lock | None = None) -> None:
        self._transport = transport
        self._certificate = certificate
        self._handshake_turn = handshake_turn or trio.Lock()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._unsent = b""  # encrypted bytes that the transport has not accepted yet
        self._owed = 0  # the caller's bytes in them
        self._is_sending = False  # True while a task waits for the transport to accept them

    @property
    def address(self) -> str:
        """The address reported by the transport below."""
        return self._transport.address

    @property
    def may_be_health_check(self) -> bool:
        """As reported by the transport below. A health check may do a TLS handshake and send nothing inside it."""
        return self._transport.may_be_health_check

    async def locate(self) -> None:
        """Delegate to the transport below."""
        await self._transport.locate()

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
                await self._flush()
            except ssl.SSLError as error:
                with contextlib.suppress(trio.BrokenResourceError):
                    await self._flush()  # sends the alert with the reason to the peer
                raise trio.BrokenResourceError(f"TLS handshake with {self.address} failed: {error.reason}") from error
            else:
                await self._flush()
                self._tls = tls
                return
            if not (received := await self._transport.receive()):
                raise trio.BrokenResourceError(f"TLS handshake with {self.address} failed: the peer closed the link")
            self._incoming.write(received)

    def send_nowait(self, data: bytes) -> int:
        """Encrypt and send as much as the transport accepts at once."""
        taken = 0
        while taken < len(data):
            # Encryption cannot be undone: a piece counts as taken when all its records were accepted, not before.
            if not self._owed:
                self._owed = self._encrypt(data[taken : taken + PIECE])
            self._push()
            if self._unsent:
                break
            taken += self._owed
            self._owed = 0
        return taken

    async def send_some(self, data: bytes) -> int:
        """Encrypt up to 16 KiB and wait until the transport has accepted it; continue while it accepts more at once."""
        while not (taken := self.send_nowait(data)):
            await self._flush()
        return taken

    async def receive(self) -> bytes:
        """Return up to 4 KiB of decrypted bytes; b"" after the peer's close_notify.

        Raises:
            trio.BrokenResourceError: The link is lost, was cut without close_notify, or carries invalid TLS.
        """
        assert self._tls is not None, "the handshake comes first"
        while True:
            try:
                received = self._tls.read(RECEIVE)
            except ssl.SSLWantReadError:
                self._push()
            except ssl.SSLError as error:
                self._push()
                raise trio.BrokenResourceError(f"{self.address} violates the TLS protocol: {error.reason}") from error
            else:
                return received
            if len(self._unsent) + self._outgoing.pending > UNREAD_ANSWERS:
                raise trio.BrokenResourceError(f"{self.address} requests key updates and does not read the answers")
            if not (encrypted := await self._transport.receive()):
                raise trio.BrokenResourceError(f"the link to {self.address} was cut: TLS ended without close_notify")
            self._incoming.write(encrypted)

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Pass on each piece, which has to be decrypted first."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """Send close_notify, then close the transport below."""
        try:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLError, trio.BrokenResourceError):
                    with contextlib.suppress(ssl.SSLWantReadError):  # the peer has not sent its own yet, and need not
                        self._tls.unwrap()
                    await self._flush()
        finally:
            await self._transport.aclose()

    async def aclose_forcefully(self) -> None:
        """Delegate to the transport below."""
        await self._transport.aclose_forcefully()

    def _encrypt(self, piece: bytes) -> int:
        assert self._tls is not None, "the handshake comes first"
        try:
            return self._tls.write(piece)
        except ssl.SSLError as error:  # the peer has violated the protocol, and the reader gets the error
            raise trio.BrokenResourceError(f"TLS with {self.address} has failed: {error.reason}") from error

    def _push(self) -> None:
        """Send encrypted bytes as far as accepted at once; in order, so not while another task is sending."""
        if not self._is_sending:
            self._unsent += self._outgoing.read()
            if self._unsent:
                self._unsent = self._unsent[self._transport.send_nowait(self._unsent) :]

    async def _flush(self) -> None:
        """Wait until the transport has accepted all encrypted bytes."""
        # While this task sends, `_push` must not send, or later records would overtake these.
        self._push()
        self._is_sending = True
        try:
            while self._unsent:
                sent = await self._transport.send_some(self._unsent)
                self._unsent = self._unsent[sent:] or self._outgoing.read()
        finally:
            self._is_sending = False


class TlsListener:
    """A listener whose peers use TLS. It owns the other listener; a certificate may be shared by several.

    A handshake step computes for 0.3 ms with a key on P-256, 0.7 ms with RSA of 2048 bits, 6 ms with RSA of 4096. So
    the peers take turns: a lock is passed on once per pass of trio's scheduler, and between two steps every other
    ready task runs. Without it, simultaneous handshakes would block all other tasks together.

    Attributes:
        address: Host and port that it is bound to, if known.
    """

    def __init__(self, listener: Listener, certificate: Certificate, *, address: tuple[str, int] = ("", 0)) -> None:
        self._listener = listener
        self._certificate = certificate
        self._handshake_turn = trio.Lock()
        self.address = address

    async def accept(self) -> Sequence[TlsTransport]:
        """Wait for peers; their handshakes are done later by their own tasks."""
        return [
            TlsTransport(transport, self._certificate, self._handshake_turn)
            for transport in await self._listener.accept()
        ]

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
    return [
        TlsListener(ProxyListener(listener, proxy_from), certificate, address=listener.address)
        for listener in await open_tcp_listeners(port, host=host, dead_peer=dead_peer)
    ]
