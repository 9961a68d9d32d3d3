"""Undoing what was built, as a whole, and never what others have done since."""

from __future__ import annotations

import pytest

from trio_mud.testing import Mud, OpenMud
from trio_mud.world import Room, Thing

from .site import Mason, builder, game, mason, named, room, says


def picture(site: Mud) -> dict[str, object]:
    """Return every thing with all its fields but what a builder has set."""
    found: dict[str, object] = {}
    for thing in site.store.all(Thing):
        if not isinstance(thing, Mason):
            fields = {name: getattr(thing, name) for name in sorted(thing._tracked)}
            found[thing.key] = fields | {"contents": sorted(each.key for each in thing.contents)}
    return found


@pytest.mark.parametrize(
    "line",
    [
        "dig east The Cave",
        "dig slide The Cave back nowhere",
        "dig in to shed",
        "dig north nowhere",
        "describe here A place.",
        "set lamp oil 3",
        "set lamp rooms pit",
        'set lamp aliases ""',
        "make nail",
        "make lamppost",
        "unmake lamp",
        "unmake hatch",
        "unmake shed",
    ],
)
async def test_each_act_is_undone_as_a_whole(mud: OpenMud, line: str) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        before = picture(site)
        await ann.type(line)
        await site.pass_time(0)
        assert picture(site) != before
        await says(ann, "undo", "Undone: ")
        assert picture(site) == before
        await says(ann, "undo", "There is nothing of yours that could be undone.")
        await site.store.saved()
        await site.kill()
    async with mud(game, storage=site.storage) as again:
        assert set(picture(again)) == set(before)
        assert room(again, "yard").exits["north"] is room(again, "shed")
        assert room(again, "shed").doors["south"].name == "hatch"
        assert named(again, "nail").place is named(again, "crate")
        assert named(again, "street lamp").built_fields == room(again, "yard").built_fields == ()


async def test_acts_are_undone_from_the_last_to_the_first(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        before = picture(site)
        lines = [
            "dig east The Cave",
            "set lamp oil 1",
            "set lamp oil 2",
            "unmake shed",
            "make crate",
            "make nail in crate",
        ]
        await ann.type(*lines)
        await ann.sees("You make nail in crate.")
        for _ in lines:
            await says(ann, "undo", "Undone: ")
        assert picture(site) == before


async def test_the_last_ten_acts_can_be_undone(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await ann.type(*[f"set lamp oil {number}" for number in range(1, 13)])
        await ann.type(*["undo"] * 10)
        await says(ann, "undo", "There is nothing of yours that could be undone.")
        assert named(site, "street lamp").oil == 2  # type: ignore[attr-defined]


async def test_every_builder_has_a_history_that_outlives_the_session_and_not_the_server(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(ann, "set lamp oil 1", "oil of street lamp")
        await says(bob, "undo", "There is nothing of yours")
        await ann.hang_up()
        await site.pass_time(5)
        ann = await builder(site)
        await says(ann, "undo", "Undone: set #1 oil 1.0")
        await says(ann, "set lamp oil 1", "oil of street lamp")
    async with mud(game, storage=site.storage) as site:
        await says(await builder(site), "undo", "There is nothing of yours")


@pytest.mark.parametrize(
    ("line", "since", "answer"),
    [
        ("set lamp oil 1", "set lamp oil 2", "street lamp was changed since."),
        ("set lamp oil 1", "unmake lamp", "street lamp is gone."),
        ("dig east The Cave", "unmake the-cave", "The Cave is gone."),
        ("dig east The Cave", "dig in to the-cave back nowhere", "The Yard refers to The Cave."),
        ("dig east The Cave", "set lamp home the-cave", "street lamp refers to The Cave."),
        ("make nail", "take nail", "nail was changed since."),
        ("make nail", "set nail name peg", "peg was changed since."),
        ("make crate", "make nail in crate", "crate is not empty."),
        ("dig north nowhere", "dig north The Cave", "The Yard was changed since."),
        ("dig north nowhere", "unmake shed", "The Shed is gone."),
        ("unmake shed", "dig north The Cave", "The Yard was changed since."),
    ],
)
async def test_what_others_have_changed_since_is_not_undone(mud: OpenMud, line: str, since: str, answer: str) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await ann.type(line)
        await site.pass_time(0)
        await bob.type(since)
        await site.pass_time(0)
        after = picture(site)
        await says(ann, "undo", f"cannot be undone: {answer}")
        assert picture(site) == after
        await says(bob, "undo", "Undone" if not since.startswith("take") else "nothing of yours")


async def test_two_builders_at_one_room_undo_only_their_own_ways(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(ann, "dig east The Cave", "You dig")
        await says(bob, "dig west The Mine", "You dig")
        await says(ann, "undo", "Undone")
        assert set(room(site, "yard").exits) == {"north", "down", "west"}
        assert room(site, "yard").built_fields == ("exits",)
        await says(bob, "undo", "Undone")
        assert set(room(site, "yard").exits) == {"north", "down"}
        assert room(site, "yard").built_fields == ()


async def test_a_dug_room_with_someone_in_it_is_not_undone(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(ann, "dig east The Cave", "You dig")
        await says(bob, "go east", "The Cave")
        await says(ann, "undo", "The Cave is not empty.")
        await says(bob, "go west", "The Yard")
        await says(ann, "undo", "Undone")


async def test_what_fell_out_of_an_unmade_room_comes_back_unless_it_was_taken(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(bob, "go north", "The Shed")
        await says(bob, "make nail", "You make")
        await says(ann, "unmake shed", "is gone")
        await says(bob, "take 1.nail", "You take nail.")
        await says(ann, "undo", "Undone")
        assert named(site, "crate").place is room(site, "shed")
        assert [thing.name for thing in mason(site, "Bob").contents] == ["nail"]
        assert len(list(site.store.all(Room))) == 3


async def test_players_stay_where_they_are_when_an_unmade_room_comes_back(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await builder(site, "Cid")
        crate = named(site, "crate")
        mason(site, "Cid").place = crate
        await says(bob, "go north", "The Shed")
        await says(ann, "unmake shed", "is gone")
        mason(site, "Cid").place = crate
        await says(ann, "undo", "Undone")
        assert mason(site, "Bob").place is crate.place is room(site, "pit")
        assert mason(site, "Cid").place is crate


async def test_a_key_that_another_room_has_by_now_prevents_an_undo(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(ann, "dig slide The Cave back nowhere", "key is the-cave.")
        await says(ann, "unmake the-cave", "is gone")
        await says(bob, "dig east The Cave", "key is the-cave.")
        await says(ann, "undo", "another room has the key the-cave now.")
        await says(bob, "undo", "Undone")
        await says(ann, "undo", "Undone: unmake the-cave")
        assert room(site, "yard").exits["slide"] is room(site, "the-cave")


async def test_an_undo_lasts_through_a_kill(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "unmake shed", "is gone")
        await site.store.saved()
        await says(ann, "undo", "Undone")
        await site.store.saved()
        await site.kill()
    async with mud(game, storage=site.storage) as site:
        assert room(site, "yard").exits["north"] is room(site, "shed")
        assert named(site, "crate").place is room(site, "shed")
