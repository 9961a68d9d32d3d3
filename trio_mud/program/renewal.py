"""A reload reads the configuration again: it takes over what it can, and names what needs a restart.

Used by `serving`, for `server.reload()` and SIGHUP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..driver.server.events import Reloaded
from ..driver.server.server import MasterServer
from ..errors import ConfigurationError, ReloadFailed
from .effective import Effective
from .logs import level_of
from .settings import RELOADABLE, SETTINGS, shown

__all__ = ["renew_with_code", "take_over"]

logger = logging.getLogger("trio_mud")


def renew_with_code(server: MasterServer, running: Effective, reread: Callable[[], Effective]) -> None:
    """Let each reload of the server's game read the configuration, too; a wrong one fails it before it begins.

    Args:
        server: A server whose game can be reloaded.
        running: The configuration that it was started with.
        reread: Returns the configuration as it is now.
    """
    reload_code = server._reload
    assert reload_code is not None

    async def reload() -> Reloaded:
        try:
            found = reread()
        except ConfigurationError as error:
            raise ReloadFailed(f"the configuration is wrong: {error}") from None
        done = await reload_code()
        take_over(found, running)
        return done

    server._reload = reload


def take_over(found: Effective, running: Effective) -> None:
    """Set the level of the log as configured now, and log all other changes, which need a restart."""
    root, level = logging.getLogger(), level_of(found.configuration.log.level)
    root.setLevel(min(root.level, level))  # a higher one does not hide the lines below
    for key, setting in SETTINGS.items():
        value = found.value(key)
        if key not in RELOADABLE and value != running.value(key):
            logger.warning(
                "%s: %s = %s needs a restart; until then it is %s",
                found.source(key),
                key,
                shown(setting, value),
                shown(setting, running.value(key)),
            )
    root.setLevel(level)
