"""`simulate(seed)`: play what a seed says, and judge it.

Who uses it: the command, the batches, and tests that want one seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise

from . import inside
from .determinism import Deadlock, DeterministicRun, Livelock, heard_log
from .games import Game
from .invariants import check
from .plan import Plan, plan
from .stage import Stage
from .trace import Trace

Patch = Callable[[], AbstractContextManager[object]]


@dataclass
class Outcome:
    """What came of one run.

    Attributes:
        plan: What was played.
        digest: Equal for equal runs.
        steps: Of all tasks.
        violations: Which invariant was broken, and how; empty if all is well.
        fired: How often each deed came off, the operator's among them.
        pairs: How often one kind of event followed another, of the same connection or stay or not.
        seconds: Of virtual time.
    """

    plan: Plan
    digest: str
    steps: int
    violations: list[tuple[str, str]]
    fired: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def seed(self) -> int:
        """What it all came from."""
        return self.plan.seed

    @property
    def broken(self) -> str:
        """The first invariant that was broken; empty if none was."""
        return self.violations[0][0] if self.violations else ""


def simulate(
    what: int | Plan, *, game: Callable[[Trace], Game] | None = None, patch: Patch = nullcontext, name: str = ""
) -> Outcome:
    """Play one seed, or a plan made from one, and check every invariant.

    Args:
        what: The seed, or the plan.
        game: Makes the game that is played, when it is none of the bundled ones.
        patch: Makes a context in which it all runs: a defect to be found.
        name: Which bundled game; the seed chooses if empty.
    """
    script = plan(what, name) if isinstance(what, int) else what
    trace, run = observe(script, game=game, patch=patch)
    kinds = [happening.kind for happening in trace.happenings]
    fired = Counter(trace.fired)
    if trace.operated_at is not None or script.operator == "nobody":
        fired[f"operator: {script.operator}"] += 1
    return Outcome(
        plan=script,
        digest=run.steps.digest,
        steps=run.steps.count,
        violations=list(check(trace)),
        fired=fired,
        pairs=Counter(pairwise(kinds)),
        seconds=run.clock.now,
    )


def observe(
    script: Plan, *, game: Callable[[Trace], Game] | None = None, patch: Patch = nullcontext
) -> tuple[Trace, DeterministicRun]:
    """Play a plan and return what was recorded, unjudged."""
    log: list[str] = []
    holder: list[Stage] = []
    with patch(), inside.hidden_input(lambda connection: holder[0].trace.hides_input(connection)):

        async def main() -> None:
            stage = Stage(script, game)
            stage.trace.log = log
            stage.trace.steps = run.steps
            run.watch(stage.trace)
            holder.append(stage)
            await stage.play()

        run = DeterministicRun(script.seed)
        with heard_log(log):
            try:
                run(main)
            except (Deadlock, Livelock) as error:
                holder[0].trace.stuck = error
    return holder[0].trace, run
