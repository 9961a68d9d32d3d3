"""The settings of a world that its gateways repeat: the bans, and the variables for MUD listings.

Used by `world.WorldService`, which sends them to each gateway that it greets, and after each change.
"""

from __future__ import annotations

import itertools
import logging
import math

from ..driver.link.bans import Ban
from ..driver.link.base import LinkHost
from .wire import MAX_LISTED, Listed, NetworkAllowed, NetworkBanned, phrase


def ban_message(change: Ban | str) -> NetworkBanned | NetworkAllowed:
    """Return the message for a ban, or for the network whose ban is lifted."""
    if isinstance(change, str):
        return NetworkAllowed(change)
    return NetworkBanned(change.network, phrase(change.text), change.seconds if change.seconds < math.inf else -1.0)


class Listing:
    """The variables for MUD listings, as they were sent last.

    Attributes:
        message: The message for a gateway; None before the first.
    """

    def __init__(self) -> None:
        self.message: Listed | None = None

    def update(self, host: LinkHost) -> Listed | None:
        """Read the variables of a server; return the message if it is another one now."""
        try:
            variables = {
                phrase(name): phrase(str(value))
                if isinstance(value, str | int)
                else tuple(phrase(str(item)) for item in itertools.islice(value, MAX_LISTED))
                for name, value in itertools.islice(host.mssp_variables().items(), MAX_LISTED)
            }
        except Exception as error:  # noqa: BLE001 - values of the game
            text = "the variables for MUD listings cannot be sent to the gateways; check server.mssp"
            host.context.repeats.log(logging.ERROR, text, kind="listing", summary=text, error=error)
            return None
        before, self.message = self.message, Listed(variables)
        return self.message if self.message != before else None
