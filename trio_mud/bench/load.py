"""The I/O of a load: raw non-blocking sockets, one selector, one task.

A task for each player would cost more than the player itself, and the load must be faster than the server it measures.
`Load` owns the sockets; the players do no I/O.
"""

from __future__ import annotations

import errno
import heapq
import math
import os
import selectors
import socket
from collections.abc import Callable
from typing import Final

import trio

from .plan import LoadPlan
from .player import LoadPlayer
from .tally import LoadTally

PATIENCE: Final = 10.0  # seconds for a connection, and for the answer to a step of a login
DRAIN: Final = 2.0  # seconds for outstanding answers at the end
RECEIVE: Final = 65536  # bytes per read

_UNDER_WAY: Final = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class _Link:
    """One player and its socket."""

    __slots__ = ("asked", "player", "rest", "sock", "stands", "wakes")

    def __init__(self, player: LoadPlayer, sock: socket.socket, asked: float) -> None:
        self.player = player
        self.sock = sock
        self.asked = asked  # time of the connect call
        self.stands = False
        self.rest = b""  # bytes that the kernel did not accept
        self.wakes = math.inf  # the earliest time queued for this player

    @property
    def awaited(self) -> str:
        """The missing connection, answer or step of the login, in words; "" if none is missing."""
        return self.player.awaited if self.stands else "the connection is not established"

    def is_stuck(self, now: float) -> bool:
        """True if the player has waited for the connection, or for one answer, for `PATIENCE` seconds."""
        return now - (self.player.waits_since if self.stands else self.asked) >= PATIENCE


