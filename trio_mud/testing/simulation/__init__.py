"""A complete server in a simulated world: misbehaving players, network, game and operator, and invariants to check.

    outcome = simulate(4711)
    assert not outcome.violations

A seed determines everything: the players, their networks and lines, the faults, and the order in which tasks run. The
same seed gives the same run on every supported Python: `outcome.digest` is equal.
`python -m trio_mud.testing.simulate` plays many seeds, also with your own game.
"""

from .batches import BatchTally, first_caught, in_fork, run_batches
from .by_words import PlayedByWords
from .comparing import cut_everywhere, isolated
from .determinism import Deadlock, DeterministicRun, Livelock
from .games import SimulatedGame
from .invariants import INVARIANTS
from .plan import PlanStep, RunPlan, plan
from .shrinking import shrink
from .simulator import RunResult, simulate
from .trace import Trace

__all__ = [
    "INVARIANTS",
    "BatchTally",
    "Deadlock",
    "DeterministicRun",
    "Livelock",
    "PlanStep",
    "PlayedByWords",
    "RunPlan",
    "RunResult",
    "SimulatedGame",
    "Trace",
    "cut_everywhere",
    "first_caught",
    "in_fork",
    "isolated",
    "plan",
    "run_batches",
    "shrink",
    "simulate",
]
