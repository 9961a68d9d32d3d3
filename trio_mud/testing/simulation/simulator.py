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
from .plan import RunPlan, plan, split_plan
from .players import CANARY
from .split_harness import SplitHarness
from .split_invariants import check_split
from .split_trace import SplitTrace
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
    split: bool = False,
) -> RunResult:
    """Play one seed, or a plan made from one, and check every invariant.

    Args:
        what: The seed, or the plan.
        game: Creates the game, if it is not a bundled one.
        patch: Makes a context for the whole run, such as a defect to be found.
        name: A bundled game; if empty, the seed chooses, unless `game` is given.
        split: True to split the server into gateways and worlds; a plan says it itself.
    """
    if game is not None and not name:
        name = "given"  # none of those that are known to write only numbered lines
    script = what if isinstance(what, RunPlan) else split_plan(what, name) if split else plan(what, name)
    if script.is_split:
        return _simulate_split(script, game, patch)
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


def _simulate_split(script: RunPlan, game: Callable[[Trace], SimulatedGame] | None, patch: Patch) -> RunResult:
    trace, run = observe_split(script, game=game, patch=patch)
    fired = sum((side.fired for side in trace.worlds), Counter[str]())
    if any(side.operated_at is not None for side in trace.worlds):
        fired[f"operator: {script.operator}"] += 1
    return RunResult(
        plan=script,
        digest=run.steps.digest,
        steps=run.steps.count,
        violations=list(check_split(trace)),
        fired=fired,
        pairs=Counter(pairwise(happening.kind for side in trace.worlds for happening in side.happenings)),
        seconds=run.clock.now,
    )


def observe_split(
    script: RunPlan, *, game: Callable[[Trace], SimulatedGame] | None = None, patch: Patch = nullcontext
) -> tuple[SplitTrace, DeterministicRun]:
    """Play a plan of a split server and return the trace without checking it."""
    run = DeterministicRun(script.seed)
    log: list[str] = []
    with patch(), heard_log(log):
        harness = SplitHarness(script, game, run.steps)
        trace = harness.split
        trace.log = log
        run.watch(harness)
        with (
            inside.hidden_input(trace.hides_input),
            inside.numbered_codes(f"{CANARY}code-"),
            inside.written_text(trace.writes),
            inside.commits_of_worlds(trace.takes),
            inside.forwarded_input(harness.forwards, harness.discards),
        ):
            try:
                run(harness.play)
            except (Deadlock, Livelock) as error:
                trace.stuck = error
            except Exception as error:
                error.add_note(f"seed {script.seed} of the game {script.game!r}, split")
                raise
    return trace, run


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
