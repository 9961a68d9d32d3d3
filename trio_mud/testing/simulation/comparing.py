"""Two runs compared, and one run cut everywhere: what a single run cannot show.

`isolated(seed)`: one player's hooks fail in every way, and then they do not; the others must not see a difference.
`cut_everywhere(seed)`: an outside cancel before the first step of any task, before the second, and so on to the last.

Who uses it: `batches` compares now and then, the command's `--cuts` cuts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from random import Random

from ...limits import Limits
from .plan import Plan, Step, plan
from .simulator import Outcome, Patch, observe, simulate


def isolated(seed: int, *, patch: Patch = nullcontext) -> list[tuple[str, str]]:
    """What the failures of one player's hooks changed for the others; nothing, if all is well (I-16)."""
    random = Random(f"isolation {seed}")
    others = 3
    steps = [Step("join quietly", 0, random.getrandbits(30)) for _ in range(others + 1)]
    for _ in range(30):
        player = random.randint(0, others)
        steps.append(Step("type quietly", player, random.getrandbits(30)))
        if random.random() < 0.3:
            steps.append(Step("pass", 0, random.getrandbits(30)))
    script = Plan(
        seed=seed,
        game="hostile",
        limits=Limits(hook_deadline=0.5, quit_flush=2.0, linger=1.0, drain=4.0, cleanup=2.0, batch=2),
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


def _stories(script: Plan, patch: Patch) -> dict[int, tuple[list[str], bytes]]:
    """What each player's connection had happen to it, and what its player read."""
    trace, _ = observe(script, patch=patch)
    stories: dict[int, tuple[list[str], bytes]] = {}
    for player in trace.players:
        kinds = [
            happening.told().partition(" ")[0] + getattr(happening.event, "line", "")
            for happening in trace.happenings
            if happening.connection is not None
            and happening.connection.address == player.address
            and happening.kind != "Settled"  # comes by the clock, before or after a line of the same moment
        ]
        stories[player.number] = (kinds, bytes(player.read))
    return stories


def cut_everywhere(seed: int, *, every: int = 1, patch: Patch = nullcontext) -> Iterator[Outcome]:
    """The same evening, cancelled from outside before its 1st, 2nd, ... step of any task (I-20).

    Args:
        every: Try each so-many-th step only.
    """
    whole = replace(plan(seed, "hostile"), operator="nobody")
    steps = simulate(whole, patch=patch).steps
    for step in range(1, steps + 1, every):
        yield simulate(replace(whole, operator="cancel anywhere", ends_at=step), patch=patch)
