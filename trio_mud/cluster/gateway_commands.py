"""The commands of an operator at a gateway, for `trio-mud admin`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..driver.server.operator import ConsoleOperator
from ..driver.server.server import MasterServer

__all__ = ["GatewayState", "describe_world", "obey_operator"]

HELP = """\
status      also whether a world serves and answers, the spares, and how many lines of players wait
waiting     the players whose input no world has handled yet, and how much of each
drop NUMBER forget what the connection of this number has typed, if it ends each world that handles it
shutdown    end this gateway: its players are disconnected, and may return by another one"""


class GatewayState(Protocol):
    """The gateway's service, as far as its operator reads it."""

    @property
    def epoch(self) -> int:
        """The epoch of the current world; 0 before the first one."""
        ...

    @property
    def has_world(self) -> bool | None:
        """True if a world serves; None if the cluster link cannot tell."""
        ...

    @property
    def spares(self) -> int | None:
        """The number of worlds that wait to take over; None if the cluster link cannot tell."""
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

    def drop_input(self, number: int) -> int:
        """Drop the input of a connection that no world has handled; return the number of lines and messages."""
        ...


def describe_world(gateway: GatewayState) -> str:
    """Return whether a world serves and answers, for an operator."""
    if gateway.has_world is False:
        return "no world serves: players stay connected, and their input waits"
    if not gateway.epoch:
        return "no world has joined this gateway yet: visitors wait"
    if gateway.is_silent:
        return f"the world, of epoch {gateway.epoch}, does not answer: players stay connected, and their input waits"
    return f"the world, of epoch {gateway.epoch}, serves"


def obey_operator(gateway: GatewayState, server: MasterServer, operator: ConsoleOperator, command: str) -> None:
    """Obey one command."""
    match command.split():
        case ["status"]:
            operator.write(describe_world(gateway))
            if (spares := gateway.spares) is not None:
                ready = {0: "no spare is ready", 1: "1 spare is ready"}.get(spares, f"{spares} spares are ready")
                operator.write(f"{ready} to take over")
            operator.write(f"lines and messages of players that are not handled yet: {gateway.unacknowledged}")
        case ["waiting"]:
            operator.write("\n".join(gateway.waiting()) or "nobody waits for the world")
        case ["drop", word] if word.removeprefix("#").isdecimal():
            number = int(word.removeprefix("#"))
            if dropped := gateway.drop_input(number):
                operator.write(f"lines and messages of connection #{number} that no world will handle: {dropped}")
            else:
                operator.fail(f"nothing of a connection #{number} waits for the world; `waiting` lists the numbers")
        case ["shutdown"]:
            operator.write("the gateway ends")
            server.shutdown()
        case ["help"]:
            operator.write(HELP)
        case _:
            operator.fail(f"a gateway has no such command; `help` lists its commands: {command!r}")
