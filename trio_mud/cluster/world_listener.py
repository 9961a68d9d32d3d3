"""The listener of a world: its peers are the connections at the gateways.

Used by `world.WorldService`, and passed to `MasterServer.serve`.
"""

from __future__ import annotations

import math
from typing import cast

import trio

from ..driver.core.events import Cause
from ..driver.link.base import LinkHost
from ..driver.sessions.restoring import Continuation
from ..transports import Transport
from .remote_link import RemoteLink


class RemoteTransport:
    """The transport that the listener returns, as far as the server uses one that makes its own link.

    Attributes:
        address: The peer's host.
        continues: How it continues a session of an earlier world; None for any other.
    """

    __slots__ = ("_link", "address", "continues")

    def __init__(self, link: RemoteLink, continues: Continuation | None = None) -> None:
        self._link: RemoteLink | None = link
        self.address = link.address
        self.continues = continues

    def make_link(self, host: LinkHost) -> RemoteLink:
        """Return the link, and forget it: the accept loop keeps its last transport."""
        link, self._link = self._link, None
        assert link is not None, "it is made once"
        link.attach_host(host)
        return link

    def dismiss(self, why: Cause) -> None:
        """Report to the gateway that the connection is not accepted."""
        if self._link is not None:
            self._link.dismiss(why)

    async def aclose_forcefully(self) -> None:
        """Dismiss the connection."""
        self.dismiss(Cause.TOO_MANY)
        await trio.lowlevel.checkpoint()


class WorldListener:
    """The listener of a world: its peers are the connections at the gateways."""

    def __init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[RemoteTransport](math.inf)

    def arrive(self, link: RemoteLink, continues: Continuation | None) -> None:
        """Queue a connection to be accepted, and how it continues a session of an earlier world."""
        try:
            self._put.send_nowait(RemoteTransport(link, continues))
        except trio.BrokenResourceError:
            link.dismiss(Cause.SHUTDOWN)

    async def accept(self) -> Transport:
        """Return the next connection."""
        return cast("Transport", await self._get.receive())

    async def aclose(self) -> None:
        """Dismiss the connections that were not accepted, and all later ones."""
        while True:
            try:
                self._get.receive_nowait().dismiss(Cause.SHUTDOWN)
            except (trio.WouldBlock, trio.ClosedResourceError):
                break
        self._get.close()
        await trio.lowlevel.checkpoint()
