"""Comparison of two runs, and cancellation of one run at every step: checks that a single run cannot make.

`isolated(seed)`: the hooks of one player fail in every way in one run and not in the other; the other players must see
no difference. `cut_everywhere(seed)`: an outside cancel before the first step of any task, before the second, and so
on.

Used by `batches` for some seeds, and by the command's `--cuts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from random import Random

from ...limits import Limits
from .plan import PlanStep, RunPlan, plan
from .simulator import Patch, RunResult, observe, simulate


def isolated(seed: int, *, patch: Patch = nullcontext) -> list[tuple[str, str]]:
    """Return the differences that failures of one player's hooks made to other players; none if all is well (I-16)."""
    random = Random(f"isolation {seed}")
    others = 3
    steps = [PlanStep("join quietly", 0, random.getrandbits(30)) for _ in range(others + 1)]
    for _ in range(30):
        player = random.randint(0, others)
        steps.append(PlanStep("type quietly", player, random.getrandbits(30)))
        if random.random() < 0.3:
            steps.append(PlanStep("pass", 0, random.getrandbits(30)))
    script = RunPlan(
        seed=seed,
        game="hostile",
        limits=Limits(
            hook_timeout=0.5,
            quit_timeout=2.0,
            linger_timeout=1.0,
            shutdown_timeout=4.0,
            cleanup_timeout=2.0,
            batch_size=2,
        ),
        steps=tuple(steps),
        operator="nobody",
        ends_at=0,
    )
    stories = [_stories(replace(script, faults=faults), patch) for faults in (True, False)]
    return [
        ("I-16", f"player {number}: with another's faults {stories[0][number]}, without {stories[1][number]}")
        for number in stories[0]
        if number > 1 and stories[0][number] != stories[1].get(number)
    ]


def _stories(script: RunPlan, patch: Patch) -> dict[int, tuple[list[str], bytes]]:
    """Return the events of each player's connection, and the bytes received by the player."""
    trace, _ = observe(script, patch=patch)
    stories: dict[int, tuple[list[str], bytes]] = {}
    for player in trace.players:
        kinds = [
            happening.as_text().partition(" ")[0] + getattr(happening.event, "line", "")
            for happening in trace.happenings
            if happening.connection is not None
            and happening.connection.address == player.address
            and happening.kind != "ClientReady"  # depends on the clock: before or after a line of the same moment
        ]
        stories[player.number] = (kinds, bytes(player.read))
    return stories


def cut_everywhere(seed: int, *, every: int = 1, patch: Patch = nullcontext) -> Iterator[RunResult]:
    """Play the same run, cancelled from outside before its 1st, 2nd, ... step of any task (I-20).

    Args:
        every: Test only every n-th step.
    """
    whole = replace(plan(seed, "hostile"), operator="nobody")
    steps = simulate(whole, patch=patch).steps
    for step in range(1, steps + 1, every):
        yield simulate(replace(whole, operator="cancel anywhere", ends_at=step), patch=patch)
