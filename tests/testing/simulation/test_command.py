"""The command: the seeds it plays, its output, and the seeds it stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.testing.simulate import main
from trio_mud.testing.simulation.actions import ACTIONS

from .defects import DEFECTS

GAME = """
from trio_mud import Hooks, Input

hooks = Hooks()

@hooks.on(Input)
def count(event):
    event.connection.write(str(len(event.line)))
    if event.line == "boom":
        1 / 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.unmeasured
def test_seeds_that_hold_are_clean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "8", "--jobs", "2"]) == 0
    told = capsys.readouterr().out
    assert "8 of 8 seeds, 0 failed" in told
    assert "how often each came off:\n  join " in told
    assert not list(folder.iterdir())


def test_one_seed_is_replayed_with_its_script(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3"]) == 0
    told = capsys.readouterr().out
    assert "script of " in told
    assert "seed 3: all is well" in told


@pytest.mark.slow
def test_a_failing_seed_is_told_and_kept_and_comes_first_the_next_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DEFECTS["a_registry_entry_leaks"]():
        assert main(["--seeds", "20", "--play", "hostile"]) == 1
        told = capsys.readouterr().out
        assert " breaks I-" in told
        assert "Python 3." in told
        assert "again: python -m trio_mud.testing.simulate " in told
        assert main(["--seeds", "20"]) == 1
    kept = (folder / ".simulation-seeds").read_text()
    first = kept.splitlines()[0]
    assert first.isdigit()
    with DEFECTS["a_registry_entry_leaks"]():
        capsys.readouterr()
        assert main([first]) == 1
        assert f"seed {first} breaks I-" in capsys.readouterr().out
    assert main(["--seeds", "20"]) == 0
    assert not (folder / ".simulation-seeds").exists()


@pytest.mark.slow
def test_a_failing_seed_is_made_short(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DEFECTS["a_registry_entry_leaks"]():
        assert main(["--seeds", "40", "--play", "hostile"]) == 1
        seed = (folder / ".simulation-seeds").read_text().split()[0]
        capsys.readouterr()
        assert main(["--shrink", seed, "--play", "hostile"]) == 1
        told = capsys.readouterr().out
        assert " steps became " in told
        again = told.rstrip().rpartition("again: python -m trio_mud.testing.simulate ")[2].split()
        assert "--only" in again
        assert main(again) == 1
    assert main(["--shrink", "1"]) == 0
    assert "does not fail" in capsys.readouterr().out


def test_a_game_of_ones_own_is_played_and_its_failures_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "counting.py").write_text(GAME)
    assert main(["counting:hooks", "--seeds", "3"]) == 0
    (folder / "words.txt").write_text("boom\nlook\n")
    assert main(["counting:hooks", "--seeds", "6", "--lines", "words.txt"]) == 1
    told = capsys.readouterr().out
    assert "breaks hooks: ERROR trio_mud: hook " in told
    assert "ZeroDivisionError" in told
    assert "again: python -m trio_mud.testing.simulate counting:hooks " in told
    assert " counting:hooks" in (folder / ".simulation-seeds").read_text()


def test_a_fault_that_never_fires_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trio_mud.testing.simulate.ENOUGH", 5)
    monkeypatch.setitem(ACTIONS, "reset", ACTIONS["reset"]._replace(act=lambda harness, player, chance: False))
    assert main(["--seeds", "5"]) == 1
    assert "never came off in 5 seeds: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere:hooks"], "there is no module 'nowhere'"),
        (["3", "4"], "3 and 4 are two seeds"),
        (["--play", "chess"], "no bundled game 'chess'"),
        (["--seeds", "0"], "Must be >= 1"),
        (["--bogus"], "Unknown option"),
        (["3", "--only", "all"], "write numbers of steps"),
    ],
)
def test_wrong_usage_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert main(arguments) == 2
    assert complaint in capsys.readouterr().err
