"""Simulated games with records: nothing acknowledged is lost, no transaction is torn, and each end has a restart."""

from __future__ import annotations

import pytest

from tests.world.tavern import game
from trio_mud.testing.simulation import PlayedByWords, RunResult, Trace, first_caught, plan, simulate
from trio_mud.testing.simulation.simulator import observe

from .defects import DEFECTS

WORDS = ("earn", "earn", "listen", "save", "hello")
STORAGE = {
    "a_change_reaches_the_transaction_before_it": "I-21b",
    "saved_returns_before_the_commit": "I-21a",
    "removals_of_a_failed_write_are_forgotten": "I-21b",
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 30, 10))
def test_no_invariant_is_broken_by_a_game_with_records(first: int) -> None:
    for seed in range(first, first + 10):
        assert simulate(seed, name="stored").violations == [], f"simulate {seed} --play stored"


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(5, name="stored") for _ in range(2)]
    assert results[0].digest == results[1].digest


def test_every_end_is_followed_by_a_restart_on_the_same_disk() -> None:
    script = plan(3, "stored")
    trace, _ = observe(script)
    again = trace.after_restart
    assert again is not None
    assert again.plan.operator == "nobody"
    assert again.server is not trace.server
    assert again.players


def test_kills_happen() -> None:
    assert "kill" in {plan(seed, "stored").operator for seed in range(20)}
    assert "kill" not in {plan(seed, "hostile").operator for seed in range(200)}


@pytest.mark.parametrize("name", STORAGE)
def test_a_planted_defect_of_storage_is_found_soon(name: str) -> None:
    caught = first_caught(DEFECTS[name], seeds=60, name="stored")
    assert caught is not None
    assert caught[1] == STORAGE[name]


def played(seed: int) -> RunResult:
    def make(trace: Trace) -> PlayedByWords:
        return PlayedByWords(game, WORDS)

    return simulate(seed, game=make, name="tavern:game")


@pytest.mark.unmeasured
def test_an_authors_game_with_records_is_judged_too() -> None:
    for seed in range(10):
        assert played(seed).violations == []


def test_a_torn_transaction_of_an_authors_game_is_found() -> None:
    with DEFECTS["changes_of_a_failed_write_are_forgotten"]():
        broken = {result.broken for result in map(played, range(20))}
    assert "I-21b" in broken
