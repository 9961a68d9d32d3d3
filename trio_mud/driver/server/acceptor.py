"""The acceptor: one accept loop for each listener, for as long as the server takes connections.

What a failed accept means is decided here: go on at once, go on after a rest, or give up and say so.
"""

from __future__ import annotations

import errno
import logging
import math
import socket
from collections.abc import Callable, Sequence
from typing import Final

import trio
from trio.lowlevel import enable_ki_protection

from ...limits import Limits
from ...transports import Listener, Transport
from ...transports.streams import StreamListener
from ...transports.tcp import take_over
from ..core.guard import log_error, run_guarded

logger = logging.getLogger("trio_mud")

AnyListener = Listener | trio.abc.Listener[trio.abc.Stream]

_GONE_BEFORE_ACCEPT: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
        errno.ETIMEDOUT,
    }
)
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REST: Final = 0.1  # seconds before accepting is tried again when the machine has no descriptor left


class Acceptor:
    """The listeners of one server. Owns them, and closes them.

    Args:
        listeners: Ours, or any of trio's.
        limits: For the pace of accepting.
        may_connect: Called with the address of each peer that came; False closes it at once.
        on_accept: Called with the transport of each other peer.
        count: Called with a word for each accept that failed.
    """

    def __init__(
        self,
        listeners: Sequence[AnyListener],
        limits: Limits,
        *,
        may_connect: Callable[[str], bool],
        on_accept: Callable[[Transport], None],
        count: Callable[[str], None],
    ) -> None:
        self._listeners = [_ours(listener, limits.dead_peer) for listener in listeners]
        self._limits = limits
        self._may_connect = may_connect
        self._on_accept = on_accept
        self._count = count
        self._scope = trio.CancelScope()
        self._spent_until = -math.inf
        self._last_warning = -math.inf

    def close(self) -> None:
        """Accept no more connections. Those that there are stay."""
        self._scope.cancel(reason="the server accepts no more")

    @enable_ki_protection
    async def run(self, opened: Callable[[], None]) -> None:
        """Accept until `close`, then close the listeners, whatever they make of it.

        Args:
            opened: Called once accepting has begun; also if it was closed before that.

        Raises:
            OSError: A listener failed for good.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as loops:
                    for listener in self._listeners:
                        loops.start_soon(self._accept_from, listener, name="trio_mud listener")
                    opened()
                    await trio.sleep_forever()
        finally:
            for listener in self._listeners:
                try:
                    with trio.move_on_after(self._limits.cleanup):
                        await listener.aclose()
                except Exception:
                    logger.exception("a listener did not close")

    @enable_ki_protection
    async def _accept_from(self, listener: Listener) -> None:
        rate = self._limits.accept_rate
        while True:
            try:
                transports = await listener.accept()
            except OSError as error:
                await self._bear(error)
                continue
            refused = []
            for transport in transports:
                self._count("accepted")
                if self._may_connect(transport.address):
                    self._on_accept(transport)
                else:
                    refused.append(transport)
            if refused:
                await self._close_refused(refused)
            if rate is not None and (accepted := len(transports) - len(refused)):
                self._spent_until, wait = rate.spend(self._spent_until, trio.current_time(), accepted)
                await trio.sleep(wait)

    async def _close_refused(self, transports: Sequence[Transport]) -> None:
        """Close peers that came too fast. It waits for nothing, so it may be shielded."""
        with trio.CancelScope(shield=True):
            for transport in transports:
                self._count("closed by rate")
                await run_guarded(transport.aclose_forcefully, _did_not_close)

    async def _bear(self, error: OSError) -> None:
        if error.errno in _GONE_BEFORE_ACCEPT:
            self._count("gone before accepted")
            return
        if error.errno not in _OUT_OF_RESOURCES:
            raise error
        self._count("accepts without resources")
        now = trio.current_time()
        if now - self._last_warning >= (self._limits.log_interval or 0):
            self._last_warning = now
            logger.error("cannot accept connections: %s; raise `ulimit -n` or lower limits.connections", error)
        await trio.sleep(_REST)


def _did_not_close(error: BaseException) -> None:
    log_error(error, "the transport of a peer that came too fast did not close")


def _ours(listener: AnyListener, dead_peer: float | None) -> Listener:
    """Any listener as one of ours."""
    if isinstance(listener, trio.SocketListener) and listener.socket.family in (socket.AF_INET, socket.AF_INET6):
        return take_over(listener, dead_peer=dead_peer)
    if isinstance(listener, trio.abc.Listener):
        return StreamListener(listener)
    return listener
