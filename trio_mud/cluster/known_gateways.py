"""The gateways that a world knows: their incarnations, the rolls that it has asked them for, and their last frames.

Decides which frames are for this world, and which gateway is to be asked for its roll. Without I/O.
Used by `world.WorldService`.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .frames import UpFrame

MOST_SUPERSEDED: Final = 16  # earlier incarnations of one gateway that are known


class KnownGateways:
    """The gateways that a world knows.

    Attributes:
        rolls: The number of the last roll that each one was asked for. One that is given up is not in it.
        rolling: The connections that each one has named so far, while its roll is not over.
    """

    def __init__(self) -> None:
        self.rolls: dict[str, int] = {}
        self.rolling: dict[str, set[int]] = {}
        self._last_roll = 0
        self._greeted: set[str] = set()  # those that are asked for their roll by the next commit
        self._incarnations: dict[str, int] = {}
        self._superseded: dict[str, deque[int]] = {}  # the earlier incarnations of each one
        self._received: dict[str, tuple[int, int]] = {}  # the incarnation and number of the last frame of each one

    # Frames

    def is_superseded(self, frame: UpFrame) -> bool:
        """True if the gateway has started again since it sent this frame."""
        return frame.incarnation in self._superseded.get(frame.gateway, ())

    def has_restarted(self, frame: UpFrame) -> bool:
        """True if the frame is the first one of a gateway that has started again."""
        return self._incarnations.get(frame.gateway, frame.incarnation) != frame.incarnation

    def meet(self, frame: UpFrame) -> bool:
        """Take note of the incarnation of a frame; return True if its gateway is to be asked for its roll.

        Any frame may show that: a gateway that was given up sends an old one again.
        """
        gateway = frame.gateway
        # It knows no world, but its name was greeted, perhaps when an earlier process had it.
        was_missed = gateway not in self._incarnations and not frame.epoch and gateway not in self._greeted
        self._incarnations[gateway] = frame.incarnation
        return gateway not in self.rolls or was_missed

    def note_frame(self, frame: UpFrame) -> bool:
        """Take note of the number of a frame; return False if the frame, or a later one, was received before."""
        if not frame.number:
            return True
        incarnation, number = self._received.get(frame.gateway, (0, 0))
        if incarnation == frame.incarnation and frame.number <= number:
            return False
        self._received[frame.gateway] = frame.incarnation, frame.number
        return True

    def follows_roll(self, frame: UpFrame) -> bool:
        """True if the gateway sent the frame after the last roll that it was asked for, or with it."""
        return frame.roll == self.rolls[frame.gateway]

    # Rolls

    def begin_roll(self, gateway: str) -> int:
        """Return the number of another roll that a gateway is asked for by the next commit."""
        self._last_roll += 1
        self._greeted.add(gateway)
        self.rolls[gateway] = self._last_roll
        self.rolling[gateway] = set()
        return self._last_roll

    def take_greeted(self) -> set[str]:
        """Return the gateways that are asked for their rolls by the commit that is made now."""
        greeted, self._greeted = self._greeted, set()
        return greeted

    def name(self, gateway: str, number: int) -> None:
        """Take note of a connection that a gateway names; it may belong to its roll."""
        if (named := self.rolling.get(gateway)) is not None:
            named.add(number)

    def end_roll(self, gateway: str) -> set[int] | None:
        """Return the connections that a roll has named; None if the gateway was not asked for one."""
        return self.rolling.pop(gateway, None)

    # Gateways

    def incarnation_of(self, gateway: str) -> int:
        """Return the incarnation of a gateway; 0 if that is unknown."""
        return self._incarnations.get(gateway, 0)

    def incarnations(self) -> dict[str, int]:
        """Return the incarnation of each gateway at this moment."""
        return self._incarnations.copy()

    def serves(self, gateway: str, incarnation: int) -> bool:
        """True if this incarnation of a gateway runs, and is not given up."""
        return gateway in self.rolls and self._incarnations.get(gateway) == incarnation

    def give_up(self, gateway: str) -> None:
        """Take note that a gateway gives no sign of life; it may be alive."""
        self.rolls.pop(gateway, None)
        self.rolling.pop(gateway, None)

    def supersede(self, gateway: str) -> None:
        """Take note that a gateway has ended: another one of its name has started."""
        self.give_up(gateway)
        if (incarnation := self._incarnations.pop(gateway, None)) is not None:
            self._superseded.setdefault(gateway, deque(maxlen=MOST_SUPERSEDED)).append(incarnation)
