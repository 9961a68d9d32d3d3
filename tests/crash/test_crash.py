"""A few kills; `nox -s crash` does more."""

from __future__ import annotations

from pathlib import Path

import pytest

from .run import Tally, drill


@pytest.mark.slow
def test_a_killed_process_loses_no_acknowledged_save_and_leaves_no_half_trade(tmp_path: Path) -> None:
    tally = drill(str(tmp_path / "inn.db"), kills=8, seed=1)
    assert (tally.lost, tally.torn) == (0, 0)
    assert tally.saves > 8


def test_a_drill_in_which_nothing_was_saved_proves_nothing() -> None:
    assert not Tally().is_clean
    assert Tally(saves=1).is_clean
    assert not Tally(saves=1, lost=1).is_clean
    assert not Tally(saves=1, torn=1).is_clean
