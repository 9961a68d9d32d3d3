"""What a crowd of players has seen: counts and durations, all of bounded size. Many players write into one."""

from __future__ import annotations

import math
from collections import Counter

from .histogram import Histogram

KINDS_OF_LOSS = 20  # told apart; a server may give each player words of its own
ELSE = "for other reasons"


class Tally:
    """Counts what the players report.

    Only commands due within the measured time are counted: from `begin` to `end`.

    Attributes:
        latency: From the moment a command was due until its answer.
        late: From the moment a command was due until it was sent: the load's own fault, or an answer waited for.
        connecting: From the first packet until the connection stood.
        lost: Connections that could not be made or did not last, by why.
    """

    def __init__(self) -> None:
        self.latency = Histogram()
        self.late = Histogram()
        self.connecting = Histogram()
        self.lost: Counter[str] = Counter()
        self.connected = 0
        self.first_connect = math.inf
        self.last_connect = -math.inf
        self.logged_in = 0
        self.due = 0  # commands
        self.not_sent = 0  # of these: too many answers were owed already
        self.bytes_in = 0
        self.bytes_out = 0
        self.began = math.inf
        self.ended = math.inf

    def counts(self, due: float) -> bool:
        """Whether a command that was due then is one of the measured ones."""
        return self.began <= due < self.ended

    def connect(self, asked: float, now: float) -> None:
        """A connection stands."""
        self.connected += 1
        self.connecting.record(now - asked)
        self.first_connect = min(self.first_connect, asked)
        self.last_connect = max(self.last_connect, now)

    def send(self, due: float, now: float, *, is_sent: bool = True) -> None:
        """A command was due, and is sent only now, or not at all."""
        if self.counts(due):
            self.due += 1
            self.late.record(now - due)
            self.not_sent += not is_sent

    def answer(self, due: float, now: float) -> None:
        """The command that was due then is answered."""
        if self.counts(due):
            self.latency.record(now - due)

    def lose(self, why: str) -> None:
        """A connection is lost, or was never made."""
        self.lost[why if why in self.lost or len(self.lost) < KINDS_OF_LOSS else ELSE] += 1
