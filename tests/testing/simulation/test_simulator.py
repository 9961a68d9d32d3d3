"""The simulator: runs without a fault, the same again for the same seed, and every way to be stuck is found."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio

from trio_mud import Dialog, Duplicate, HookEvent, Hooks, Input
from trio_mud.driver.server.hook_host import HookHost
from trio_mud.testing.simulation import (
    Deadlock,
    DeterministicRun,
    Livelock,
    PlayedByWords,
    SimulatedGame,
    Trace,
    cut_everywhere,
    first_caught,
    in_fork,
    isolated,
    plan,
    shrink,
    simulate,
    threads,
)

from .defects import DEFECTS, PLAYED, RARE, replaced, tried

SEEDS = 40  # `nox -s proof` plays a thousand
AT_ONCE = 10

_TELL_DIGESTS = "from trio_mud.testing.simulation import simulate; print(*(simulate(s).digest for s in range(5)))"


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_no_invariant_is_broken(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        assert simulate(seed).violations == [], f"python -m trio_mud.testing.simulate {seed}"


@pytest.mark.unmeasured
def test_no_invariant_is_broken_by_the_seeds_of_the_day() -> None:
    first = dt.date.today().toordinal() * AT_ONCE
    for seed in range(first, first + AT_ONCE):
        assert simulate(seed).violations == [], f"python -m trio_mud.testing.simulate {seed}"


def test_a_player_that_has_rejected_utf_8_reads_what_ascii_has_for_it() -> None:
    """The bytes received do not show when it rejected it; judged as UTF-8 they seemed to be changed."""
    assert simulate(8210).violations == []


def test_a_player_and_a_server_that_disagree_about_an_option_argue_on_without_harm() -> None:
    """The script sends bytes that the player's program does not know of, and both sides answer each other for long."""
    assert simulate(1424, name="careless").violations == []


def test_connections_whose_handshakes_end_together_were_accepted_at_their_rate() -> None:
    assert simulate(replace(plan(5024, "hostile"), is_mixed=True)).violations == []


@pytest.mark.parametrize("seed", [71, 84])
def test_output_that_is_dropped_while_some_of_it_is_sent_is_no_failure_of_the_link(seed: int) -> None:
    assert simulate(seed, name="stored").violations == []


def test_a_run_that_raises_names_its_seed() -> None:
    def broken(trace: Trace) -> SimulatedGame:
        raise RuntimeError("no game")

    with pytest.raises(RuntimeError) as caught:
        simulate(7, game=broken)
    assert caught.value.__notes__[0].startswith("seed 7 of the game ")


@pytest.mark.slow
def test_no_invariant_is_broken_by_a_careless_game() -> None:
    for seed in range(30):
        again = f"python -m trio_mud.testing.simulate {seed} --play careless"
        assert simulate(seed, name="careless").violations == [], again


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(12))
def test_the_failures_of_one_are_unseen_by_the_others(seed: int) -> None:
    assert isolated(seed) == []


@pytest.mark.slow
def test_an_evening_can_be_cut_anywhere() -> None:
    outcomes = list(cut_everywhere(5, every=23))
    assert len(outcomes) > 20
    assert [outcome.violations for outcome in outcomes if outcome.violations] == []


@pytest.mark.parametrize("seed", RARE)
def test_seeds_that_once_failed_hold_and_would_fail_again(seed: int) -> None:
    """As long as no action is new they are the same runs; their findings have tests of their own, too."""
    by_telnet = replace(plan(seed), is_mixed=False)
    assert simulate(by_telnet).violations == []
    assert in_fork(by_telnet, patch=tried(RARE[seed])).broken


def test_a_handshake_that_fails_at_the_moment_of_the_last_check_is_no_fault() -> None:
    assert simulate(12084).violations == []


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(10))
def test_ten_evenings_can_be_cut_at_any_fiftieth_step(seed: int) -> None:
    for outcome in cut_everywhere(seed, every=50):
        assert outcome.violations == [], f"cut before step {outcome.plan.ends_at}"


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("game", ["hostile", "careless", "mudlib"])
def test_a_seed_equals_itself(game: str, times: int) -> None:
    assert len({simulate(7, name=game).digest for _ in range(times)}) == 1


@pytest.mark.parametrize("game", ["hostile", "careless"])
def test_seeds_differ(game: str) -> None:
    assert len({simulate(seed, name=game).digest for seed in range(5)}) == 5


@pytest.mark.slow
def test_a_seed_is_the_same_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", _TELL_DIGESTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.split()[-5:]
        .__repr__()
        for seed in ("0", "1", "2")
    }
    assert told == {repr([simulate(seed).digest for seed in range(5)])}


def test_a_run_leaves_chance_as_it_was() -> None:
    import random

    state = random.getstate()
    simulate(3)
    assert random.getstate() == state


def test_time_is_virtual_and_steps_are_counted() -> None:
    async def sleep() -> None:
        await trio.sleep(3600)

    run = DeterministicRun(1, latest=10_000)
    run(sleep)
    assert run.clock.now == 3600
    assert run.steps.count > 1


async def _ask_nothing() -> None:
    await trio.to_thread.run_sync(time.sleep, 0.001)


async def _ask_for_virtual_time() -> None:
    await trio.to_thread.run_sync(trio.from_thread.run, trio.sleep, 1, limiter=trio.CapacityLimiter(1))


async def _ask_for_virtual_time_and_be_abandoned() -> None:
    with trio.move_on_after(0.5):
        await trio.to_thread.run_sync(trio.from_thread.run, trio.sleep, 1, abandon_on_cancel=True)


