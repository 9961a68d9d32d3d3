"""Simulated reloads: a version takes over as a whole or not at all, while its players type, leave and are killed."""

from __future__ import annotations

from collections import Counter

import pytest

from trio_mud.testing.simulation import first_caught, plan, simulate
from trio_mud.testing.simulation.reloading import DEFECTS as WRONG

from . import reload_defects
from .defects import DEFECTS, tried

FOUND = [name for name in DEFECTS if name in vars(reload_defects)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 15, 5))
def test_no_invariant_is_broken_by_reloads(first: int) -> None:
    """I-28."""
    for seed in range(first, first + 5):
        assert simulate(seed, name="reloaded").violations == [], f"simulate {seed} --play reloaded"


@pytest.mark.slow
def test_no_invariant_is_broken_by_more_reloads_and_every_wrong_version_is_refused() -> None:
    fired = Counter[str]()
    for seed in range(1000, 1060):
        result = simulate(seed, name="reloaded")
        assert result.violations == [], f"simulate {seed} --play reloaded"
        fired += result.fired
    assert fired["reload exchanged"] > 100
    assert fired["reload cancelled"] > 0
    assert not [name for name in WRONG if not fired[f"reload refused: {name}"]]


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(5, name="reloaded") for _ in range(2)]
    assert results[0].digest == results[1].digest
    assert results[0].fired == results[1].fired


def test_the_seed_chooses_the_game_that_is_reloaded_now_and_then() -> None:
    assert 10 < [plan(seed).game for seed in range(400)].count("reloaded") < 60


@pytest.mark.proof
@pytest.mark.parametrize("name", FOUND)
def test_a_planted_defect_of_the_reload_is_found_soon(name: str) -> None:
    caught = first_caught(tried(DEFECTS[name]), seeds=40, name="reloaded")
    assert caught is not None
    assert caught[1] == "I-28"
