"""Simulated games with records: nothing acknowledged is lost, no transaction is torn, and each end has a restart."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.world.tavern import game
from trio_mud.accounts import Accounts
from trio_mud.testing.simulation import PlayedByWords, RunResult, Trace, first_caught, plan, simulate
from trio_mud.testing.simulation.invariants import INVARIANTS
from trio_mud.testing.simulation.simulator import observe
from trio_mud.testing.simulation.storage_trace import WorldState
from trio_mud.testing.simulation.stored import TOTAL, judge

from .defects import DEFECTS, tried

CALLS = ("create", "authenticate", "enter", "resume", "recovery_code", "set_password", "delete")
USEFUL = (55, 69, 79, 114)  # seeds whose players do all of these calls
ACCOUNTS = (
    ("a_takeover_keeps_the_hold_of_its_login", "I-27"),
    ("a_takeover_releases_the_hold_of_the_stay", "I-27"),
    ("the_end_of_a_stay_releases_nothing", "I-27"),
    ("a_body_stays_in_the_room", "I-29"),  # its time runs on, which is seen first
    ("a_guest_is_stored", "I-27"),
    ("tokens_and_codes_are_stored_as_they_are", "I-22"),
    ("a_recovery_code_is_logged", "I-22"),
    ("a_hash_is_logged", "I-22"),
)
WORDS = ("earn", "earn", "listen", "save", "hello")
STORAGE = (
    "a_change_reaches_the_transaction_before_it",
    "a_change_while_a_transaction_is_open_is_not_noted",
    "saved_returns_before_the_commit",
    "a_removed_record_is_kept",
    "values_are_of_a_later_moment_than_records",
    "changes_of_a_failed_write_are_forgotten",
)


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 20, 10))
def test_no_invariant_is_broken_by_a_game_with_records(first: int) -> None:
    for seed in range(first, first + 10):
        assert simulate(seed, name="stored").violations == [], f"simulate {seed} --play stored"


@pytest.mark.slow
def test_no_invariant_is_broken_by_more_seeds_of_a_game_with_records() -> None:
    for seed in range(1000, 1060):
        assert simulate(seed, name="stored").violations == [], f"simulate {seed} --play stored"


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(5, name="stored") for _ in range(2)]
    assert results[0].digest == results[1].digest


def lives(seed: int) -> list[Trace]:
    first, _ = observe(plan(seed, "stored"))
    found, last = [first], first
    while last.after_restart is not None:
        last = last.after_restart
        found.append(last)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_end_is_followed_by_a_restart_on_what_the_disk_has(seed: int) -> None:
    traces = lives(seed)
    assert traces[-1].plan.operator == "nobody"
    assert traces[-1].players
    for before, after in pairwise(traces):
        assert before.storage is not None
        assert after.storage is not None
        assert after.server is not before.server
        assert after.storage.commits[0] == before.storage.commits[-1]


@pytest.mark.proof
def test_kills_come_at_any_step_and_the_seeds_of_other_games_have_none() -> None:
    assert "kill" not in {plan(seed, "hostile").operator for seed in range(200)}
    killed = [trace for seed in range(12) for trace in lives(seed) if trace.storage is not None]
    assert {trace.storage.disk.is_dead for trace in killed if trace.storage} == {True, False}


def test_the_seed_chooses_the_game_with_records_now_and_then() -> None:
    chosen = [plan(seed).game for seed in range(400)]
    assert 30 < chosen.count("stored") < 90
    assert [plan(seed).steps for seed in range(9)] == [plan(seed, "").steps for seed in range(9)]


def test_the_invariants_of_storage_are_checked() -> None:
    assert {"I-21a", "I-21b", "I-21c", "I-22"} <= INVARIANTS.keys()


def test_saves_are_acknowledged_and_the_disk_fails() -> None:
    traces = [trace.storage for seed in range(8) for trace in lives(seed) if trace.storage is not None]
    assert sum(len(storage.acknowledgments) for storage in traces) > 20
    assert sum(len(storage.commits) for storage in traces) > 40


@pytest.mark.proof
@pytest.mark.parametrize("name", STORAGE)
def test_a_planted_defect_of_storage_is_found_soon(name: str) -> None:
    caught = first_caught(tried(DEFECTS[name]), seeds=60, name="stored")
    assert caught is not None
    assert caught[1] in ("I-21a", "I-21b")


@pytest.mark.proof
@pytest.mark.parametrize(("name", "invariant"), ACCOUNTS)
def test_a_planted_defect_of_accounts_is_found_soon(name: str, invariant: str) -> None:
    caught = first_caught(tried(DEFECTS[name]), seeds=60, name="stored")
    assert caught is not None
    assert caught[1] == invariant


@pytest.mark.unmeasured
def test_players_and_guests_log_in_and_use_tokens_and_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()

    def count(name: str) -> None:
        true = getattr(Accounts, name)

        async def counted(*args: Any) -> Any:
            result = await true(*args)
            done[name] += result is not None or name in ("delete", "set_password")
            return result

        monkeypatch.setattr(Accounts, name, counted)

    for name in CALLS:
        count(name)
    let_in = Accounts.enter_as_guest

    def counted_guest(*args: Any) -> Any:
        done["guest"] += 1
        return let_in(*args)

    monkeypatch.setattr(Accounts, "enter_as_guest", counted_guest)
    for seed in USEFUL:
        simulate(seed, name="stored")
    assert not [name for name in (*CALLS, "guest") if not done[name]]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ({("purse", "bank"): b'{"gold":10000}'}, ""),
        ({}, ""),
        ({("purse", "bank"): b'{"gold":9000}'}, f"9000 gold is kept, and there was {TOTAL}"),
        ({("purse", "bank"): b'{"gold":9000}', ("deposit", "a"): b'{"gold":1000}'}, ""),
        ({("purse", "bank"): b'{"gold":9990}', ("treasure", "a"): b'{"worth":10}'}, "the purses list [], and there"),
        (
            {
                ("purse", "bank"): b'{"gold":9990,"things":["a"]}',
                ("treasure", "a"): b'{"worth":10,"holder":"ann"}',
            },
            "a is held by ann, which does not list it",
        ),
    ],
)
def test_money_and_things_are_conserved(rows: dict[tuple[str, str], bytes], complaint: str) -> None:
    kept = WorldState({place: (place[0], data, "") for place, data in rows.items()}, {}, 0)
    found = list(judge(kept))
    assert found[0].startswith(complaint) if complaint else not found


def played(seed: int, name: str = "tavern:game") -> RunResult:
    def make(trace: Trace) -> PlayedByWords:
        return PlayedByWords(game, WORDS)

    return simulate(seed, game=make, name=name)


@pytest.mark.unmeasured
def test_an_authors_game_with_records_is_judged_too() -> None:
    for seed in range(10):
        assert played(seed).violations == []


@pytest.mark.unmeasured
def test_an_authors_game_is_never_judged_as_a_bundled_one() -> None:
    for seed in range(6):
        result = played(seed, name="")
        assert result.plan.game == "given"
        assert result.violations == []


def test_a_torn_transaction_of_an_authors_game_is_found() -> None:
    with DEFECTS["changes_of_a_failed_write_are_forgotten"]():
        broken = {result.broken for result in map(played, range(20))}
    assert "I-21b" in broken
