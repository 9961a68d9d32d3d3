"""Simulated games with a staff: each privileged act is permitted, and in the audit before it is done (I-30)."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest

from trio_mud.testing.simulation import first_caught, plan, simulate
from trio_mud.testing.simulation.invariants import INVARIANTS
from trio_mud.testing.simulation.staff_trace import StaffTrace

from . import operation_defects  # noqa: F401  registers its defects
from .defects import DEFECTS, PLAYED, tried

OF_OPERATIONS = [name for name, game in PLAYED.items() if game == "staffed"]
ELSEWHERE = {"a_snoop_shows_hidden_lines": "I-22"}
SINCE = {"a_snoop_on_a_snooper_shows_the_third": 700}  # no earlier seed finds it, and they take five minutes
VERBS = ("ban", "mute", "kick", "snoop", "set role", "announce", "shutdown", "unban", "unmute")


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 12, 4))
def test_no_invariant_is_broken_by_a_game_with_a_staff(first: int) -> None:
    for seed in range(first, first + 4):
        assert simulate(seed, name="staffed").violations == [], f"simulate {seed} --play staffed"


@pytest.mark.slow
def test_no_invariant_is_broken_by_more_seeds_of_a_game_with_a_staff() -> None:
    for seed in range(1000, 1060):
        assert simulate(seed, name="staffed").violations == [], f"simulate {seed} --play staffed"


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(5, name="staffed") for _ in range(2)]
    assert results[0].digest == results[1].digest


def test_a_run_does_not_depend_on_when_python_would_collect_garbage() -> None:
    """Records that nothing refers to are in memory until then, and are not read again."""
    thresholds, digests = gc.get_threshold(), set[str]()
    try:
        for most in (0, 20, 50, 700):  # 0 is never
            gc.set_threshold(most)
            digests.add(simulate(19, name="staffed").digest)
    finally:
        gc.set_threshold(*thresholds)
    assert len(digests) == 1


def test_the_seed_chooses_the_game_with_a_staff_now_and_then() -> None:
    assert 10 < [plan(seed).game for seed in range(400)].count("staffed") < 60
    assert "I-30" in INVARIANTS


@pytest.mark.proof
def test_players_and_the_console_do_everything_that_is_privileged(monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()
    judge, copy = StaffTrace._judge, StaffTrace._hears_copy

    def counted(self: StaffTrace, verb: str, *args: Any, **more: Any) -> list[str]:
        actors = judge(self, verb, *args, **more)
        done[verb] += 1
        done["by the console" if "console" in actors else "by players"] += 1
        return actors

    def counted_copy(self: StaffTrace, *args: Any) -> None:
        done["copied lines"] += 1
        copy(self, *args)

    monkeypatch.setattr(StaffTrace, "_judge", counted)
    monkeypatch.setattr(StaffTrace, "_hears_copy", counted_copy)
    for seed in range(40):
        simulate(seed, name="staffed")
    assert not [what for what in (*VERBS, "by the console", "by players", "copied lines") if not done[what]]


@pytest.mark.proof
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_a_planted_defect_of_operations_is_found(name: str) -> None:
    since = SINCE.get(name, 0)
    caught = first_caught(tried(DEFECTS[name]), first=since, seeds=1000 - since, name="staffed")
    assert caught is not None
    assert caught[1] == ELSEWHERE.get(name, "I-30")
