"""The acceptor: one accept loop for each listener, as long as the server accepts connections.

After a failed accept it retries at once, retries after a pause, or raises, depending on the errno.
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

# accept(2) on Linux also reports errors of the new connection, which are no errors of the listener: accept again.
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
_REST: Final = 0.1  # seconds of pause without descriptors: accept(2) would fail at once as long as a peer waits


class Acceptor:
    """The listeners of one server. Owns them and closes them.

    Args:
        listeners: Listeners of this package, or any of trio's.
        limits: The limits of the accept rate and of cleanup.
        may_connect: Called with the transport of each accepted peer; False closes it at once.
        on_accept: Called with the transport of each other peer.
        count: Called with the name of a counter for each failure.
    """

    def __init__(
        self,
        listeners: Sequence[AnyListener],
        limits: Limits,
        *,
        may_connect: Callable[[Transport], bool],
        on_accept: Callable[[Transport], None],
        count: Callable[[str], None],
    ) -> None:
        self._listeners = [_ours(listener, limits.dead_peer_timeout) for listener in listeners]
        self._limits = limits
        self._may_connect = may_connect
        self._on_accept = on_accept
        self._count = count
        self._scope = trio.CancelScope()
        self._full_at = -math.inf
        self._last_warning = -math.inf

    def close(self) -> None:
        """Stop accepting. Existing connections are not affected."""
        self._scope.cancel(reason="the server has stopped accepting")

    @enable_ki_protection
    async def run(self, opened: Callable[[], None]) -> None:
        """Accept until `close` is called, then close the listeners. A failure to close is logged.

        Args:
            opened: Called once accepting has begun, even if `close` was called before.

        Raises:
            OSError: A listener failed permanently.
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
                    with trio.move_on_after(self._limits.cleanup_timeout):
                        await listener.aclose()
                except Exception:
                    logger.exception("a listener failed to close")

    @enable_ki_protection
    async def _accept_from(self, listener: Listener) -> None:
        rate = self._limits.accept_rate
        while True:
            try:
                transport = await listener.accept()
            except OSError as error:
                await self._bear(error)
                continue
            if not self._may_connect(transport):
                with trio.CancelScope(shield=True):  # nothing here waits
                    await run_guarded(close_forcefully, _did_not_close, transport)
                continue
            self._on_accept(transport)
            if rate is not None:
                # After a restart all players reconnect at once and none of them is at fault: the loop sleeps, and
                # the kernel keeps the others in its backlog.
                self._full_at, wait = rate.spend(self._full_at, trio.current_time())
                if wait:
                    await trio.sleep(wait)
            # Not `sleep(0)`: TCP's listener decides how many peers come before all other tasks run.
            await trio.lowlevel.checkpoint_if_cancelled()

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
            logger.error("cannot accept connections: %s; raise `ulimit -n` or lower limits.max_connections", error)
        await trio.sleep(_REST)


async def close_forcefully(transport: Transport) -> None:
    """Close a transport at once. The method is looked up inside the call, since a game's transport may lack it."""
    await transport.aclose_forcefully()


def _did_not_close(error: BaseException) -> None:
    log_error(error, "the transport of a connection that is not served failed to close")


def _ours(listener: AnyListener, dead_peer: float | None) -> Listener:
    """Return the listener, wrapped if it is one of trio's."""
    if isinstance(listener, trio.SocketListener) and listener.socket.family in (socket.AF_INET, socket.AF_INET6):
        return take_over(listener, dead_peer=dead_peer)
    if isinstance(listener, trio.abc.Listener):
        return StreamListener(listener)
    return listener
