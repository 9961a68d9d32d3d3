"""The watch: health, metrics and a page for operators, on a port of its own beside the server.

It answers while every place of the game is taken, since its peers are no connections of the server. It reads, and it
changes nothing: operators act by verbs in the game and by the console. One request a peer, at most
`limits.max_watch_peers` at once, each for at most `limits.watch_timeout` seconds.

A page of another site could reach the port through a browser on the operator's machine (DNS rebinding), so a request
has to name this host: "localhost", an address, or a configured name.

Used by the command line, and by games through `open_watch`.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import trio
from trio.lowlevel import enable_ki_protection

from trio_mud import MasterServer, __version__
from trio_mud.driver.core.durations import Durations
from trio_mud.driver.core.guard import run_guarded
from trio_mud.driver.server.acceptor import Acceptor, AnyListener
from trio_mud.driver.server.figures import ConnectionRow, Figures
from trio_mud.transports import RequestAnswered, Transport
from trio_mud.transports.http import BadRequest, Head, HttpAnswer
from trio_mud.transports.site import Site
from trio_mud.transports.tcp import open_tcp_listeners
from trio_mud.transports.tls import Certificate
from trio_mud.transports.websocket import WebSocketTransport

from .pages import ICON, policy_of
from .recent_log import LogEvent, RecentLog

if TYPE_CHECKING:
    from .metrics import Exposition

logger = logging.getLogger("trio_mud")

PORT: Final = 4001
LEAST_TOKEN: Final = 16  # characters
MOST_ROWS: Final = 500  # connections on the page; a browser draws them every two seconds
INTERVAL: Final = 0.1  # seconds between two measurements of the event loop's delay
RECENT: Final = 20  # measurements, so that each poll of the page sees the worst of its two seconds
NO_STORE: Final = ("Cache-Control", "no-store")
PLAIN: Final = "text/plain; charset=utf-8"
METRICS_MISSING: Final = "prometheus_client is not installed: pip install 'trio-mud[metrics]', and restart the server"


class WatchState(msgspec.Struct):
    """The content of `/admin/state`: all that the page shows."""

    name: str
    version: str
    uptime: float
    status: str
    connections: dict[str, int]
    sessions: dict[str, int]
    counters: dict[str, int]
    lag: float
    worst_lag: float
    cpu: float
    memory: int | None
    total: int
    rows: list[ConnectionRow]
    log: list[LogEvent]


class LoopLag:
    """How late the event loop is: the delay of a timer that is due ten times a second.

    Attributes:
        durations: All delays.
    """

    def __init__(self) -> None:
        self.durations = Durations()
        self._recent: deque[float] = deque(maxlen=RECENT)

    @property
    def recent(self) -> float:
        """The worst delay of the last two seconds."""
        return max(self._recent, default=0.0)

    @enable_ki_protection
    async def run(self) -> NoReturn:
        """Measure until cancelled."""
        while True:
            due = trio.current_time() + INTERVAL
            await trio.sleep_until(due)
            late = max(0.0, trio.current_time() - due)
            self.durations.add(late)
            self._recent.append(late)


@dataclass(frozen=True, slots=True)
class WatchSite(Site):
    """A site that answers by a function of the whole head, and opens no WebSocket."""

    respond: Callable[[Head], HttpAnswer] = field(kw_only=True)

    def answer(self, head: Head) -> HttpAnswer:
        """Return the answer to a request."""
        return self.respond(head)

    def accept(self, head: Head) -> NoReturn:
        """Refuse a WebSocket.

        Raises:
            BadRequest: Always.
        """
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the watch has no WebSocket")


class ServerWatch:
    """The open watch of one server.

    Attributes:
        addresses: The hosts and ports that it listens on.
        token: The secret that the admin page needs.
    """

    def __init__(
        self,
        server: MasterServer,
        *,
        token: str | None,
        names: Iterable[str],
        certificate: Certificate | None,
        trouble: Callable[[], object],
        unready: Callable[[], str],
        addresses: Sequence[tuple[str, int]],
        log: RecentLog,
    ) -> None:
        self.addresses = addresses
        self.token = secrets.token_urlsafe(24) if token is None else token
        self._has_made_token = token is None
        self._limits = server.limits
        self._figures = Figures(server)
        self._lag = LoopLag()
        self._names = known_names(names)
        self._certificate = certificate
        self._trouble = trouble
        self._unready = unready
        self._log = log
        self._began = trio.current_time()
        self._page = files(__package__).joinpath("watch.html").read_text(encoding="utf-8")
        self._policy = ("Content-Security-Policy", policy_of(self._page))
        self._metrics = self._open_metrics()
        self._site = WatchSite({}, limits=server.limits, respond=self._respond)
        self._peers: dict[trio.CancelScope, None] = {}  # the oldest first
        self._answers: dict[str, Callable[[Head], HttpAnswer]] = {
            "/healthz": lambda head: _plain("ok"),
            "/readyz": lambda head: self._readiness(),
            "/metrics": lambda head: self._metrics_as_text(),
            "/admin": lambda head: self._admin(),
            "/admin/state": self._state,
            "/icon.svg": lambda head: HttpAnswer(ICON.encode(), "image/svg+xml"),
        }

    @property
    def link(self) -> str:
        """The address of the admin page; a token that the watch has made is in its fragment, which is never sent."""
        host, port = self.addresses[0] if self.addresses else ("localhost", PORT)
        fragment = f"#{self.token}" if self._has_made_token else ""
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/admin{fragment}"

    # Answers

    def _respond(self, head: Head) -> HttpAnswer:
        if not is_known_host(head.request.headers.get_all("Host"), self._names):
            return _plain(
                "421 Misdirected Request: use localhost or an address, or configure this name",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        answer = self._answers.get(head.path)
        return answer(head) if answer is not None else _plain("404 Not Found", HTTPStatus.NOT_FOUND)

    def _status(self) -> str:
        """Return "ok" if players can connect and their records are stored, or else what prevents that."""
        if self._figures.is_closing:
            return "closing"
        if not self._figures.is_open:
            return "starting"
        if self._trouble() is not None:
            return "storage fails"
        return self._unready() or "ok"

    def _readiness(self) -> HttpAnswer:
        status = self._status()
        return _plain(status, HTTPStatus.OK if status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)

    def _open_metrics(self) -> Exposition | None:
        """Import the metrics now, and not at the first scrape: it takes a tenth of a second."""
        try:
            from .metrics import Exposition, Readings
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "prometheus_client":
                raise
            logger.info("the watch has no /metrics: %s", METRICS_MISSING)
            return None
        return Exposition(Readings(self._figures, self._lag.durations, self._expiry))

    def _metrics_as_text(self) -> HttpAnswer:
        if self._metrics is None:
            return _plain(f"501 Not Implemented: {METRICS_MISSING}", HTTPStatus.NOT_IMPLEMENTED)
        return HttpAnswer(self._metrics.render(), "text/plain; version=0.0.4; charset=utf-8", headers=(NO_STORE,))

    def _expiry(self) -> float | None:
        validity = None if self._certificate is None else self._certificate.validity
        return None if validity is None else validity.ends.timestamp()

    def _admin(self) -> HttpAnswer:
        headers = (self._policy, ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"))
        return HttpAnswer(self._page.encode(), "text/html; charset=utf-8", headers=headers)

    def _state(self, head: Head) -> HttpAnswer:
        if not self._is_authorized(head):
            return _plain(
                "401 Unauthorized: the token is missing or wrong",
                HTTPStatus.UNAUTHORIZED,
                ("WWW-Authenticate", "Bearer"),
            )
        figures, states = self._figures, self._figures.states()
        state = WatchState(
            name=figures.name,
            version=__version__,
            uptime=trio.current_time() - self._began,
            status=self._status(),
            connections=states,
            sessions=figures.sessions(),
            counters=dict(figures.counters),
            lag=self._lag.recent,
            worst_lag=self._lag.durations.worst,
            cpu=time.process_time(),
            memory=resident_memory(),
            total=sum(states.values()),
            rows=figures.rows(MOST_ROWS),
            log=list(self._log.events),
        )
        return HttpAnswer(msgspec.json.encode(state), "application/json", headers=(NO_STORE,))

    def _is_authorized(self, head: Head) -> bool:
        given = head.request.headers.get_all("Authorization")
        wanted = f"Bearer {self.token}"
        return len(given) == 1 and hmac.compare_digest(given[0].encode(errors="backslashreplace"), wanted.encode())

    # The port

    @enable_ki_protection
    async def run(self, listeners: Sequence[AnyListener]) -> None:
        """Answer until cancelled. A failure is logged, and costs the watch and not the game."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lag.run, name="trio_mud watch, loop lag")
            acceptor = Acceptor(
                listeners,
                self._limits,
                may_connect=lambda transport: True,
                on_accept=lambda transport: nursery.start_soon(self._serve, transport, name="trio_mud watch"),
                count=lambda what: None,
            )
            await run_guarded(acceptor.run, _has_failed, lambda: None)

    @enable_ki_protection
    async def _serve(self, transport: Transport) -> None:
        """Answer one peer, and close it."""
        if len(self._peers) >= self._limits.max_watch_peers:
            # The oldest, not the newest: peers that stall must not keep a health check out.
            next(iter(self._peers)).cancel(reason="a newer peer takes its place")
        with trio.move_on_after(self._limits.watch_timeout) as scope:
            self._peers[scope] = None
            try:
                await run_guarded(self._answer, _has_failed_to_answer, transport)
            finally:
                del self._peers[scope]
                with trio.CancelScope(shield=True):
                    await run_guarded(transport.aclose_forcefully, _has_failed_to_answer)

    async def _answer(self, transport: Transport) -> None:
        try:
            await WebSocketTransport(transport, self._site).handshake()
        except RequestAnswered:
            return
        except trio.BrokenResourceError as error:
            logger.debug("a request to the watch failed: %s", error)


