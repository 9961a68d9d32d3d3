"""How a gateway or a world reaches a Redis or Valkey server: its address, user, password and certificates.

`coredis` is imported only when a client is made, since that takes half a second, and it is an extra:
`pip install 'trio-mud[cluster]'`.
"""

from __future__ import annotations

import logging
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import trio

from .ends import LinkUnavailable

if TYPE_CHECKING:
    from coredis import Redis

SCHEMES: Final = ("redis", "rediss", "redis+unix")
CONNECTING: Final = 2.0  # seconds
ATTEMPT: Final = 5.0  # seconds for one command; a busy machine, or a slow disk below Redis, may need some
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_key_name(name: str, what: str) -> str:
    """Return the name of a gateway or of a world, which becomes part of keys and of access rules.

    Raises:
        ValueError: It has other characters than letters, digits, ".", "_" and "-".
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{what} is {name!r}: use 1 to 64 letters, digits, '.', '_' or '-'")
    return name


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """The way to a Redis or Valkey server.

    Attributes:
        host: Its host; empty for a Unix socket.
        port: Its TCP port.
        path: Its Unix socket; empty for TCP.
        database: The number of the database.
        user: The user of its access control list (ACL).
        password: The password, if there is no file with it.
        password_file: The file with the password. It is read for each client, so a new password needs no restart.
        uses_tls: True for TLS.
        ca_file: The certificates of the authorities that are trusted; those of the system if None.
        certificate_file: The certificate of this process, with its key, if the server asks for one.
    """

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    database: int = 0
    user: str = ""
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    uses_tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        password_file: Path | None = None,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
    ) -> RedisAccess:
        """Return the way that a URL names: redis://, rediss:// for TLS, or redis+unix:// and a path.

        The form is scheme://user:password@host:port/database; all but the host have defaults.

        Raises:
            ValueError: It is no such URL. The message does not have the password.
        """
        shown = re.sub(r"://[^@]*@", "://…@", url)
        try:
            parts = urlsplit(url)
            port = parts.port or 6379
        except ValueError as error:
            raise ValueError(f"the link {shown!r} is no URL: {error}") from None
        if parts.scheme not in SCHEMES:
            raise ValueError(f"the link {shown!r} has no known scheme: use redis://, rediss:// or redis+unix://")
        password = None if parts.password is None else unquote(parts.password)
        if password is not None and password_file is not None:
            raise ValueError("the link has a password, and a password file is named: use one of them")
        if parts.query or parts.fragment:
            raise ValueError(f"the link {shown!r} has options: only a user, a host, a port and a database are known")
        user = unquote(parts.username or "")
        if parts.scheme == "redis+unix":
            if parts.hostname or not parts.path.strip("/"):
                raise ValueError(f"the link {shown!r} names no socket: use redis+unix:///path/to/redis.sock")
            return cls("", 0, unquote(parts.path), 0, user, password, password_file)
        database = parts.path.strip("/")
        if not parts.hostname or not (database.isdecimal() or not database):
            raise ValueError(f"the link {shown!r} is incomplete: use redis://host:port/database")
        uses_tls = parts.scheme == "rediss"
        if not uses_tls and (ca_file or certificate_file):
            raise ValueError("the link has certificates but no TLS: use rediss://")
        return cls(
            parts.hostname,
            port,
            "",
            int(database or "0"),
            user,
            password,
            password_file,
            uses_tls,
            ca_file,
            certificate_file,
        )

    def __str__(self) -> str:
        """Return where the server is, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}/{self.database}"

    def client(self) -> Redis[bytes]:
        """Return a client for one task, which enters and leaves it. It has one connection and repeats nothing.

        Raises:
            OSError: The password or a certificate cannot be read.
            ImportError: coredis is not installed.
        """
        import coredis
        from coredis.retry import NoRetryPolicy

        logging.getLogger("coredis").setLevel(logging.CRITICAL)  # it logs a traceback for each connection that breaks
        # A connection that is broken is never returned to coredis' pool, so each client is left after any error.
        return coredis.Redis(
            host=self.host or None,
            port=self.port or None,
            unix_socket_path=self.path or None,
            db=self.database,
            username=self.user or None,
            password=(
                self.password if self.password_file is None else self.password_file.read_text(encoding="utf-8").strip()
            ),
            ssl_context=self._tls() if self.uses_tls else None,
            connect_timeout=CONNECTING,
            max_connections=2,
            retry_policy=NoRetryPolicy(),
            verify_version=False,
        )

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file)
        return context

    async def check(self) -> None:
        """Reach the server once.

        Raises:
            LinkUnavailable: It cannot be reached, or refuses this process.
        """
        try:
            client = self.client()
        except ImportError:
            raise LinkUnavailable(
                "a link to Redis needs coredis, which is not installed: pip install 'trio-mud[cluster]'",
                LinkUnavailable.NEEDS_CHANGE,
            ) from None
        except OSError as error:
            raise LinkUnavailable(f"cannot use the cluster link: {error}", LinkUnavailable.NEEDS_CHANGE) from None
        failed: list[BaseException] = []
        try:
            with trio.fail_after(CONNECTING + ATTEMPT):
                async with client:
                    await client.ping()
        except* troubles() as group:
            failed.append(first_of(group))
        if not failed:
            return
        if is_refusal(failed[0]):
            reason = str(failed[0]).rstrip(".")
            raise LinkUnavailable(
                f"the cluster link at {self} refuses the user {self.user or 'default'!r}: {reason}; "
                "check the user of the link, its password file, and the access rules of the server",
                LinkUnavailable.NEEDS_CHANGE,
            )
        raise LinkUnavailable(
            f"cannot reach the cluster link at {self}: {describe(failed[0])}; "
            "start Redis or Valkey there, or name another link"
        )


def troubles() -> tuple[type[Exception], ...]:
    """Return the exceptions of a server that is away, restarts, or refuses a command."""
    import anyio
    import coredis

    return (
        coredis.exceptions.RedisError,
        OSError,
        trio.TooSlowError,
        trio.BrokenResourceError,
        trio.ClosedResourceError,
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
        anyio.EndOfStream,
    )


def refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions of a server that answers, and refuses a command."""
    import coredis

    return (coredis.exceptions.ResponseError,)


def is_refusal(error: BaseException) -> bool:
    """Return True if the server is there, and refuses the user or the password."""
    import coredis

    return isinstance(error, coredis.exceptions.AuthenticationError | coredis.exceptions.AuthorizationError)


def first_of(error: BaseException) -> BaseException:
    """Return the first exception of a group, or the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def describe(error: BaseException) -> str:
    """Return the reason of a trouble, with the one below it if the library has hidden that."""
    if isinstance(error, trio.TooSlowError):
        return "it does not answer"
    below = error.__cause__ or error.__context__
    reason = str(error) or type(error).__name__
    return f"{reason} ({below})" if below is not None and str(below) and str(below) not in reason else reason
