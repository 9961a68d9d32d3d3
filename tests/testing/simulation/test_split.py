"""Simulated gateways and worlds: each line takes effect once, whoever dies (I-25)."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from trio_mud import Hooks, MasterServer
from trio_mud.cluster.ends import Commit
from trio_mud.cluster.world import WorldService
from trio_mud.testing.simulate import main
from trio_mud.testing.simulation import first_caught, in_fork, simulate
from trio_mud.testing.simulation.plan import split_plan
from trio_mud.testing.simulation.restored import LeftSession
from trio_mud.testing.simulation.split_actions import SPLIT_ACTIONS
from trio_mud.testing.simulation.split_trace import RecordedCluster, SplitTrace, WorldSideTrace

from .defects import tried
from .split_defects import SPLIT_DEFECTS, SPLIT_PLAYED

# No earlier seed finds them, and those take a minute.
SINCE = {
    "a_commit_whose_reply_is_lost_is_made_twice": 80,
    "input_that_comes_twice_is_taken_twice": 165,
    "a_roll_forgets_a_hidden_line": 450,
    "a_character_that_goes_on_is_not_held": 45,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 24, 6))
def test_no_invariant_is_broken_by_gateways_and_worlds(first: int) -> None:
    for seed in range(first, first + 6):
        assert simulate(seed, split=True).violations == [], f"simulate {seed} --split"


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "seed",
    [
        *(
            293,
            381,
            597,
            961,
            1582,
            1680,
            1859,
            2235,
            3685,
            4254,
            4431,
            6421,
            6489,
            6858,
            7359,
            7986,
            9163,
            22264,
            36161,
        ),
        *(12013, 44781, 46121, 46867),
    ],
)
def test_seeds_that_once_failed_hold(seed: int) -> None:
    assert simulate(seed, split=True).violations == []


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 12, 6))
def test_no_record_is_lost_or_doubled_by_gateways_and_worlds(first: int) -> None:
    for seed in range(first, first + 6):
        assert simulate(seed, name="stored", split=True).violations == [], f"simulate {seed} --split --play stored"


@pytest.mark.slow
def test_no_invariant_is_broken_by_more_seeds_and_every_fault_comes_off() -> None:
    fired = Counter[str]()
    for seed in range(1000, 1100):
        result = simulate(seed, split=True)
        assert result.violations == [], f"simulate {seed} --split"
        fired += result.fired
    assert not [name for name in SPLIT_ACTIONS if not fired[name]]


def test_a_commit_that_only_keeps_a_claim_leaves_the_sessions_as_they_were() -> None:
    """Such commits may come while another one is under way; and a world that loads its game restores them later."""
    plan = split_plan(7)
    trace = SplitTrace(plan)
    end = RecordedCluster(trace).world_end()
    service = WorldService(end)
    server = MasterServer(Hooks(), services=[service])
    trace.worlds.append(WorldSideTrace(plan, server, service, end, 1, trace))
    trace.left = {"bob": LeftSession("guest-1", frozenset(), frozenset(), math.inf)}
    trace.committed(end.epoch, Commit(1, {}), is_current=True)
    assert list(trace.left) == ["bob"]
    trace.takes(service)
    trace.committed(end.epoch, Commit(2, {}), is_current=True)
    assert list(trace.left) == ["bob"]
    trace.committed(end.epoch, Commit(3, {}, {b"sbob": None}), is_current=True)
    assert trace.left == {}


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(11, name="hostile", split=True) for _ in range(2)]
    assert results[0].digest == results[1].digest
    assert results[0].fired == results[1].fired
    assert results[0].digest != in_fork(split_plan(11, "careless")).digest


def test_a_shorter_script_does_the_same_in_its_steps() -> None:
    whole = split_plan(7)
    shorter = whole.only(range(5))
    assert shorter.is_split
    assert shorter.steps == whole.steps[:5]
    assert simulate(shorter).violations == []


def test_the_command_replays_a_seed_of_a_split_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", "--split"]) == 0
    told = capsys.readouterr().out
    assert ", split\n" in told
    assert "seed 3: all is well" in told
    assert main(["--split", "--play", "mudlib"]) == 2
    assert "--split does not play 'mudlib'" in capsys.readouterr().err


@pytest.mark.proof
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", SPLIT_DEFECTS)
def test_a_planted_defect_of_a_split_server_is_found(name: str) -> None:
    since, game = SINCE.get(name, 0), SPLIT_PLAYED[name]
    caught = first_caught(tried(SPLIT_DEFECTS[name]), first=since, seeds=1000 - since, name=game, split=True)
    assert caught is not None
