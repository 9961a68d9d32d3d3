"""A whole server in a seeded world: players, a network, a game and an operator that do their worst, and invariants.

    outcome = simulate(4711)
    assert not outcome.violations

A seed decides everything: who comes, over which network, what they type, what breaks, and in which order tasks run.
The same seed gives the same run, on every supported Python: `outcome.digest` says so.
`python -m trio_mud.testing.simulate` plays many of them, and your own game, too.
"""

from .batches import Tally, first_caught, in_fork, run_batches
from .comparing import cut_everywhere, isolated
from .determinism import Deadlock, DeterministicRun, Livelock
from .games import Game, PlayedByWords
from .invariants import INVARIANTS
from .plan import Plan, Step, plan
from .shrinking import shrink
from .simulator import Outcome, simulate
from .trace import Trace

__all__ = [
    "INVARIANTS",
    "Deadlock",
    "DeterministicRun",
    "Game",
    "Livelock",
    "Outcome",
    "Plan",
    "PlayedByWords",
    "Step",
    "Tally",
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