async def _ask_twice() -> None:
    def ask() -> None:
        trio.from_thread.run_sync(trio.current_time)
        trio.from_thread.run(trio.sleep, 1)

    await trio.to_thread.run_sync(ask, abandon_on_cancel=True)


@pytest.mark.parametrize(
    ("work", "ends"),
    [
        (_ask_nothing, 0.0),
        (_ask_for_virtual_time, 1.0),
        (_ask_for_virtual_time_and_be_abandoned, 0.5),
        (_ask_twice, 1.0),
    ],
)
def test_threads_take_no_virtual_time_and_change_no_digest(work: Callable[[], Awaitable[None]], ends: float) -> None:
    async def main() -> None:
        async def take_steps() -> None:
            for _ in range(20):
                await trio.sleep(0.1)

        async def check() -> None:
            await work()
            assert trio.current_time() == ends

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_steps)
            for _ in range(3):
                nursery.start_soon(check)

    digests = set()
    for _ in range(5):
        run = DeterministicRun(1)
        run(main)
        digests.add(run.steps.digest)
    assert len(digests) == 1


def test_a_thread_that_says_nothing_is_waited_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: gate.wait())
            await trio.sleep(1)
            gate.set()

    monkeypatch.setattr(threads, "PATIENCE", 0.05)
    run = DeterministicRun(1)
    run(main)
    assert run.clock.now == 1


def _sharing() -> Hooks:
    """A game in which one character is played by many, and many hidden questions are asked."""
    hooks = Hooks()

    async def ask(dialog: Dialog) -> None:
        for _ in range(4):
            await dialog.ask_hidden("Word? ")
            dialog.connection.write("Hm.")
            await trio.sleep(0.1)

    @hooks.on(Input)
    def obey(event: Input) -> None:
        connection = event.connection
        if connection.session is None:
            connection.server.sessions.enter("all", connection, on_duplicate=Duplicate.SHARE)
        if connection.dialog is None:
            connection.start_dialog(ask)

    return hooks


@pytest.mark.slow
def test_a_game_that_shares_a_session_and_asks_many_hidden_questions_breaks_no_invariant() -> None:
    def game(trace: Trace) -> SimulatedGame:
        return PlayedByWords(_sharing(), ["look", "say"])

    outcomes = [simulate(seed, game=game, name="sharing") for seed in range(40)]
    assert [outcome.violations for outcome in outcomes if outcome.violations] == []


def test_a_version_of_trio_without_the_names_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("trio._core._run._r")
    with pytest.raises(RuntimeError, match="which is the only place that knows of it"):
        DeterministicRun(1)(trio.lowlevel.checkpoint)


def test_a_deadlock_is_found() -> None:
    outcome = in_fork(1, patch=tried(DEFECTS["the_final_drain_never_ends"]), name="hostile")
    (broken, text), *_ = outcome.violations
    assert broken == "I-19"
    assert text.startswith(f"{Deadlock.__name__}: every task waits, and no deadline is left:\n")
    assert "the_final_drain_never_ends" in text


@pytest.mark.slow
def test_a_livelock_is_found() -> None:
    found = first_caught(tried(DEFECTS["two_tasks_keep_each_other_busy"]), seeds=100)
    assert found is not None
    outcome = in_fork(found[0], patch=tried(DEFECTS["two_tasks_keep_each_other_busy"]), name="hostile")
    assert outcome.violations[0][1].startswith(f"{Livelock.__name__}: more than ")


def test_an_evening_that_does_not_end_is_found() -> None:
    outcome = in_fork(4, patch=tried(DEFECTS["the_acceptor_does_not_close"]), name="hostile")
    assert outcome.broken == "I-19"
    assert "it is still not over:\n" in outcome.violations[0][1]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "name", ["a_registry_entry_leaks", "a_takeover_leaves_two_owners", "a_foreign_cancellation_is_passed_on"]
)
def test_a_planted_defect_is_caught(name: str) -> None:
    assert first_caught(tried(DEFECTS[name]), seeds=200, name=PLAYED.get(name, "hostile")) is not None


def test_of_a_script_only_the_steps_remain_without_which_it_holds() -> None:
    whole = plan(3, "hostile")
    wanted = {whole.steps[1], whole.steps[7], whole.steps[-1]}
    shortest = shrink(whole, lambda shorter: wanted <= {*shorter.steps})
    assert sorted(shortest.steps) == sorted(wanted)
    assert shrink(whole, lambda shorter: False).steps == whole.steps
    assert len(shrink(whole, lambda shorter: True, patience=1).steps) == len(whole.steps) - len(whole.steps) // 2


@pytest.mark.slow
def test_a_failing_script_becomes_short() -> None:
    patch = tried(DEFECTS["a_registry_entry_leaks"])
    found = first_caught(patch, seeds=200)
    assert found is not None
    whole = plan(found[0], "hostile")

    shortest = shrink(whole, lambda shorter: in_fork(shorter, patch=patch).broken == found[1])

    assert len(shortest.steps) <= len(whole.steps) // 3
    assert in_fork(shortest, patch=patch).broken == found[1]
    assert in_fork(shortest).violations == []


def test_a_failure_that_others_see_is_found() -> None:
    def failing(true: Any, self: HookHost, event: HookEvent, *rest: Any) -> None:
        true(self, event, *rest)
        for connection in self.connections:
            connection._notify_player("Somebody stumbled.")

    patch = partial(replaced, HookHost, "hook_failed", failing)
    assert any(isolated(seed, patch=patch) for seed in range(5))
