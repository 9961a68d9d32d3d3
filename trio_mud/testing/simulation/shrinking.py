"""Shrinking: finds a short script that still breaks the same invariant, by leaving out steps.

It removes halves first, then quarters, and so on to single steps, until no single step can be removed.

Used by the command's `--shrink`.
"""

from __future__ import annotations

from collections.abc import Callable

from .plan import RunPlan


def shrink(plan: RunPlan, fails: Callable[[RunPlan], bool], *, patience: int = 400) -> RunPlan:
    """Remove steps as long as the plan still fails.

    Args:
        plan: A failing plan.
        fails: Plays a plan and returns True if it fails in the same way.
        patience: Maximum number of plans to try.
    """
    tries = 0
    size = max(1, len(plan.steps) // 2)
    while tries < patience:
        shortened = False
        start = 0
        while start < len(plan.steps) and tries < patience:
            kept = [number for number in range(len(plan.steps)) if not start <= number < start + size]
            tries += 1
            if fails(shorter := plan.only(kept)):
                plan, shortened = shorter, True
            else:
                start += size
        if size > 1:
            size //= 2
        elif not shortened:
            break
    return plan
