"""The size of a load, and the resources it needs."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import Final

from ..errors import ConfigurationError
from .script import LoadScript

SPARE: Final = 64  # file descriptors needed besides the connections
RAMP_RATE: Final = 100.0  # connections per second by default; the accept rate of a trio_mud server


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The parameters of a load."""

    host: str
    port: int
    players: int = 10
    rate: float | None = None
    """Commands per second and player; None: each player waits for its answer and then for its think time."""
    ramp: float | None = None
    """Seconds in which the players connect; None: a hundred a second."""
    duration: float = 10.0
    """Seconds measured."""
    script: LoadScript = field(default_factory=LoadScript)

    @property
    def where(self) -> str:
        """The address of the server, for messages."""
        return f"{self.host} port {self.port}"

    @property
    def ramp_seconds(self) -> float:
        """The ramp, or its default."""
        return self.players / RAMP_RATE if self.ramp is None else self.ramp


def raise_descriptors(players: int) -> None:
    """Raise the limit of file descriptors so that this process can hold the connections.

    Raises:
        ConfigurationError: The hard limit is too low.
    """
    needed = players + SPARE
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if most != resource.RLIM_INFINITY and most < needed:
            raise ConfigurationError(
                f"{players} players need {needed} file descriptors, and this process may have {most}:"
                f" take {max(1, most - SPARE)} players, or raise the hard limit (ulimit -Hn {needed}, as root)"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
