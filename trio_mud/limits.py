"""Every bound and every deadline of a server, in one place.

A limit protects all players from one: it bounds how much a single peer or hook, or one turn, may take.
The module holds only numbers; the driver, the telnet engine and the transports enforce them.
Used by programs that create a `MasterServer`, and by the table `[limits]` of a configuration file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Self, get_args, get_type_hints

from .renamed import new_name_of, refuse_old_attributes

__all__ = ["Limits", "Rate", "may_be_switched_off"]

LONGEST_KEEPALIVE = 32767  # seconds; Linux refuses a larger TCP_KEEPIDLE

_MILLION, _GIBIBYTE, _YEAR = 10**6, 1024**3, 366 * 24 * 3600
_GREATEST: Final[Mapping[str, int]] = {
    # things
    "max_connections": _MILLION,
    "max_per_address": _MILLION,
    "max_per_prefix": _MILLION,
    "max_without_session": _MILLION,
    "free_without_session": _MILLION,
    "max_handshakes": _MILLION,
    "max_link_dead": _MILLION,
    "max_link_dead_per_address": _MILLION,
    "max_typeahead": _MILLION,
    "max_anomalies": _MILLION,
    "max_watch_peers": _MILLION,
    "max_posts": _MILLION,
    "batch_size": _MILLION,
    # bytes, and characters of the log
    "max_typeahead_bytes": _GIBIBYTE,
    "max_line": _GIBIBYTE,
    "max_subnegotiation": _GIBIBYTE,
    "max_output": _GIBIBYTE,
    "max_replay": _GIBIBYTE,
    "max_tail": _GIBIBYTE,
    "max_web_message": _GIBIBYTE,
    "max_log": _GIBIBYTE,
    # seconds; a threading.Timer takes no more than 2**63 nanoseconds
    "handshake_timeout": _YEAR,
    "first_input_timeout": _YEAR,
    "idle_timeout": _YEAR,
    "keepalive_interval": _YEAR,
    "web_keepalive_interval": _YEAR,
    "hook_timeout": _YEAR,
    "world_timeout": _YEAR,
    "world_silence_timeout": _YEAR,
    "hand_over_timeout": _YEAR,
    "watchdog_timeout": _YEAR,
    "watchdog_abort_timeout": _YEAR,
    "watch_timeout": _YEAR,
    "write_stall_timeout": _YEAR,
    "dead_peer_timeout": LONGEST_KEEPALIVE,
    "grace": _YEAR,
    "quit_timeout": _YEAR,
    "linger_timeout": _YEAR,
    "shutdown_timeout": _YEAR,
    "cleanup_timeout": _YEAR,
    "log_interval": _YEAR,
    # the fields of a Rate
    "per_second": _MILLION,
    "burst": _MILLION,
}
"""The greatest value of each field: a larger number is a mistake, and would limit nothing."""


def _check_count(name: str, value: object, otherwise: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} = {value!r}: write a whole number of at least 1{otherwise}")
    _check_greatest(name, value, otherwise)


def _check_greatest(name: str, value: float, otherwise: str) -> None:
    if value > _GREATEST[name]:
        raise ValueError(f"{name} = {value!r}: write {_GREATEST[name]} at most{otherwise}")


def _check_positive(name: str, value: object, wanted: str, otherwise: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} = {value!r}: write {wanted}{otherwise}")
    _check_greatest(name, value, otherwise)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate per second in the long run, and the size of a burst.

    It is a token bucket: full, it holds `burst` tokens, and it gains `per_second` tokens each second.

    Raises:
        ValueError: `per_second` is not positive, or `burst` is not a whole number of at least 1, or one is over 10**6.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        _check_positive("per_second", self.per_second, "a positive number, such as 20")
        _check_count("burst", self.burst)

    def spend(self, full_at: float, now: float, count: float = 1) -> tuple[float, float]:
        """Take tokens from the bucket. Its whole state is one number: the time at which it will be full again.

        Args:
            full_at: The state that the last call returned; `-math.inf` for a full bucket.
            now: The time in seconds, on the clock of `full_at`.

        Returns:
            The new state, and the seconds to wait before the next token may be taken.
        """
        full_at = (full_at if full_at > now else now) + count / self.per_second
        wait = full_at - now - (self.burst - 1) / self.per_second
        return full_at, wait if wait > 0.0 else 0.0


@refuse_old_attributes("limits")
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server. `None` switches a limit off, where the type allows it.

    `None` is allowed only if memory stays bounded and the server can still stop without the limit.
    A configuration file writes it as `"none"`, and a rate as `{per_second = 20, burst = 60}`.
    Each number has a greatest value: a million things, a gibibyte, 366 days; 32767 s for `dead_peer_timeout`.

    Raises:
        ValueError: A value is invalid; the text names the field and a valid value.
    """

    # How many, and how fast they come

    max_connections: int | None = 1000
    """Open connections, admitted or not.
    Each costs a file descriptor, so keep it below the process's RLIMIT_NOFILE (often 1024: `ulimit -n`).
    Precedent: ranch stops accepting at 1024."""

    max_per_address: int | None = 10
    """Open connections from one address. An IPv6 address counts by its /64, the usual share of one household.
    Precedent: Dovecot allows 10 for each user and address."""

    max_per_prefix: int | None = None
    """Open connections from one network: an IPv4 /24 or an IPv6 /48, which often has one owner.
    It is off because a campus or a mobile carrier may share one. A public game can begin with 50.
    Precedent: sshd's PerSourceNetBlockSize."""

    max_without_session: int | None = 400
    """Open connections that are bound to no session. Players are not counted, so a flood takes none of their places.
    Past `free_without_session`, a new one is refused by chance, the more likely the more there are.
    It applies only once the game has used sessions.
    Precedent: sshd drops unauthenticated connections early (MaxStartups 10:30:100)."""

    free_without_session: int = 200
    """Open connections without a session of which none is refused.
    Reason: the burst of `accept_rate`, since after a restart all players come at once."""

    accept_rate: Rate | None = Rate(100, burst=200)
    """New connections a second. Further ones wait in the kernel's backlog; none is refused.
    Precedent: xinetd takes 50 a second, and then pauses."""

    accept_rate_per_address: Rate | None = Rate(2, burst=20)
    """New connections a second from one address, counted as for `max_per_address`.
    Further ones are closed at once, without a text or an event, and do not count against `accept_rate`.
    Behind a proxy, a connection is counted once the PROXY header has named the address.
    Precedent: OpenSSH's PerSourcePenalties."""

    max_handshakes: int | None = 256
    """Handshakes (PROXY header, TLS) that run at once. Past the limit, the oldest is dropped in favour of the newest.
    So stalled handshakes use at most this share of `max_connections`, and keep no player out.
    Reason: a handshake takes a second over a slow link, and `accept_rate` admits fewer than this in a second.
    Precedent: sshd drops unauthenticated connections from 100 on (MaxStartups)."""

    max_link_dead: int | None = 1000
    """Link-dead sessions, each waiting for its player to return. Past the limit, the next one gets no grace.
    Each may keep `max_replay` bytes. A waiting session is never ended in favour of another one."""

    max_link_dead_per_address: int | None = 20
    """Link-dead sessions of one address, by the last connection of each.
    Reason: one address may open ten connections at a time, and could leave ten sessions behind every few seconds."""

    # Input from one peer

    command_rate: Rate | None = Rate(20, burst=60)
    """Lines of one connection that become events each second.
    Faster lines wait, and are then handled up to five at a time; none is lost. The burst admits a pasted path at once.
    Precedent: Evennia, 80 a second and a warning."""

    protocol_rate: Rate | None = Rate(200, burst=500)
    """Telnet commands of one connection that are parsed each second. Past the limit, reading pauses.
    A command or a negotiation counts as 1, a payload as 1 and 1 for each 256 bytes, and a line as 1 for each 32 bytes
    beyond 128. A read, and each 512 bytes of a long one, counts as at least 4 if it ends no line.
    Reason: a client sends fewer than 100 as it connects, and later a few for each line it shows."""

    max_typeahead: int = 64
    """Lines held for one connection. Past the limit, its socket is not read, and TCP slows the sender (backpressure).
    Reason: aliases and speedwalks of common clients send 10 to 40 lines at a time."""

    max_typeahead_bytes: int = 16 * 1024
    """Bytes held for one connection, including GMCP and MSDP. Past the limit, its socket is not read.
    Short lines do not count: `max_typeahead` bounds them. One payload may exceed the limit by its own size.
    Reason: parser, typeahead and outbox of a connection together stay below 384 KiB, whatever its peer sends."""

    max_line: int = 4096
    """Bytes of one line. A longer line is cut, and the player reads `texts.line_cut`.
    Precedent: 4096 in a Linux terminal, 1000 in LDMud, 6000 in Evennia."""

    max_subnegotiation: int = 8192
    """Bytes of one telnet subnegotiation. A longer one is dropped, and counts as a protocol fault.
    Precedent: 8 KiB for a header line in nginx; Mudlet, a client, takes 5 MiB."""

    max_anomalies: int | None = 3
    """Protocol faults before the connection ends: an unfinished, oversized or broken subnegotiation, or more requests
    than are answered. Invalid content in a valid frame is dropped and counted, and never ends a connection:
    honest programs send it.
    Reason: noise on a line causes one or two faults; an attack does not stop at three."""

    max_web_message: int = 64 * 1024
    """Bytes of one WebSocket message from a client. A longer one is refused before its content is received.
    Precedent: 64 KiB for one GMCP message by telnet; Hypercorn takes 16 MiB."""

    empty_frame_rate: Rate | None = Rate(10, burst=32)
    """WebSocket frames of one client that carry nothing: pings, pongs, empty frames, and fragments of under 125 bytes.
    A client that sends more ends its connection. An empty message that is an empty line does not count.
    Reason: a browser answers one ping in each `web_keepalive_interval`."""

    # Operators

    max_watch_peers: int = 16
    """Requests that the watch answers at once. Past the limit, the oldest is dropped in favour of the newest.
    Reason: an operator has a few browsers and one Prometheus, and they take milliseconds."""

    # Pending output and events

    max_output: int = 256 * 1024
    """Bytes of pending output for one peer that reads too slowly. Past the limit, whole messages are dropped.
    Precedent: 100 kB in LDMud."""

    max_replay: int = 64 * 1024
    """Bytes of text kept for the return of a link-dead player. Past the limit, the oldest are dropped and counted.
    Reason: about a thousand lines, more than a player reads again."""

    max_tail: int = 32 * 1024
    """Bytes of sent text kept for a client that names the GMCP package `Session`, for its return by a token.
    Past the limit, the oldest is dropped, and the client learns how many lines are lost. Other clients have no tail.
    Reason: several screens, while 1,000 browsers take 32 MB."""

    max_posts: int = 1000
    """Events posted to the server by the game and not yet handled. Past the limit, `post` raises `Overloaded`.
    Precedent: FluffOS lets a thousand zero-delay calls follow one another."""

    max_log: int = 1024 * 1024
    """Characters of log lines waiting for a blocked stream. Past the limit, lines are dropped and counted.
    Reason: at two lines a visit, it holds 10,000 visits while the operator has stopped the terminal with Ctrl-S."""

    batch_size: int = 64
    """Sources that the dispatcher serves, and connections that a shutdown ends, before other tasks run.
    Measured: 5,000 endings in one pass stop all players for 200 ms; 64 at a time, for 28 ms at most."""

    # Timeouts, in seconds

    handshake_timeout: float = 10.0
    """Timeout of the handshake (PROXY header, TLS), in seconds from accept.
    A connection that exceeds it is closed without an event.
    Precedent: ranch grants 5 s for TLS, Hypercorn 60 s."""

    first_input_timeout: float | None = 60.0
    """Timeout of the first line, in seconds from admission.
    Precedent: sshd grants 120 s for a login, HAProxy 5 s for a request."""

    idle_timeout: float | None = None
    """Idle timeout, in seconds since the last line. A warning is sent one minute before.
    Only lines count, not negotiation, NOP or GMCP.
    Precedent: 3600 in many Dikus. It is off because a social world wants its quiet guests."""

    keepalive_interval: float | None = None
    """Seconds between keepalive messages of the protocol, which show routers and proxies that a quiet link is in use.
    GMCP's Core.KeepAlive is sent if GMCP is agreed, otherwise telnet's NOP. It is off because NOP breaks MegaMUD.
    TCP's own keepalive is always on (`dead_peer_timeout`), but reaches only the first proxy."""

    web_keepalive_interval: float | None = 25.0
    """Seconds between the pings on a WebSocket, which show proxies that a quiet link is in use.
    They also find a client that vanished behind a proxy (`dead_peer_timeout`).
    Precedent: nginx closes a link that was silent for 60 s, and many home routers after less than that."""

    hook_timeout: float | None = 5.0
    """Timeout of one async hook function, in seconds.
    Precedent: 5 s for a call in Erlang's gen_server."""

    world_timeout: float = 15.0
    """Seconds that a connection at a gateway waits for the verdict of the world's connect hook; then it is refused.
    Only a server in two processes has a gateway.
    Reason: three functions on `Connect` that take `hook_timeout` each."""

    world_silence_timeout: float | None = 3.0
    """Seconds without any answer of the world until the players at a gateway whose input waits are notified.
    Only a server in two processes has a gateway.
    Reason: another world takes over within two seconds, and no player should read of that."""
    hand_over_timeout: float = 2.0
    """Seconds that a world waits for functions that are under way, before it hands its players over to another world.
    The players' lines wait meanwhile, and a function that takes longer does not finish.
    Reason: a second of silence is taken for a slow network."""

    watchdog_timeout: float | None = 1.0
    """Seconds that one function may block the event loop before its stack is logged.
    A second log line says how long it took. Only programs started by `run` or from the command line are watched.
    Precedent: the Linux kernel reports a task that keeps a processor for 20 s; here, all players notice one second."""

    watchdog_abort_timeout: float | None = None
    """Seconds that one function may block the event loop before the process exits with status 1, without saving.
    A supervisor can then restart it. At least `watchdog_timeout`.
    Precedent: FluffOS stops an evaluation that takes too long by a POSIX timer; Python has no safe way to do that."""

    watch_timeout: float = 5.0
    """Timeout of one request to the watch, in seconds from accept to the end of the answer.
    Precedent: Prometheus gives up a scrape after 10 s."""

    write_stall_timeout: float | None = 30.0
    """Seconds in which a peer accepts no byte of its pending output; then the link is dead.
    Precedent: nginx ends a response after 60 s of that."""

    dead_peer_timeout: float | None = 120.0
    """Seconds until TCP keepalive detects a peer that vanished, 32767 at most.
    A WebSocket from which nothing came for that time after a ping is dead, too; each ping checks it.
    Precedent: Linux alone needs over two hours, which no character survives."""

    grace: float = 300.0
    """Seconds that a session waits for its player to return after a link death.
    Reason: a router restarts in two minutes, and its owner needs a moment to notice."""

    quit_timeout: float = 2.0
    """Timeout of the last words after a quit, in seconds.
    Reason: a round trip by satellite, one retransmission, and some margin."""

    linger_timeout: float = 2.0
    """Seconds in which late input of a closed connection is read and discarded.
    Without it, the kernel answers such input with a reset, which may destroy the last words on their way.
    Precedent: Apache lingers 2 to 30 s, nginx 5 s."""

    shutdown_timeout: float = 10.0
    """Timeout of a graceful shutdown, in seconds; then all links are cut.
    Precedent: `docker stop` kills after 10 s."""

    cleanup_timeout: float = 5.0
    """Timeout of all cleanup after a hard stop, in seconds, counted once and shared by all tasks.
    After the last event, each service has as long again to close. Precedent: Erlang's supervisors give a child 5 s."""

    log_interval: float | None = 10.0
    """Seconds in which a repeating kind of warning, such as "too many open files", is logged at most once.
    Precedent: the Linux kernel counts its repeated messages over 5 s."""

    if not TYPE_CHECKING:

        def __new__(cls, **values: Any) -> Self:
            for name in values:
                if sentence := new_name_of(f"limits.{name}"):
                    raise TypeError(sentence)
            return object.__new__(cls)

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name)
        if self.max_without_session is not None and self.max_without_session < self.free_without_session:
            raise ValueError(
                f"max_without_session = {self.max_without_session!r}: write no less than free_without_session, "
                f"which is {self.free_without_session!r}, or None for no limit"
            )
        if self.dead_peer_timeout is not None and self.dead_peer_timeout < 1:
            raise ValueError(
                f"dead_peer_timeout = {self.dead_peer_timeout!r}: "
                f"write seconds from 1 to {LONGEST_KEEPALIVE}, or None for no limit"
            )
        if (
            self.watchdog_abort_timeout is not None
            and not (self.watchdog_timeout or math.inf) <= self.watchdog_abort_timeout
        ):
            raise ValueError(
                f"watchdog_abort_timeout = {self.watchdog_abort_timeout!r}: write no less than watchdog_timeout, "
                f"which is {self.watchdog_timeout!r}, "
                "or None for no limit"
            )

    def _check(self, name: str) -> None:
        """Raise ValueError unless the value of the field `name` fits its type and its unit."""
        value = getattr(self, name)
        kinds = _kinds()[name]
        if value is None and NoneType in kinds:
            return
        otherwise = ", or None for no limit" if NoneType in kinds else ""
        if Rate in kinds:
            if not isinstance(value, Rate):
                raise ValueError(f"{name} = {value!r}: write a Rate, such as Rate(20, burst=60){otherwise}")
        elif int in kinds:
            _check_count(name, value, otherwise)
        else:
            _check_positive(name, value, "a positive number of seconds, such as 5.0", otherwise)


def may_be_switched_off(name: str) -> bool:
    """True if the field of `Limits` called `name` may be `None`; False if there is no such field."""
    return NoneType in _kinds().get(name, ())


@cache
def _kinds() -> dict[str, tuple[type, ...]]:
    """Return the types that each field accepts, from its annotation: `int | None` is `(int, NoneType)`."""
    return {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Limits).items()}
