"""The bundled world in the simulator: its players log in, are killed with it, and come back."""

from __future__ import annotations

from typing import Any

import pytest

from trio_mud.accounts import Accounts
from trio_mud.testing.simulation import plan, simulate


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 10, 5))
def test_no_invariant_is_broken_by_the_bundled_world(first: int) -> None:
    for seed in range(first, first + 5):
        assert simulate(seed, name="mudlib").violations == [], f"simulate {seed} --play mudlib"


def test_the_bundled_world_is_killed_too() -> None:
    assert "kill" in {plan(seed, "mudlib").operator for seed in range(20)}


@pytest.mark.proof
def test_its_players_make_accounts_and_play(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[str] = []
    enter = Accounts.enter

    async def count(self: Accounts, *args: Any) -> Any:
        session = await enter(self, *args)
        entered.append(str(session.key))
        return session

    monkeypatch.setattr(Accounts, "enter", count)
    for seed in range(1, 20, 2):
        simulate(seed, name="mudlib")
    assert {"ann", "bob", "cid"} <= set(entered)
    assert len(entered) > 5