@asynccontextmanager
async def open_watch(
    server: MasterServer,
    *,
    host: str | None = "localhost",
    port: int = PORT,
    token: str | None = None,
    names: Iterable[str] = (),
    certificate: Certificate | None = None,
    trouble: Callable[[], object] = lambda: None,
    unready: Callable[[], str] = lambda: "",
    announce: Callable[[str], object] = lambda link: None,
    listeners: Sequence[AnyListener] | None = None,
) -> AsyncGenerator[ServerWatch]:
    """Watch a server during a block: `/healthz`, `/readyz`, `/metrics`, `/admin` and `/admin/state`, by HTTP.

    Enter it before the server serves and leave it afterwards, so that it answers until the end::

        run(hooks, lifespan=partial(open_watch, announce=print))

    Args:
        server: The server.
        host: The interface to listen on. Keep it at "localhost": the port has no TLS.
        port: The port; 0 lets the system choose.
        token: The secret that the admin page needs, at least 16 printable characters without spaces; None makes one.
        names: Further names of this host, by which requests may come, such as that of a container.
        certificate: The certificate of the server, for the metric of its expiry.
        trouble: Returns None, or anything else while the game cannot store its records; `/readyz` is then 503.
        unready: Returns any other reason why players cannot play, or "". `/readyz` is then 503 and shows it.
        announce: Called with the address of the admin page, with the token unless you have set one.
        listeners: Used in place of `host` and `port`; the watch closes them.

    Raises:
        OSError: No address could be bound.
        ValueError: The token is too short, or has other characters.
    """
    if token is not None:
        check_token(token)
    if listeners is None:
        opened = await open_tcp_listeners(port, host=host, dead_peer=server.limits.dead_peer_timeout)
        listeners, addresses = opened, [listener.address for listener in opened]
    else:
        addresses = [getattr(listener, "address", ("localhost", PORT)) for listener in listeners]
    with RecentLog() as log:
        watch = ServerWatch(
            server,
            token=token,
            names=(*names, *([host] if host else ())),
            certificate=certificate,
            trouble=trouble,
            unready=unready,
            addresses=addresses,
            log=log,
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch.run, listeners, name="trio_mud watch")
                try:
                    announce(watch.link)
                    yield watch
                finally:
                    nursery.cancel_scope.cancel(reason="the block has ended")
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:  # the block's own, which the nursery has wrapped
                raise group.exceptions[0] from group.exceptions[0].__cause__
            raise


