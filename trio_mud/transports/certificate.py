"""A server's certificate and key, and the settings of TLS that go with them: versions, ciphers, groups."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigurationError
from .validity import Validity, validity_of

logger = logging.getLogger("trio_mud")

WARN_BEFORE = dt.timedelta(days=14)  # before the certificate ends; automated renewal is done with 30 days left
MOST_PEM = 1024 * 1024  # bytes of a file; a chain of four certificates has 8 KiB

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
