"""`simulate(seed)`: plays the plan of a seed, and checks the invariants.

Used by the command, the batches, and tests of single seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise

from ...storage import Stored
from . import durability, inside, returning  # noqa: F401  they register their invariants
from .determinism import Deadlock, DeterministicRun, Livelock, heard_log
from .games import SimulatedGame
from .harness import Harness
from .invariants import check
from .plan import RunPlan, plan
from .players import CANARY
from .trace import Trace

Patch = Callable[[], AbstractContextManager[object]]


@dataclass
class RunResult:
    """The result of one run.

    Attributes:
        plan: The plan that was played.
        digest: Equal for equal runs.
        steps: Number of steps of all tasks.
        violations: The broken invariants, with descriptions; empty if all is well.
        fired: Number of times each action succeeded, including the operator's.
        pairs: Number of times one kind of event followed another, of the same connection or session or not.
        seconds: Virtual time of the run.
    """

    plan: RunPlan
    digest: str
    steps: int
    violations: list[tuple[str, str]]
    fired: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def seed(self) -> int:
        """The seed of the plan."""
        return self.plan.seed

    @property
    def broken(self) -> str:
        """The first broken invariant; empty if there is none."""
        return self.violations[0][0] if self.violations else ""


def simulate(
    what: int | RunPlan,
    *,
    game: Callable[[Trace], SimulatedGame] | None = None,
    patch: Patch = nullcontext,
    name: str = "",
) -> RunResult:
    """Play one seed, or a plan made from one, and check every invariant.

    Args:
        what: The seed, or the plan.
        game: Creates the game, if it is not a bundled one.
        patch: Makes a context for the whole run, such as a defect to be found.
        name: A bundled game; if empty, the seed chooses, unless `game` is given.
    """
    if game is not None and not name:
        name = "given"  # none of those that are known to write only numbered lines
    script = plan(what, name) if isinstance(what, int) else what
    trace, run = observe(script, game=game, patch=patch)
    kinds: list[str] = []
    fired: Counter[str] = Counter()
    life: Trace | None = trace
    while life is not None:
        kinds += [happening.kind for happening in life.happenings]
        fired += life.fired
        if life.operated_at is not None or life.plan.operator == "nobody":
            fired[f"operator: {life.plan.operator}"] += 1
        life = life.after_restart
    return RunResult(
        plan=script,
        digest=run.steps.digest,
        steps=run.steps.count,
        violations=list(check(trace)),
        fired=fired,
        pairs=Counter(pairwise(kinds)),
        seconds=run.clock.now,
    )


def observe(
    script: RunPlan, *, game: Callable[[Trace], SimulatedGame] | None = None, patch: Patch = nullcontext
) -> tuple[Trace, DeterministicRun]:
    """Play a plan and return the trace without checking it."""
    log: list[str] = []
    holder: list[Harness] = []
    with (
        patch(),
        inside.hidden_input(lambda connection: holder[-1].trace.hides_input(connection)),
        inside.numbered_codes(f"{CANARY}code-"),
        inside.returns_by_token(lambda connection, returned: holder[-1].trace.comes_back(connection, returned)),
    ):

        async def main() -> None:
            life: RunPlan | None = script
            stored: Stored | None = None
            while life is not None:
                harness = Harness(life, game, stored, holder[-1].trace if holder else None)
                harness.trace.log, harness.trace.steps = log, run.steps
                run.steps.cut_at = None
                run.watch(harness.trace)
                if holder:
                    holder[-1].trace.after_restart = harness.trace
                holder.append(harness)
                await harness.play()
                life = harness.after_restart()
                if harness.trace.storage is not None:
                    harness.trace.log, stored = log.copy(), harness.trace.storage.disk.stored
                    log.clear()

        run = DeterministicRun(script.seed)
        with heard_log(log):
            try:
                run(main)
            except (Deadlock, Livelock) as error:
                holder[-1].trace.stuck = error
            except Exception as error:
                error.add_note(f"seed {script.seed} of the game {script.game!r}")
                raise
    return holder[0].trace, run