class Load:
    """One run of a plan.

    Attributes:
        tally: The measurements so far; may be read at any time.
        stage: The current phase, in words.
        began: Start of the run, on trio's clock.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.tally = LoadTally()
        self.stage = "connecting"
        self.began = math.inf
        self._links: dict[int, _Link] = {}  # by number of the player
        self._selector = selectors.DefaultSelector()
        self._moments: list[tuple[float, int]] = []  # a heap of times and the players to wake
        self._called = 0  # players that have begun to connect
        self._address: tuple[socket.AddressFamily, object] | None = None
        self._clock: Callable[[], float] = trio.current_time

    async def run(self) -> None:
        """Connect all players, let them play for the planned time, and disconnect.

        The measured time begins once each player is in the game or has waited `PATIENCE` seconds for one answer.
        The load ends early if no player has come in by then, or when none is left.
        If cancelled, it disconnects at once; the tally keeps the measurements so far.

        Raises:
            OSError: The first player could not connect.
        """
        self._clock = trio.lowlevel.current_clock().current_time
        is_drained = False
        try:
            await self._connect_first()
            self.began = self._clock()
            await self._go_on(self._are_settled, math.inf)
            if not self.tally.logged_in:  # nothing can be measured; the report says what they wait for
                return
            self.stage = "measuring"
            self.tally.began = self._clock()
            await self._go_on(self._nobody_is_left, self.tally.began + self.plan.duration)
            self._stop()
            self.stage = "waiting for the last answers"
            await self._go_on(self._nothing_is_owed, self._clock() + DRAIN)
            is_drained = True
        finally:
            self._stop()
            now = self._clock()
            for link in self._links.values():
                # Ctrl-C cuts logins and commands that would have been answered: only long waits are reported then.
                if (is_drained or link.is_stuck(now)) and (awaited := link.awaited):
                    self.tally.wait_in_vain(awaited, link.player.last_text)
                link.sock.close()
            self._selector.close()

    @property
    def unanswered(self) -> int:
        """The number of measured commands without an answer."""
        return self.tally.due - self.tally.latency.count

    @property
    def online(self) -> int:
        """The number of players in the game."""
        return sum(link.player.is_in for link in self._links.values())

    # End conditions

    def _nobody_is_left(self) -> bool:
        return self._called == self.plan.players and not self._links

    def _are_settled(self) -> bool:
        now = self._clock()
        is_settled = (link.player.is_in or link.is_stuck(now) for link in self._links.values())
        return self._called == self.plan.players and all(is_settled)

    def _nothing_is_owed(self) -> bool:
        return all(link.player.owes_nothing for link in self._links.values())

    def _stop(self) -> None:
        if self.tally.ended == math.inf and self.tally.began < math.inf:
            self.tally.ended = self._clock()
        for link in self._links.values():
            link.player.stop()

    # The loop

    async def _go_on(self, is_over: Callable[[], bool], until: float) -> None:
        """Move bytes until the given time, or until `is_over` is true, which is checked at most ten times a second."""
        look_again = 0.0
        while (now := self._clock()) < until:
            self._call(now)
            self._wake(now)
            if now >= look_again:
                if is_over():
                    return
                look_again = now + 0.1
            moment = min(until, self._next_call(), self._moments[0][0] if self._moments else math.inf, look_again)
            with trio.move_on_at(moment):
                await trio.lowlevel.wait_readable(self._selector)
            for key, events in self._selector.select(0):
                self._serve(key.data, events)

    def _serve(self, link: _Link, events: int) -> None:
        if not link.stands:
            self._connected(link)
            return
        if events & _READ:
            try:
                data = link.sock.recv(RECEIVE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lose(link, _why(error))
                return
            if not data:
                words = link.player.last_words
                where = "" if link.player.is_in else ", before the player was in"
                self._lose(link, f"the server hung up{where}" + (f": {words}" if words else ""))
                return
            self.tally.bytes_in += len(data)
            link.player.hear(data, self._clock())
        self._flush(link)

    def _wake(self, now: float) -> None:
        while self._moments and self._moments[0][0] <= now:
            moment, number = heapq.heappop(self._moments)
            link = self._links.get(number)
            if link is None or moment != link.wakes:  # closed, or queued again for another time
                continue
            link.wakes = math.inf
            link.player.wake(self._clock())
            self._flush(link)

    def _flush(self, link: _Link) -> None:
        """Send the player's output, and queue the time of its next action."""
        data = link.player.data_to_send()
        if link.rest:
            data = link.rest + data
        if data:
            try:
                sent = link.sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(link, _why(error))
                return
            self.tally.bytes_out += sent
            was_full, link.rest = bool(link.rest), data[sent:]
            if was_full != bool(link.rest):
                self._selector.modify(link.sock, _READ | _WRITE if link.rest else _READ, link)
        moment = link.player.next_moment
        if moment < link.wakes:
            link.wakes = moment
            heapq.heappush(self._moments, (moment, link.player.number))

    # Connections

    async def _connect_first(self) -> None:
        """Find an address of the host that accepts connections."""
        asked = self._clock()
        sock: socket.socket | None = None
        with trio.move_on_after(PATIENCE):
            stream = await trio.open_tcp_stream(self.plan.host, self.plan.port)
            self._address = (socket.AddressFamily(stream.socket.family), stream.socket.getpeername())
            family, kind, protocol = stream.socket.family, stream.socket.type, stream.socket.proto
            sock = socket.socket(family, kind, protocol, stream.socket.detach())
        if sock is None:
            raise TimeoutError(f"no connection within {PATIENCE:g} s")
        self._called = 1
        link = self._links[1] = self._link(sock, asked)
        self._selector.register(sock, _READ, link)
        self._connected(link)

    def _next_call(self) -> float:
        """Return the time at which the next player connects."""
        if self._called == self.plan.players:
            return math.inf
        return self.began + self._called * self.plan.ramp_seconds / self.plan.players

    def _call(self, now: float) -> None:
        """Connect the players that are due."""
        while self._next_call() <= now:
            self._called += 1
            assert self._address is not None
            family, address = self._address
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                self.tally.lose(_why(error))
                continue
            sock.setblocking(False)
            link = self._links[self._called] = self._link(sock, now)
            self._selector.register(sock, _WRITE, link)
            error_number = sock.connect_ex(address)  # type: ignore[arg-type]  # as returned by getpeername
            if error_number and error_number not in _UNDER_WAY:
                self._lose(link, _why(OSError(error_number, os.strerror(error_number))))

    def _link(self, sock: socket.socket, asked: float) -> _Link:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number, plan = self._called, self.plan
        phase = (number - 1) / plan.players
        return _Link(LoadPlayer(number, plan.script, self.tally, rate=plan.rate, phase=phase), sock, asked)

    def _connected(self, link: _Link) -> None:
        error_number = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:
            self._lose(link, _why(OSError(error_number, os.strerror(error_number))))
            return
        now = self._clock()
        link.stands = True
        self.tally.connect(link.asked, now)
        self._selector.modify(link.sock, _READ, link)
        link.player.begin(now)
        self._flush(link)

    def _lose(self, link: _Link, why: str) -> None:
        self.tally.lose(why)
        del self._links[link.player.number]
        self._selector.unregister(link.sock)
        link.sock.close()


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
