"""The fuzz targets hold for their seeds, for earlier findings, and for a few random inputs."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from .mutator import inputs
from .run import HERE, shares
from .script import HELD_BY_ENGINE, read_script, weight
from .targets import CORPUS, TARGETS, Target, recorded_scripts

A_FEW = 60

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@every_target
def test_a_target_holds_for_its_corpus(target: Target) -> None:
    for data in target.seeds():
        target.run(data)


@every_target
def test_a_target_holds_for_a_few_changes_of_it(target: Target) -> None:
    seeds = len(target.seeds())
    for data in itertools.islice(inputs(target, seed=1), seeds, seeds + A_FEW):
        target.run(data)


def test_the_mutator_does_the_same_for_the_same_seed() -> None:
    first, second, third = ([*itertools.islice(inputs(TARGETS["msdp"], seed), 100)] for seed in (1, 1, 2))
    assert first == second != third


def test_the_executions_are_shared_out_to_the_last() -> None:
    assert sum(shares([*TARGETS], 1_000_001).values()) == 1_000_001
    assert shares(["gmcp"], 7) == {"gmcp": 7}


def test_every_folder_of_the_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= set(TARGETS)


def test_what_real_programs_said_is_among_the_scripts() -> None:
    assert len(recorded_scripts()) >= 10
    assert all(read_script(script).heard > 50 for script in recorded_scripts())


def test_the_weight_of_an_engine_is_seen() -> None:
    engine = read_script(b"").make()
    before = weight(engine)
    engine.receive(b"x" * 4000)
    assert before + 4000 <= weight(engine) < HELD_BY_ENGINE


@pytest.mark.slow
def test_the_command_runs_by_itself() -> None:
    command = [sys.executable, str(HERE / "run.py"), "--without-atheris", "--runs", "30", "--seed", "1", "gmcp", "msdp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "30 executions" in done.stdout
    assert "all held" in done.stdout


@pytest.mark.slow
def test_the_command_tells_what_it_found() -> None:
    done = subprocess.run([sys.executable, HERE / "run.py", "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there are engine" in done.stderr
