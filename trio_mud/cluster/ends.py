"""The two ends of a cluster link, which carries frames between gateways and one world.

A cluster link knows no message. It delivers the frames of each sender in order, and after trouble a frame may come
twice. `trio_mud.testing.memory_cluster` is one in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ..errors import TrioMudError


class Fenced(Exception):
    """Another world has claimed the cluster link: nothing of this one counts any more."""


class Forgotten(Exception):
    """The cluster link has lost its data: claim again, and ask the gateways for what they hold.

    Args:
        is_kept: True if the commit may have been delivered before: the end keeps its frames, and delivers them with
            the next commit to the gateways that do not have them.
    """

    def __init__(self, *, is_kept: bool = False) -> None:
        super().__init__("the cluster link has lost its data")
        self.is_kept = is_kept


class LinkUnavailable(TrioMudError):
    """The cluster link cannot be reached, or refuses this process. The message says why, and what to do.

    Args:
        text: The message.
        status: The exit status of a program that ends by it.

    Attributes:
        status: `MAY_WORK_LATER` or `NEEDS_CHANGE`.
    """

    MAY_WORK_LATER: Final = 75  # EX_TEMPFAIL of sysexits.h: a supervisor may retry
    NEEDS_CHANGE: Final = 2  # as for a wrong configuration

    def __init__(self, text: str, status: int = MAY_WORK_LATER) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that a world has to say since the last commit, delivered as a whole or not at all.

    The acknowledgement of a line is in the same commit as the output that the line caused.

    Attributes:
        number: Its number in this epoch; a commit whose number was seen before does nothing.
        frames: The frames for each gateway, by its name.
        held: The changes of the state that is held for the next world, by key: a value replaces the one
            held under that key, and None removes it. `HeldState` holds it in memory.
    """

    number: int
    frames: Mapping[str, Sequence[bytes]]
    held: Mapping[bytes, bytes | None] = field(default_factory=dict)


class HeldState:
    """What a cluster link in memory holds for the next world."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def apply(self, commit: Commit) -> None:
        """Hold what a commit leaves to be held."""
        for key, value in commit.held.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def all(self) -> dict[bytes, bytes]:
        """Return everything that is held."""
        return dict(self._values)


class GatewayEnd(Protocol):
    """The gateway's end."""

    @property
    def has_world(self) -> bool | None:
        """True if a world serves; None if this end cannot tell, and only its answers show it."""
        ...

    @property
    def spares(self) -> int | None:
        """The number of worlds that wait to take over; None if this end cannot tell."""
        ...

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send frames; return once the cluster link has them. Called by one task."""
        ...

    async def run(self, receive: Callable[[bytes], object]) -> None:
        """Deliver the world's frames in order, until cancelled."""
        ...


class WorldEnd(Protocol):
    """The world's end.

    Attributes:
        epoch: Greater for each world that has claimed; 0 before. It is at least the time of the claim in milliseconds
            since 1970, so that it also grows when the cluster link has lost its data: databases are fenced by it.
        heartbeat: Seconds after which the world commits even if it has nothing to say.
    """

    epoch: int
    heartbeat: float

    async def claim(self) -> Mapping[bytes, bytes]:
        """Become the only world, with a new epoch; wait as long as another one serves.

        From here on the end keeps the place of this world by itself, also before `run`: the game is loaded meanwhile.

        Returns:
            Everything that the commits of earlier worlds have left to be held.

        Raises:
            Fenced: This one has served before, and another world has claimed since.
            LinkUnavailable: The cluster link cannot be used, or another world serves and this one does not wait.
        """
        ...

    async def gateways(self) -> Sequence[str]:
        """Return the names of the gateways that are alive."""
        ...

    async def run(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the gateways' frames in order, until cancelled.

        Args:
            receive: Called with at least one frame.
            lost: Called with the name of a gateway that is given up.

        Raises:
            Fenced: Another world has claimed; an end that cannot notice it here leaves it to `commit`.
        """
        ...

    async def commit(self, commit: Commit) -> None:
        """Deliver the frames of a commit, and hold what it leaves to be held, as one step. Called by one task.

        Raises:
            Fenced: Another world has claimed, and nothing was delivered.
            Forgotten: The cluster link has lost its data, also what it held, and nothing was delivered, unless the
                exception says otherwise.
        """
        ...

    async def release(self) -> None:
        """Let another world claim at once."""
        ...
