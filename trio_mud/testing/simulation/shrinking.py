"""Shrinking: the shortest script that still breaks the same invariant, by leaving out steps.

Halves first, then quarters, and so on down to single steps, until no single one can be left out any more.
Who uses it: the command's `--shrink`.
"""

from __future__ import annotations

from collections.abc import Callable

from .plan import Plan


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, patience: int = 400) -> Plan:
    """Leave out steps as long as it still fails.

    Args:
        plan: One that fails.
        fails: Plays a plan and says whether it fails in the same way.
        patience: Plans to be tried at most.
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
