"""A cancel from outside at any step while an account is made, entered, left and taken over."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
import trio

from trio_mud.storage import Memory, Record, Stored
from trio_mud.testing import Player
from trio_mud.testing.mud import open_mud
from trio_mud.testing.virtual import run_in_virtual_time

from .inn import PASSWORD, answers, open_inn

CUTS = 40
ALL = [("account", "ann"), ("character", "ann"), ("name", "ann")]


class Cut(trio.abc.Instrument):
    """Cancels its scope at a step of the run."""

    def __init__(self, at: float) -> None:
        self.steps, self.scope = 0, trio.CancelScope()
        self._at = at

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps > self._at and not self.scope.cancel_called:
            self.scope.cancel()


def play(at: float) -> tuple[Stored, str, int]:
    """Run the scene with a cut; return what is stored, what the player read, and the steps of the run."""
    stored, cut, screens = Memory().stored, Cut(at), list[str]()
    players, holds = list[Player](), list[Mapping[Record, int]]()

    async def scene() -> None:
        with cut.scope, suppress(trio.BrokenResourceError):
            async with open_inn(open_mud, stored) as inn:
                try:
                    players.append(ann := await inn.player("new", "Ann"))
                    await answers(ann, PASSWORD, PASSWORD, "dig", "quit")
                    again, last = await inn.player("Ann"), await inn.player("Ann")
                    await again.type(PASSWORD)
                    await last.type(PASSWORD)
                    await inn.mud.pass_time(1)
                finally:
                    screens.extend(player.screen for player in players)
                    holds.append(inn.store._contents.holds)

    run_in_virtual_time(scene, instruments=(cut,))
    assert not any(holds), "a record is held after the end"
    return stored, "".join(screens), cut.steps


def test_the_whole_scene_stores_an_account_with_its_gold() -> None:
    stored, screen, _ = play(float("inf"))
    assert sorted(stored.rows) == ALL
    assert "You are Ann" in screen
    assert b'"gold":1' in stored.rows["character", "ann"].data


@pytest.mark.parametrize("part", range(CUTS))
def test_a_cut_leaves_a_whole_account_or_none(part: int) -> None:
    _, _, steps = play(float("inf"))
    for at in range(part, steps, CUTS * 4):
        stored, screen, _ = play(at)
        assert sorted(stored.rows) in ([], ALL)
        if "You are Ann" in screen:
            assert sorted(stored.rows) == ALL
