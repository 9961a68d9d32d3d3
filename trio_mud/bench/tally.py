"""The measurements of a load: counts and durations of bounded size, shared by all its players."""

from __future__ import annotations

import math
from collections import Counter

from .histogram import Histogram

KINDS_OF_LOSS = 20  # reasons counted separately; a server may close each connection with another text
ELSE = "for other reasons"


class LoadTally:
    """Counts events reported by the players.

    Only commands that were due within the measured time are counted: between `began` and `ended`.

    Attributes:
        latency: From the time a command was due until its answer.
        late: From the time a command was due until it was sent, because the load was late or waited for an answer.
        connecting: From the first packet until the connection was established.
        lost: Connections that failed or were closed, by reason.
        stuck: Players without a connection, an answer or a complete login at the end, by what they lacked.
    """

    def __init__(self) -> None:
        self.latency = Histogram()
        self.late = Histogram()
        self.connecting = Histogram()
        self.lost: Counter[str] = Counter()
        self.stuck: Counter[str] = Counter()
        self.last_texts: dict[str, str] = {}  # received by the first player that waited for each of these
        self.connected = 0
        self.first_connect = math.inf
        self.last_connect = -math.inf
        self.logged_in = 0
        self.due = 0  # commands
        self.not_sent = 0  # of these, because too many answers were outstanding
        self.bytes_in = 0
        self.bytes_out = 0
        self.began = math.inf
        self.ended = math.inf

    def counts(self, due: float) -> bool:
        """True if a command that was due at this time is measured."""
        return self.began < due < self.ended  # one that was due at its beginning may have been sent before it

    def connect(self, asked: float, now: float) -> None:
        """Record an established connection."""
        self.connected += 1
        self.connecting.record(now - asked)
        self.first_connect = min(self.first_connect, asked)
        self.last_connect = max(self.last_connect, now)

    def send(self, due: float, now: float, *, is_sent: bool = True) -> None:
        """Record a command that was due, and is sent now or not at all."""
        if self.counts(due):
            self.due += 1
            self.late.record(now - due)
            self.not_sent += not is_sent

    def answer(self, due: float, now: float) -> None:
        """Record the answer to the command that was due at this time."""
        if self.counts(due):
            self.latency.record(now - due)

    def lose(self, why: str) -> None:
        """Record a connection that failed or was closed."""
        self.lost[why if why in self.lost or len(self.lost) < KINDS_OF_LOSS else ELSE] += 1

    def wait_in_vain(self, awaited: str, last_text: str) -> None:
        """Record what a player lacks at the end, and the last text that it received."""
        self.stuck[awaited] += 1
        self.last_texts.setdefault(awaited, last_text)