def check_token(token: str) -> str:
    """Return a token that a browser can send.

    Raises:
        ValueError: It is too short, or has other characters; the text does not quote it.
    """
    if len(token) < LEAST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise ValueError(f"token: write at least {LEAST_TOKEN} letters, digits and signs, without spaces")
    return token


def known_names(names: Iterable[str]) -> frozenset[str]:
    """Return the host names by which requests may come, in lower case."""
    return frozenset(name.lower().rstrip(".") for name in ("localhost", *names))


def is_known_host(given: Collection[str], names: Collection[str]) -> bool:
    """Return True if the Host header names this host, by an address or by one of its names; the port may be any.

    An address is always good: a page of another site has a name, and the browser sends that.
    """
    if len(given) != 1:
        return False
    (host,) = given
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host.lower().rstrip(".") in names:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def resident_memory() -> int | None:
    """Return the bytes of memory that the process uses; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _plain(text: str, status: HTTPStatus = HTTPStatus.OK, *headers: tuple[str, str]) -> HttpAnswer:
    return HttpAnswer(f"{text}\n".encode(), PLAIN, status, (NO_STORE, *headers))


def _has_failed(error: BaseException) -> None:
    logger.error("the watch has ended, and the game goes on", exc_info=error)


def _has_failed_to_answer(error: BaseException) -> None:
    logger.error("the watch failed to answer a request", exc_info=error)
