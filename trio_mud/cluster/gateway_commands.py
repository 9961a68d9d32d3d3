"""The commands of an operator at a gateway, for `trio-mud admin`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..driver.server.operator import ConsoleOperator
from ..driver.server.server import MasterServer

__all__ = ["GatewayState", "obey_operator"]

HELP = """\
status      also the epoch of the world, and what waits for it
waiting     the connections with input that the world has not taken
shutdown    end this gateway; its players may return by another one"""


class GatewayState(Protocol):
    """The gateway's service, as far as its operator reads it."""

    @property
    def epoch(self) -> int:
        """The epoch of the current world; 0 before the first one."""
        ...

    @property
    def is_silent(self) -> bool:
        """True while the world does not answer."""
        ...

    @property
    def unacknowledged(self) -> int:
        """The number of lines and messages that the world has not taken."""
        ...

    def waiting(self) -> Iterable[str]:
        """Describe each connection that waits for the world."""
        ...


def obey_operator(gateway: GatewayState, server: MasterServer, operator: ConsoleOperator, command: str) -> None:
    """Obey one command."""
    match command:
        case "status":
            answers = "does not answer" if gateway.is_silent else "answers"
            world = f"the world of epoch {gateway.epoch} {answers}" if gateway.epoch else "no world has been here yet"
            operator.write(f"{world}; {gateway.unacknowledged} lines and messages wait for it")
        case "waiting":
            for line in gateway.waiting():
                operator.write(line)
        case "shutdown":
            operator.write("the gateway ends")
            server.shutdown()
        case "help":
            operator.write(HELP)
        case _:
            operator.fail(f"a gateway has no such command; `help` lists its commands: {command!r}")
