"""TLS over any other transport: encrypted from the first byte, on a port of its own.

Python's `ssl` does the cryptography on bytes in memory; here they are moved.
`trio.SSLStream` could, too, but it can send nothing without waiting, so that every line would cost a task,
and it closes the socket right behind its farewell, so that late input would turn the last words into a reset.

There is no STARTTLS: whoever can read a plain beginning can also suppress the offer in it.
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

WARN_BEFORE = dt.timedelta(days=14)  # that a certificate ends; who renews by a machine does it with 30 days left
MOST_PEM = 1024 * 1024  # bytes of a file; a chain of four certificates has 8 KiB
PIECE = 16 * 1024  # bytes encrypted at once, as many as one TLS record holds
RECEIVE = 4096  # bytes a read
UNREAD_ANSWERS = 64 * 1024  # bytes of the protocol's own that may wait for a peer that asks and does not read

# Key exchange on an elliptic curve and authenticated encryption, as Mozilla's "intermediate" profile has them.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; all those of TLS 1.3 are of this kind
GROUPS = "X25519:P-256"
CURVE = "prime256v1"  # OpenSSL's name of P-256


class Certificate:
    """A server's certificate and key, in two PEM files; read at once, and again by `reload`.

    Args:
        certificate: The file of the certificate, followed by those between it and its root.
        key: The file of its private key, without a passphrase; None if the first file holds that too.
        wall_clock: Tells the time in seconds since 1970.

    The log has one warning of a certificate that is not valid yet, ends within 14 days, or has ended:
    when it is read, or at the first handshake after that began.

    Attributes:
        context: What new handshakes use.
        validity: From when to when it is valid; None if that cannot be read.

    Raises:
        ConfigurationError: A file cannot be read or does not hold what it should; the message names it.
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
        """Use what the files hold now for every handshake from now on; who is connected stays so.

        Raises:
            ConfigurationError: As when it was made; the old certificate stays in use.
        """
        self._read()

    def warn_in_time(self) -> None:
        """Write to the log if its dates ask for somebody to do something; of each of its troubles once."""
        now = dt.datetime.fromtimestamp(self._wall_clock(), dt.UTC)
        trouble = "" if self.validity is None else _trouble(self.validity, now)
        if trouble and trouble not in self._told:
            self._told.add(trouble)
            logger.warning("the certificate in %s %s", self.path, trouble)

    def _read(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION  # each one costs us more than the peer: CVE-2011-1473
        context.options |= ssl.OP_NO_COMPRESSION  # its length tells what is in it: CVE-2012-4929
        # A ticket left unread by a client that only sends would turn its end of file into a reset.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET  # nor in TLS 1.2, where one key would open all of them
        context.set_ciphers(CIPHERS)
        _restrict_groups(context)
        pem = _check_holds(self.path, b"CERTIFICATE-----", "certificate")
        _check_holds(self.key_path, b"PRIVATE KEY-----", "private key")

        def refuse_to_ask() -> str:
            raise ConfigurationError(f"{self.key_path} is protected by a passphrase: write the key without one")

        try:
            context.load_cert_chain(self.path, self.key_path, password=refuse_to_ask)
        except OSError as error:  # those of ssl are, too
            why = getattr(error, "reason", None) or error
            if why == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(f"{self.key_path} is not the key of the certificate in {self.path}") from error
            raise ConfigurationError(f"{self.path} or {self.key_path} is damaged ({why}): get them anew") from error
        self.context = context
        self._told: set[str] = set()
        self.validity: Validity | None = None
        with contextlib.suppress(ValueError):  # OpenSSL took it, so it may be used
            self.validity = validity_of(pem)
        self.warn_in_time()


def _restrict_groups(context: ssl.SSLContext) -> None:
    """Allow no group that costs the server much: a recorded ClientHello may be sent again and again.

    OpenSSL's defaults include ffdhe8192, for which the server computes 180 ms, and the peer nothing:
    CVE-2002-20001. P-256 costs 0.1 ms. Before Python 3.15 only a single curve can be named; it excludes the
    finite fields too, and clients that guessed another curve are asked to try again (RFC 8446, section 4.1.4).
    """
    if (set_groups := getattr(context, "set_groups", None)) is not None:
        set_groups(GROUPS)
    else:
        context.set_ecdh_curve(CURVE)


def _trouble(validity: Validity, now: dt.datetime) -> str:
    """What is wrong with these dates and what to do about it; "" if nothing is."""
    begins, ends = (f"{when:%Y-%m-%d %H:%M} UTC" for when in validity)
    if now < validity.begins:
        return f"is not valid before {begins}: set the clock of this machine right, or get another"
    if now >= validity.ends:
        return f"has ended on {ends}, and clients refuse it: get a new one, and send SIGHUP to load it"
    if now + WARN_BEFORE >= validity.ends:
        return f"ends on {ends}: renew it before, and send SIGHUP to load it"
    return ""


def _check_holds(path: Path, mark: bytes, what: str) -> bytes:
    """What is in the file."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a device or a pipe may never end
            raise ConfigurationError(f"{path} is not a regular file: name the PEM file of the {what}")
        if about.st_size > MOST_PEM:
            raise ConfigurationError(f"{path} holds {about.st_size} bytes, too many for a {what}: name its PEM file")
        pem = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a NUL in it is a ValueError
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if mark not in pem:
        raise ConfigurationError(f"{path} holds no {what}: name the PEM file that does")
    return pem


class TlsTransport:
    """The server's end of TLS over another transport, which it owns.

    What `send_nowait` and `send_some` did not report as taken must be offered again before anything else:
    it may be encrypted and partly sent already. That is the rule of OpenSSL, too (SSL_write).

    Args:
        transport: The one below.
        certificate: Ours.
        handshake_turn: Held for each step of a handshake, and shared by transports whose steps must not come at once.
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
    shakes_hands = True

    def __init__(self, transport: Transport, certificate: Certificate, handshake_turn: trio.Lock | None = None) -> None:
        self._transport = transport
        self._certificate = certificate
        self._handshake_turn = handshake_turn or trio.Lock()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._unsent = b""  # encrypted, and not taken by the transport yet
        self._owed = 0  # bytes of the caller's that are in it
        self._is_sending = False  # a task waits for the transport to take it

    @property
    def address(self) -> str:
        """Where the transport below says the peer is."""
        return self._transport.address

    @property
    def may_be_health_check(self) -> bool:
        """As the transport below. A health check may speak TLS and still send nothing within it."""
        return self._transport.may_be_health_check

    async def locate(self) -> None:
        """As the transport below."""
        await self._transport.locate()

    async def handshake(self) -> None:
        """Agree on keys, with the certificate of this moment.

        Raises:
            trio.BrokenResourceError: The peer does not speak TLS, or none we accept.
        """
        await self._transport.handshake()
        self._certificate.warn_in_time()
        tls = self._certificate.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                async with self._handshake_turn:
                    tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError as error:
                with contextlib.suppress(trio.BrokenResourceError):
                    await self._flush()  # the alert that tells the peer why
                raise trio.BrokenResourceError(f"no TLS with {self.address}: {error.reason}") from error
            else:
                await self._flush()
                self._tls = tls
                return
            if not (received := await self._transport.receive()):
                raise trio.BrokenResourceError(f"no TLS with {self.address}: it ended before")
            self._incoming.write(received)

    def send_nowait(self, data: bytes) -> int:
        """Encrypt and send as long as the transport takes it at once."""
        taken = 0
        while taken < len(data):
            if not self._owed:
                self._owed = self._encrypt(data[taken : taken + PIECE])
            self._push()
            if self._unsent:
                break
            taken += self._owed
            self._owed = 0
        return taken

    async def send_some(self, data: bytes) -> int:
        """Encrypt up to 16 KiB, and wait until the transport has taken it; go on while it takes more at once."""
        while not (taken := self.send_nowait(data)):
            await self._flush()
        return taken

    async def receive(self) -> bytes:
        """What was decrypted, up to 4 KiB; b"" when the peer said in the cipher that it ends.

        Raises:
            trio.BrokenResourceError: The link is gone, was cut by somebody else, or carries what is not TLS.
        """
        assert self._tls is not None, "the handshake comes first"
        while True:
            try:
                received = self._tls.read(RECEIVE)
            except ssl.SSLWantReadError:
                self._push()
            except ssl.SSLError as error:
                self._push()
                raise trio.BrokenResourceError(f"{self.address} does not keep to TLS: {error.reason}") from error
            else:
                return received
            if len(self._unsent) + self._outgoing.pending > UNREAD_ANSWERS:
                raise trio.BrokenResourceError(f"{self.address} asks for new keys and does not read the answers")
            if not (encrypted := await self._transport.receive()):
                raise trio.BrokenResourceError(f"{self.address} was cut off: its end is not in the cipher")
            self._incoming.write(encrypted)

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Wait for each piece, for it has to be decrypted."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """Say the end in the cipher, then as the transport below does."""
        try:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLError, trio.BrokenResourceError):
                    with contextlib.suppress(ssl.SSLWantReadError):  # the peer has not said it yet, and need not
                        self._tls.unwrap()
                    await self._flush()
        finally:
            await self._transport.aclose()

    async def aclose_forcefully(self) -> None:
        """As the transport below."""
        await self._transport.aclose_forcefully()

    def _encrypt(self, piece: bytes) -> int:
        assert self._tls is not None, "the handshake comes first"
        try:
            return self._tls.write(piece)
        except ssl.SSLError as error:  # the peer has broken the protocol, and the reader knows
            raise trio.BrokenResourceError(f"no TLS with {self.address} any more: {error.reason}") from error

    def _push(self) -> None:
        """Hand over what is encrypted, as far as it is taken at once; in order, so not while a task waits with it."""
        if not self._is_sending:
            self._unsent += self._outgoing.read()
            if self._unsent:
                self._unsent = self._unsent[self._transport.send_nowait(self._unsent) :]

    async def _flush(self) -> None:
        """Wait until the transport has taken all that is encrypted."""
        self._push()
        self._is_sending = True
        try:
            while self._unsent:
                sent = await self._transport.send_some(self._unsent)
                self._unsent = self._unsent[sent:] or self._outgoing.read()
        finally:
            self._is_sending = False


class TlsListener:
    """A listener whose peers speak TLS. Owns the other listener; the certificate may serve several.

    A step of a handshake computes for 0.3 ms with a key on P-256, 0.7 ms with RSA of 2048 bits, 6 ms with RSA of 4096.
    So its peers take turns: a lock is handed on once in each pass of trio's scheduler, and between two steps
    every other task that is ready has run. Without it, peers that speak at once would stop all others together.

    Attributes:
        address: Host and port it is bound to, if that was told.
    """

    def __init__(self, listener: Listener, certificate: Certificate, *, address: tuple[str, int] = ("", 0)) -> None:
        self._listener = listener
        self._certificate = certificate
        self._handshake_turn = trio.Lock()
        self.address = address

    async def accept(self) -> Sequence[TlsTransport]:
        """Wait for peers; each shakes hands later, in its own time."""
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
    """Listen as `open_tcp_listeners` does, to peers that speak TLS.

    Args:
        port: As there; so are `host` and `dead_peer`.
        certificate: Shared by all of them: keep it, and `certificate.reload()` renews it.
        proxy_from: Networks of proxies that say where their peers are, in front of TLS.

    Raises:
        OSError: Nothing could be bound; none is left open.
    """
    return [
        TlsListener(ProxyListener(listener, proxy_from), certificate, address=listener.address)
        for listener in await open_tcp_listeners(port, host=host, dead_peer=dead_peer)
    ]
