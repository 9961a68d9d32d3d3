"""The bundled world in the simulator: its players log in, are killed with it, and come back."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from trio_mud.accounts import Accounts
from trio_mud.mudlib.board import Board
from trio_mud.mudlib.letters import Mailbox
from trio_mud.mudlib.verbs import chatting, gesturing, posting
from trio_mud.operations import Operations, Sanctions
from trio_mud.testing.simulation import plan, simulate
from trio_mud.testing.simulation.storage_trace import WorldState
from trio_mud.testing.simulation.valley import judge, judge_step


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 10, 5))
def test_no_invariant_is_broken_by_the_bundled_world(first: int) -> None:
    for seed in range(first, first + 5):
        assert simulate(seed, name="mudlib").violations == [], f"simulate {seed} --play mudlib"


def test_the_bundled_world_is_killed_too() -> None:
    assert "kill" in {plan(seed, "mudlib").operator for seed in range(20)}


@pytest.mark.proof
def test_its_players_log_in_write_talk_and_gesture_and_operators_mute_them(monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()

    def count(target: Any, name: str) -> None:
        true = getattr(target, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            done[name] += 1
            return true(*args, **kwargs)

        monkeypatch.setattr(target, name, counted)

    def add(self: Sanctions, kind: str, *args: Any) -> Any:
        done[kind] += 1
        return true_add(self, kind, *args)

    true_add = Sanctions.add
    monkeypatch.setattr(Sanctions, "add", add)
    for target, name in (
        *((Accounts, "enter"), (posting, "deliver"), (Mailbox, "discard"), (Board, "pin")),
        *((chatting, "say_on"), (gesturing, "show"), (Operations, "check_speech")),
    ):
        count(target, name)
    for seed in range(1, 61, 2):
        simulate(seed, name="mudlib")
    assert {"deliver", "discard", "show", "mute"} <= done.keys(), done
    assert min(done["pin"], done["say_on"], done["enter"], done["check_speech"]) > 10, done


# The part of the invariants that knows letters and notes


def world(**records: dict[str, Any]) -> WorldState:
    """Return what is kept: mailboxes by a name that begins with `box`, things by any other."""
    rows = {}
    for key, fields in records.items():
        family = "mailbox" if key.startswith("box") else "thing"
        rows[family, key] = ("", json.dumps(fields).encode(), "")
    return WorldState(rows, {}, 0)


def texts(*numbers: int, of: str = "letter") -> list[dict[str, str]]:
    return [{"text": f"Dear {of}#0.{number}"} for number in numbers]


DRAFT = {"letter_draft": "Dear letter#0.1", "account": "ann"}


@pytest.mark.parametrize(
    "kept",
    [
        world(box={"letters": texts(1, 1)}),
        world(box={"letters": texts(1)}, box2={"letters": texts(2, 1)}),
        world(box={"letters": texts(1)}, ann=DRAFT),
        world(board={"notes": texts(1, of="note")}, ann={"draft": "note#0.1"}),
    ],
)
def test_a_text_that_is_kept_twice_is_seen(kept: WorldState) -> None:
    assert len(list(judge(kept))) == 1


def test_one_text_of_each_and_a_line_typed_thirty_times_are_right() -> None:
    kept = world(box={"letters": texts(1, 2)}, board={"notes": texts(1, of="note")}, ann={"draft": "note#0.2" * 30})
    assert list(judge(kept)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (world(ann=DRAFT), world(ann={"account": "ann"})),
        (world(box={"letters": texts(1, 2)}), world(box={"letters": []})),
        (world(box={"letters": texts(1)}), world(box={"letters": texts(2)})),
        (world(box={"letters": texts(1)}), world()),
        (world(board={"notes": texts(1, of="note")}), world(board={"notes": texts(2, of="note")})),
    ],
)
def test_a_text_that_is_lost_in_a_step_is_seen(before: WorldState, after: WorldState) -> None:
    assert len(list(judge_step(before, after))) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (world(ann=DRAFT), world(ann={}, box={"letters": texts(1)})),
        (world(ann=DRAFT), world(ann={"account": "ann"}, bob={"ignored": {"ann": "Ann"}})),
        (world(box={"letters": texts(1, 2)}), world(box={"letters": texts(2)})),
        (world(box={"letters": [{"text": "letter#0.1 note#0.5"}]}), world(box={"letters": []})),
        (
            world(board={"notes": texts(*range(20), of="note")}),
            world(board={"notes": texts(*range(1, 21), of="note")}),
        ),
    ],
)
def test_what_is_sent_thrown_away_or_off_a_full_board_is_right(before: WorldState, after: WorldState) -> None:
    assert list(judge_step(before, after)) == []
