"""The watch of a server that is started from the shell, as its configuration has it.

Used by `serving`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from ..driver.server.places import CannotListen
from ..driver.server.running import Lifespan
from ..driver.server.server import MasterServer
from ..transports.tcp import open_tcp_listeners
from ..transports.tls import Certificate
from ..web import open_watch
from ..world import World
from .config import WatchOptions

__all__ = ["watching", "within_all"]


def watching(
    options: WatchOptions,
    certificate: Certificate | None,
    announce: Callable[[str], object],
    unready: Callable[[], str] = lambda: "",
) -> Lifespan:
    """Return what surrounds a server with a watch, outside its storage, so that it reports also the last save.

    Args:
        options: The settings.
        certificate: The certificate of the server.
        announce: Called with the address of the admin page.
        unready: As for `open_watch`.
    """

    @asynccontextmanager
    async def watch_server(server: MasterServer) -> AsyncGenerator[None]:
        if (port := options.port) is None:
            yield
            return

        def trouble() -> object:
            return server.world.store.error if isinstance(server.world, World) else None

        try:
            listeners = await open_tcp_listeners(port, host=options.host, dead_peer=server.limits.dead_peer_timeout)
        except OSError as error:
            raise CannotListen(options.host, port, "watch_port", error, host_parameter="watch_host") from error
        async with open_watch(
            server,
            listeners=listeners,
            token=options.token,
            names=(options.host, *options.names),
            certificate=certificate,
            trouble=trouble,
            unready=unready,
            announce=announce,
        ):
            yield

    return watch_server


def within_all(lifespans: Sequence[Lifespan]) -> Lifespan:
    """Return a lifespan within all of these, the first outermost."""

    @asynccontextmanager
    async def enter_all(server: MasterServer) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for lifespan in lifespans:
                await stack.enter_async_context(lifespan(server))
            yield

    return enter_all
