"""The tails that a world asks its gateways for, since clients have returned by other ones.

Used by `world.WorldService`, and by each `RemoteLink`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from ..driver.link.tail import Tail
from .known_gateways import KnownGateways
from .remote_output import RemoteOutput
from .wire import Down, TailMoved, TailWanted


class WantedTails:
    """The tails that a world waits for, and the links that wait with it.

    Args:
        gateways: The gateways that the world knows.
        send: Queues a message for a gateway.
    """

    def __init__(self, gateways: KnownGateways, send: Callable[[str, Down], object]) -> None:
        self._gateways = gateways
        self._send = send
        self._links: dict[tuple[str, int], RemoteOutput] = {}  # by the gateway that has the tail, and its number

    def __len__(self) -> int:
        return len(self._links)

    def bring(self, link: RemoteOutput, tail: Tail) -> bool:
        """Ask the gateway that has a tail for it, unless it is the link's own; return True if the link is to wait."""
        holder, here = tail.holder, (link.gateway, self._gateways.incarnation_of(link.gateway))
        tail.holder = here
        if holder is None or holder == here:
            return False
        gateway, incarnation = cast("tuple[str, int]", holder)
        self._links[gateway, tail.number] = link
        if self._gateways.serves(gateway, incarnation):
            self._send(gateway, TailWanted(tail.number))
        else:
            self._lose(gateway, tail.number)
        return True

    def pass_on(self, gateway: str, moved: TailMoved) -> None:
        """Pass a tail that a gateway has given to the link that waits for it."""
        link = self._links.pop((gateway, moved.tail), None)
        if link is not None:
            link.take_tail(moved)

    def ask_again(self, gateway: str) -> None:
        """Repeat the requests to a gateway: the earlier ones, or their answers, may be lost."""
        for name, tail in self._links:
            if name == gateway:
                self._send(gateway, TailWanted(tail))

    def lose_gateway(self, gateway: str) -> None:
        """Stop waiting for the tails of a gateway that is given up; their links send what has waited."""
        for name, tail in [wanted for wanted in self._links if wanted[0] == gateway]:
            self._lose(name, tail)

    def forget(self, link: RemoteOutput) -> None:
        """Wait no longer for a tail of a closed link."""
        for wanted in [wanted for wanted, one in self._links.items() if one is link]:
            del self._links[wanted]

    def _lose(self, gateway: str, tail: int) -> None:
        self.pass_on(gateway, TailMoved(tail, -1, b""))
