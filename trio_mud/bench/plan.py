"""How large a load is, and what the machine must grant for it."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import Final

from ..errors import ConfigurationError
from .script import Script

SPARE: Final = 64  # descriptors that the process needs beside its connections
RAMP_RATE: Final = 100.0  # connections a second where nothing else is said; what a server of trio_mud accepts


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `Load` shall do."""

    host: str
    port: int
    players: int = 10
    rate: float | None = None
    """Commands a second of each player; None: each waits for its answer and thinks."""
    ramp: float | None = None
    """Seconds in which the players connect; None: a hundred a second."""
    duration: float = 10.0
    """Seconds measured."""
    script: Script = field(default_factory=Script)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.host} port {self.port}"

    @property
    def ramp_seconds(self) -> float:
        """The ramp, or what stands for it."""
        return self.players / RAMP_RATE if self.ramp is None else self.ramp


def raise_descriptors(players: int) -> None:
    """See to it that this process may hold so many connections.

    Raises:
        ConfigurationError: It may not.
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
