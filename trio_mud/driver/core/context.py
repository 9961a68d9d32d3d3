"""The shared parts of a server, passed to its other parts in place of the server itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ...limits import Limits
from ...texts import Texts
from .dispatcher import Dispatcher
from .failures import RepeatLimiter
from .timers import Timers


@dataclass(frozen=True, slots=True)
class Context:
    """The shared parts of one server. Knows no socket and no player.

    Attributes:
        limits: Every bound and deadline.
        texts: Every sentence that the driver sends to players.
        counters: How often each thing happened, by a short description.
        timers: The heap of deadlines, on trio's clock.
        repeats: Logs failures that a peer can cause, at most once per `log_interval`.
        dispatcher: Runs the hooks; sources queue themselves with it.
        wall_clock: Returns seconds since 1970; for display and `daily` only, never for deadlines.
    """

    limits: Limits
    texts: Texts
    counters: Counter[str]
    timers: Timers
    repeats: RepeatLimiter
    dispatcher: Dispatcher
    wall_clock: Callable[[], float]
