"""Simulated worlds: nothing is lost, doubled or in two places, and each call is made once, over kills and restarts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.world.village import game as village
from trio_mud.testing.simulation import PlayedByWords, first_caught, plan, simulate
from trio_mud.testing.simulation.simulator import observe
from trio_mud.testing.simulation.storage_trace import RESETS, WORLD_TIME, WorldState
from trio_mud.testing.simulation.world_game import ONCE, WorldGame, judge
from trio_mud.testing.simulation.world_trace import judge_places
from trio_mud.world import Room, Thing, Traveller

from .defects import DEFECTS, tried

FOUND = (
    ("a_moved_thing_stays_in_the_old_contents", "I-31"),
    ("what_is_inside_a_moved_thing_is_not_marked", "I-21b"),
    ("belongings_are_not_stored_with_their_owner", "I-21c"),
    ("the_contents_of_the_destroyed_do_not_fall", "I-31"),
    ("a_reset_is_not_remembered", "I-21c"),
    ("a_due_call_is_lost_by_a_restart", "I-29"),
    ("a_due_call_is_made_again_after_a_restart", "I-29"),
    ("belongings_stay_in_the_world", "I-29"),
    ("a_body_is_in_no_room", "I-31"),
)
DEEDS = ("take", "drop", "put", "give", "push", "go", "light", "snuff", "eat", "hit", "weave", "burn")


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(0, 20, 5))
def test_no_invariant_is_broken_by_a_game_with_a_world(first: int) -> None:
    for seed in range(first, first + 5):
        assert simulate(seed, name="world").violations == [], f"simulate {seed} --play world"


@pytest.mark.slow
def test_no_invariant_is_broken_by_more_seeds_of_a_game_with_a_world() -> None:
    for seed in range(1000, 1060):
        assert simulate(seed, name="world").violations == [], f"simulate {seed} --play world"


@pytest.mark.unmeasured
def test_players_of_an_authors_world_break_no_invariant() -> None:
    for seed in range(8):
        result = simulate(seed, game=lambda trace: PlayedByWords(village, ("save", "look")), name="tests:village")
        assert result.violations == []


def test_the_same_seed_gives_the_same_run() -> None:
    results = [simulate(5, name="world") for _ in range(2)]
    assert results[0].digest == results[1].digest


def test_the_seed_chooses_the_game_with_a_world_now_and_then() -> None:
    assert 10 < [plan(seed).game for seed in range(400)].count("world") < 60


@pytest.mark.unmeasured
def test_players_do_everything_that_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[str] = Counter()
    deed = WorldGame.deed

    def count(self: WorldGame, name: str, who: Any) -> None:
        done[name] += 1
        deed(self, name, who)

    monkeypatch.setattr(WorldGame, "deed", count)
    for seed in range(4):
        simulate(seed, name="world")
    assert not [name for name in DEEDS if not done[name]]


@pytest.mark.proof
def test_travellers_take_burning_lights_along_and_crashes_stop_them() -> None:
    left: Counter[bool] = Counter()
    for seed in range(12):
        trace, _ = observe(plan(seed, "world"))
        life = trace.after_restart
        while life is not None:
            assert life.world is not None
            left.update(at is not None for at in life.world._stops.values())
            left[False] += len(life.world._left)
            life = life.after_restart
    assert left[True] > 10
    assert left[False] > 5


@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "invariant"), FOUND)
def test_a_planted_defect_of_the_world_is_found_soon(name: str, invariant: str) -> None:
    caught = first_caught(tried(DEFECTS[name]), seeds=40, name="world")
    assert caught is not None
    assert caught[1] == invariant


# The judges, on what is kept


TEMPLATES = [template for template, number in ONCE.items() for _ in range(number)]
RIGHT = {
    **{f"#{number}": f'{{"template":"{template}","place":"room"}}' for number, template in enumerate(TEMPLATES)},
    "room": "{}",
    "sack 1": '{"template":"sack","place":"room"}',
    "sack 2": '{"template":"sack","place":"room"}',
}
TIMES = b'{"magpie in lane":9,"apple in lane":7}'


def kept(tally: str = "{}", /, **things: str) -> WorldState:
    rows = {("thing", key): ("thing", data.encode(), "") for key, data in {**RIGHT, **things}.items()}
    rows["tally", "tally"] = ("tally", tally.encode(), "")
    return WorldState(rows, {WORLD_TIME: b"5", RESETS: TIMES}, 0)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (kept(), ""),
        (WorldState({}, {}, 0), ""),
        (kept()._replace(values={}), "things are kept without the time"),
        (kept(more='{"template":"coin","place":"room"}'), "6 of coin are kept, and there were 5"),
        (kept('{"woven":1}'), "2 sacks are kept, and there were 3"),
        (kept('{"dead":1}'), "0 feathers are kept, and there were 1 magpies"),
        (kept('{"eaten":3}'), "3 of apple were made until 0, by a reset of 2 every 7 seconds"),
    ],
)
def test_things_are_conserved(state: WorldState, complaint: str) -> None:
    found = list(judge(state))
    assert found[0].startswith(complaint) if complaint else not found


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ('"times_lit":1,"due":[["go_out",8]]', ""),
        ('"times_lit":2,"times_out":1,"times_snuffed":1', ""),
        ('"times_lit":1', "was lit 1 times, and 0 times it went out or burns"),
        ('"times_lit":1,"times_out":1,"due":[["go_out",8]]', "was lit 1 times, and 2 times it went out or burns"),
        ('"times_lit":1,"due":[["go_out",9.5]]', "is due at 9.5, later than it was set for at 5"),
    ],
)
def test_a_call_is_made_once_for_each_setting(fields: str, complaint: str) -> None:
    key = f"#{TEMPLATES.index('rushlight')}"
    found = list(judge(kept(**{key: f'{{"template":"rushlight","place":"room",{fields}}}'})))
    assert complaint in found[0] if complaint else not found


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ({"hall": ("room", "", ""), "coin": ("thing", "hall", "")}, ""),
        ({"ann": ("traveller", "", "ann"), "bag": ("thing", "ann", "ann"), "coin": ("thing", "bag", "ann")}, ""),
        ({"coin": ("thing", "bag", "")}, "'coin' is kept in 'bag', which is not kept"),
        ({"bag": ("thing", "box", ""), "box": ("thing", "bag", "")}, "'bag' is kept inside itself"),
        ({"ann": ("traveller", "", "ann"), "coin": ("thing", "ann", "")}, "'coin' is kept with '', and its places"),
        ({"hall": ("room", "", ""), "coin": ("thing", "hall", "ann")}, "'coin' is kept with 'ann', and its places"),
    ],
)
def test_kept_places_lead_to_a_room_or_an_owner(rows: dict[str, tuple[str, str, str]], complaint: str) -> None:
    kinds = {"room": Room, "thing": Thing, "traveller": Traveller}
    state = WorldState(
        {
            ("thing", key): (kind, (f'{{"place":"{place}"}}' if place else "{}").encode(), owner)
            for key, (kind, place, owner) in rows.items()
        },
        {},
        0,
    )
    found = list(judge_places(state, kinds.__getitem__))
    assert found[0].startswith(complaint) if complaint else not found
