"""Every bound and every deadline of a server, in one place.

A limit protects the many from the one: each says how much a single peer, hook or moment may take.
It holds numbers only; the driver, the telnet engine and the transports keep to them.
Who uses it: whoever makes a `MasterServer`, and the table `[limits]` of a configuration file.
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
    "max_handshakes": _MILLION,
    "max_link_dead": _MILLION,
    "max_link_dead_per_address": _MILLION,
    "max_typeahead": _MILLION,
    "max_anomalies": _MILLION,
    "max_posts": _MILLION,
    "batch_size": _MILLION,
    # bytes, and characters of the log
    "max_typeahead_bytes": _GIBIBYTE,
    "max_line": _GIBIBYTE,
    "max_subnegotiation": _GIBIBYTE,
    "max_output": _GIBIBYTE,
    "max_replay": _GIBIBYTE,
    "max_log": _GIBIBYTE,
    # seconds; a threading.Timer takes no more than 2**63 nanoseconds
    "handshake_timeout": _YEAR,
    "first_input_timeout": _YEAR,
    "idle_timeout": _YEAR,
    "keepalive_interval": _YEAR,
    "hook_timeout": _YEAR,
    "watchdog_timeout": _YEAR,
    "watchdog_abort_timeout": _YEAR,
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
"""The greatest value of each field: past it a number is a mistake, and nothing is limited any more."""


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
    """So many a second in the long run, and a burst of so many at once.

    A token bucket: it holds `burst` tokens when full and gains `per_second` of them each second.

    Raises:
        ValueError: `per_second` is not positive, or `burst` is not a whole number of at least 1, or one is over 10**6.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        _check_positive("per_second", self.per_second, "a positive number, such as 20")
        _check_count("burst", self.burst)

    def spend(self, full_at: float, now: float, count: float = 1) -> tuple[float, float]:
        """Take tokens from the bucket, whose whole state is one moment: when it will be full again.

        Args:
            full_at: What the last call returned first; `-math.inf` for a full bucket.
            now: The time in seconds, on the clock of `full_at`.

        Returns:
            The new state, and the seconds to wait before the next token may be taken.
        """
        full_at = (full_at if full_at > now else now) + count / self.per_second
        wait = full_at - now - (self.burst - 1) / self.per_second
        return full_at, wait if wait > 0.0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server grants; a field that may be `None` is switched off by it.

    Only where "no limit" still leaves memory bounded and the server able to stop is `None` allowed.
    In a configuration file the same is written `"none"`, and a rate `{per_second = 20, burst = 60}`.
    Each number has a greatest value: a million things, a gibibyte, 366 days; 32767 s for `dead_peer_timeout`.

    Raises:
        ValueError: A value makes no sense; the text names the field and what to write instead.
    """

    # How many, and how fast they come

    max_connections: int | None = 1000
    """Connections since accept, admitted or not.
    Each costs a file descriptor, so keep it below the process's RLIMIT_NOFILE (often 1024: `ulimit -n`).
    Precedent: ranch stops accepting at 1024."""

    max_per_address: int | None = 10
    """Connections from one address; an IPv6 address counts by its /64, which is what one household gets.
    Precedent: Dovecot allows 10 for each user and address."""

    accept_rate: Rate | None = Rate(100, burst=200)
    """New connections a second; past it accepting waits in the kernel's backlog, and nobody is refused.
    Precedent: xinetd takes 50 a second, and then pauses."""

    accept_rate_per_address: Rate | None = Rate(2, burst=20)
    """New connections a second from one address, counted as for `max_per_address`; past it a connection is closed at
    once, without a word and without an event, before it spends anything of `accept_rate`.
    Behind a proxy it is counted, and closed, once the PROXY header has named the address.
    Precedent: OpenSSH's PerSourcePenalties."""

    max_handshakes: int | None = 256
    """Handshakes (PROXY header, TLS) that run at once; past it the oldest is dropped in favour of the newest.
    So connections that stall take at most these of the places that `max_connections` grants, and keep no player out.
    Reason: more than `accept_rate` lets in within the second that a handshake takes over a slow link.
    Precedent: sshd drops unauthenticated connections from 100 on (MaxStartups)."""

    max_link_dead: int | None = 1000
    """Sessions that wait for the return of a player whose link is dead; past it the next one gets no grace.
    Each may keep `max_replay` bytes. A session that waits is never ended for another one."""

    max_link_dead_per_address: int | None = 20
    """Those of one address, by the last connection of each.
    Reason: one address can have ten connections at a time, and leave as many sessions behind every few seconds."""

    # What one peer may send

    command_rate: Rate | None = Rate(20, burst=60)
    """Lines of one connection that become events each second; faster ones wait and come up to five at a time, none is
    lost.
    The burst lets a pasted path through at once. Precedent: Evennia, 80 a second and a warning."""

    protocol_rate: Rate | None = Rate(200, burst=500)
    """Telnet commands of one connection that are parsed each second; past it the connection is not read for a while.
    A command or a negotiation counts as 1, a payload as 1 and 1 for each 256 bytes, and a line as 1 for each 32 bytes
    beyond 128. A read, and each 512 bytes of a long one, counts as at least 4 if it ends no line.
    Reason: a client sends fewer than 100 as it connects, and a few for each line it shows after that."""

    max_typeahead: int = 64
    """Lines held for one connection before its socket is no longer read; TCP then slows the sender.
    Reason: aliases and speedwalks of common clients send 10 to 40 lines at a time."""

    max_typeahead_bytes: int = 16 * 1024
    """Bytes of what is held for one connection, GMCP and MSDP included; past it, too, its socket is no longer read.
    Short lines, which `max_typeahead` bounds already, do not count. One payload may exceed it by its own size.
    Reason: parser, typeahead and outbox of a connection together stay below 384 KiB, whatever its peer sends."""

    max_line: int = 4096
    """Bytes of one line; what is longer is cut, and the player told.
    Precedent: 4096 in a Linux terminal, 1000 in LDMud, 6000 in Evennia."""

    max_subnegotiation: int = 8192
    """Bytes of one telnet subnegotiation; what is longer is thrown away as a protocol fault.
    Precedent: 8 KiB for a header line in nginx; Mudlet, a client, takes 5 MiB."""

    max_anomalies: int | None = 3
    """Faults of telnet's framing, or floods, before the connection ends: an unfinished, oversized or broken
    subnegotiation, or more requests than are answered. Content that cannot be understood in a sound frame is dropped
    and counted, and never ends a connection: honest programs send it.
    Reason: a line hit by noise makes one or two; an attack does not stop at three."""

    # What waits to go out, or to be handled

    max_output: int = 256 * 1024
    """Bytes waiting for one peer that reads too slowly; past it whole messages are dropped.
    Precedent: 100 kB in LDMud."""

    max_replay: int = 64 * 1024
    """Bytes of text kept for the return of a player whose link is dead; of more the oldest go, and are counted.
    Reason: some thousand lines, more than anybody reads again."""

    max_posts: int = 1000
    """Events posted to the server by code of the game and not yet handled; past it posting raises `Overloaded`.
    Precedent: FluffOS lets a thousand zero-delay calls follow one another."""

    max_log: int = 1024 * 1024
    """Characters of log lines waiting for a stream that does not take them; past it lines are dropped and counted.
    Reason: at two lines a player's visit that is 10,000 visits while somebody has stopped the terminal with Ctrl-S."""

    batch_size: int = 64
    """Sources a dispatcher serves, and connections a shutdown ends, between two turns of everybody else.
    Measured: 5,000 endings in one pass stop the world for 200 ms; by 64 for 28 ms at most."""

    # How long, in seconds

    handshake_timeout: float = 10.0
    """Seconds from accept until a PROXY header and TLS are done with; who needs longer has never been there.
    Precedent: ranch grants 5 s for TLS, Hypercorn 60 s."""

    first_input_timeout: float | None = 60.0
    """Seconds from admission to the first line typed.
    Precedent: sshd grants 120 s for a login, HAProxy 5 s for a request."""

    idle_timeout: float | None = None
    """Seconds of silence after a line before the player is shown out, warned a minute earlier.
    Only lines count: no negotiation, no NOP and no GMCP.
    Precedent: 3600 in many a Diku; off, for a social world wants its quiet guests."""

    keepalive_interval: float | None = None
    """Seconds between probes in the protocol itself, by which routers and proxies see that a quiet link is in use.
    GMCP's Core.KeepAlive where GMCP is agreed, or else telnet's NOP, on which MegaMUD chokes: so it is off.
    TCP's own, see `dead_peer_timeout`, is always there, but ends at the first proxy."""

    hook_timeout: float | None = 5.0
    """Seconds that one waiting hook function may take.
    Precedent: 5 s for a call in Erlang's gen_server."""

    watchdog_timeout: float | None = 1.0
    """Seconds that everything may stand still because one function computes and does not return; then its stack is
    logged, once, and again how long it took. Only a program started by `run` or from the command line is watched.
    Precedent: the Linux kernel reports a task that keeps a processor for 20 s; here a second is already felt by all."""

    watchdog_abort_timeout: float | None = None
    """Seconds of standing still after which the process is ended with status 1, saving nothing, for a supervisor to
    start it again; at least `watchdog_timeout`.
    Precedent: FluffOS stops an evaluation that takes too long by a POSIX timer; Python has no safe way to do that."""

    write_stall_timeout: float | None = 30.0
    """Seconds in which a peer takes none of what waits for it; then the link is dead.
    Precedent: nginx ends a response after 60 s of that."""

    dead_peer_timeout: float | None = 120.0
    """Seconds until TCP keepalive finds a peer that vanished without a word, 32767 at most.
    Precedent: Linux alone needs over two hours, which nobody's character survives."""

    grace: float = 300.0
    """Seconds that a session waits for its player to return after a link death.
    Reason: a router restarts in two minutes, and then somebody has to find out."""

    quit_timeout: float = 2.0
    """Seconds to deliver the last words after a quit.
    Reason: a round trip by satellite, one lost packet sent again, and some to spare."""

    linger_timeout: float = 2.0
    """Seconds in which a closed connection's late input is read and thrown away.
    Without it the kernel answers such input with a reset, which may destroy the last words on their way.
    Precedent: Apache lingers 2 to 30 s, nginx 5 s."""

    shutdown_timeout: float = 10.0
    """Seconds that a shutdown grants before it turns hard.
    Precedent: `docker stop` kills after 10 s."""

    cleanup_timeout: float = 5.0
    """Seconds for everything shielded, counted once from a hard stop and shared by all who clean up.
    Precedent: Erlang's supervisors give a child 5 s."""

    log_interval: float | None = 10.0
    """Seconds in which a repeating kind of warning, such as "too many open files", is logged at most once.
    Precedent: the Linux kernel counts its repeated messages over 5 s."""

    if not TYPE_CHECKING:

        def __new__(cls, **values: Any) -> Self:
            for name in values:
                if sentence := new_name_of(f"limits.{name}"):
                    raise TypeError(sentence)
            return object.__new__(cls)

        __getattr__ = refuse_old_attributes("limits")

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name)
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
        """Raise ValueError unless the field called `name` holds what its type and its unit promise."""
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
    """Whether the field of `Limits` called `name` may be `None`; False for a name that is no field."""
    return NoneType in _kinds().get(name, ())


@cache
def _kinds() -> dict[str, tuple[type, ...]]:
    """What each field may hold, read from its annotation: `int | None` is `(int, NoneType)`."""
    return {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Limits).items()}
