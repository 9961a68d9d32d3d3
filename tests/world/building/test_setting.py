"""Describing things, and setting their fields."""

from __future__ import annotations

from typing import Any

import pytest

from trio_mud.commands import Mistake
from trio_mud.testing import OpenMud
from trio_mud.world.building import BuildingOptions, BuildingPhrases
from trio_mud.world.building.naming import checked_text

from .site import Hue, builder, game, mason, named, room, says

HIDDEN = [
    *["place", "template", "due", "key", "built_fields", "account", "left_at"],
    *["admin_password", "_private", "glow", "counts", "owner_of"],
]


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("oil 5", "oil", 5.0),
        ("oil -2.5", "oil", -2.5),
        ("wicks 9", "wicks", 9),
        ("is_lit on", "is_lit", True),
        ("is_lit y", "is_lit", True),
        ("hue sea-green", "hue", Hue.SEA_GREEN),
        ("hue sea", "hue", Hue.SEA_GREEN),
        ("size large", "size", "large"),
        ("name lantern", "name", "lantern"),
        ('name "old  lantern"', "name", "old lantern"),
        ("aliases lantern, old light", "aliases", ("lantern", "old light")),
        ('aliases ""', "aliases", ()),
        ("label none", "label", None),
        ("label None at all", "label", "None at all"),
        ('label ""', "label", ""),
        ("text It says: <b>no {x}</b>", "text", "It says: <b>no {x}</b>"),
        ("is_f yes", "is_fixed", True),
        ("name undo", "name", "undo"),
    ],
)
async def test_words_become_a_value_of_the_fields_type_and_are_stored(
    mud: OpenMud, words: str, field: str, value: object
) -> None:
    async with mud(game) as site:
        lamp = named(site, "street lamp")
        lamp.label = "old"
        await says(await builder(site), f'set "street lamp" {words}', f"{field} of ")
        assert getattr(lamp, field) == value
        key = lamp.key
        await site.store.saved()
        await site.kill()
    async with mud(game, storage=site.storage) as site:
        again: Any = site.store.get(type(lamp), key)
        assert getattr(again, field) == value
        assert again.built_fields == (() if value is None else (field,))  # None is what the map says


@pytest.mark.parametrize("words", ["here", "hatch"])
async def test_rooms_and_doors_stay_fixed(mud: OpenMud, words: str) -> None:
    async with mud(game) as site:
        await says(await builder(site), f"set {words} is_fixed no", '"is_fixed" cannot be set.')
        assert room(site, "yard").is_fixed
        assert named(site, "hatch").is_fixed


async def test_references_are_set_by_key_or_by_words(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, lamp = await builder(site), named(site, "street lamp")
        await says(ann, "set lamp home here", "home of street lamp is yard now. It was none.")
        await says(ann, "set lamp home shed", "home of street lamp is shed now. It was yard.")
        await says(ann, "set lamp rooms here, pit", "rooms of street lamp is yard, pit now.")
        await says(ann, "set lamp gate hatch", "gate of street lamp is hatch now.")
        await says(ann, "set lamp twin lamp", "twin of street lamp is street lamp now.")
        assert [getattr(lamp, name) for name in ("home", "rooms", "twin")] == [
            room(site, "shed"),
            [room(site, "yard"), room(site, "pit")],
            lamp,
        ]
        await says(ann, "set lamp home none", "It was shed.")
        await says(ann, "set lamp home nowhere", 'There is no room with the key "nowhere".')
        await says(ann, "set lamp home hatch", 'There is no room with the key "hatch".')
        await says(ann, "set lamp twin Ann", "You see no")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("oil much", '"much" will not do for oil, which is a number. It is 90.0.'),
        ("oil nan", "will not do"),
        ("oil 1e9", "will not do"),
        ("oil inf", "will not do"),
        ("wicks 1.5", "a whole number"),
        ("wicks 10", "wicks of street lamp cannot be 10"),
        ("wicks 99999999999999999999", "a whole number"),
        ("is_lit maybe", "yes or no"),
        ("hue blue", '"blue" is none of red or sea-green.'),
        ("size medium", '"medium" is none of small or large.'),
        ('name ""', "A name has letters or digits"),
        ("name {x}", "none of < > { }."),
        ("name " + 61 * "a", "60 characters"),
        ("aliases a, <b>", "none of < > { }."),
        ("aliases " + ",".join(map(str, range(51))), "aliases has 50 items at most."),
    ],
)
async def test_a_value_that_does_not_fit_is_refused(mud: OpenMud, words: str, answer: str) -> None:
    async with mud(game) as site:
        ann, lamp = await builder(site), named(site, "street lamp")
        before = dict(lamp.__dict__)
        await says(ann, f"set lamp {words}", answer)
        assert dict(lamp.__dict__) == before


@pytest.mark.parametrize("field", HIDDEN)
async def test_a_field_of_the_world_is_refused_with_a_list_of_the_others(mud: OpenMud, field: str) -> None:
    async with mud(game) as site:
        ann, lamp = await builder(site), named(site, "street lamp")
        before = dict(lamp.__dict__)
        await says(ann, f"set lamp {field} 1", f'"{field}" cannot be set. These can:')
        listed = await ann.sees("label = none   (text, or none)")
        assert not any(f"  {hidden} =" in listed for hidden in HIDDEN)
        assert dict(lamp.__dict__) == before


async def test_set_alone_lists_fields_with_values_and_types(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await ann.type("set lamp")
        listed = await ann.sees("label = none   (text, or none)")
        for row in (
            "street lamp [#1], lamppost:",
            "oil = 90.0   (a number)",
            "aliases = light   (several, with commas between them, each text)",
            "hue = red   (one of red or sea-green)",
            "home = none   (the key of a room, or none)",
            "rooms = yard, shed   (several, with commas between them, each the key of a room)",
            "twin = none   (a thing in reach, or none)",
        ):
            assert row in listed
        await says(ann, "set lamp oil", "oil = 90.0   (a number)")
        await says(ann, "set lamp oli 3", '"oli" cannot be set. These can:')
        await says(ann, "set here", "The Yard [yard], room:")


async def test_no_player_is_built(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await builder(site, "Bob")
        for line in ("set Bob health 1", "describe Bob A rat.", "unmake Bob", "make nail in Bob", "set Bob"):
            await says(ann, line, "Bob is played: builders change no players.")
        assert mason(site, "Bob").health == 20


async def test_a_description_may_follow_or_be_written_in_the_editor(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, 'describe lamp "It flickers."', "street lamp has a new description.")
        assert named(site, "street lamp").text == "It flickers."
        await ann.type("describe here", ".d 1", "Mud, mostly.", "And planks.", ".")
        await ann.sees("The Yard has a new description.")
        assert room(site, "yard").text == "Mud, mostly.\nAnd planks."
        await ann.type("describe here", "more", ".q")
        await ann.sees("The description stays as it was.")
        await says(ann, "undo", "Undone: describe yard")
        assert room(site, "yard").text == "Mud and planks."


async def test_who_loses_the_role_in_the_editor_writes_no_line_more(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await ann.type("describe here", "A line.")
        await ann.sees("] ")
        mason(site).rank = 10
        await says(ann, "Another line.", "You are no builder any more.")
        assert room(site, "yard").text == "Mud and planks."
        await says(ann, "look", "The Yard")


async def test_a_text_for_what_is_gone_is_given_back(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await ann.type("describe lamp", "It is bright.")
        await ann.sees("] ")
        await says(bob, "unmake lamp", "street lamp is gone now.")
        await says(ann, ".", "street lamp is gone.\nThis is what you wrote:\nIt is bright.")


async def test_of_two_who_write_at_once_the_first_text_comes_back_by_undo(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await ann.type("describe here", "Of Ann.")
        await ann.sees("] ")
        await says(bob, "describe here Of Bob.", "has a new description.")
        await says(ann, ".", "The description was changed while you wrote; undo brings that one back.")
        assert room(site, "yard").text == "Mud and planks.\nOf Ann."
        await says(ann, "undo", "Undone")
        assert room(site, "yard").text == "Of Bob."


async def test_each_act_is_in_the_audit(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await ann.type("dig east The Cave", "dig north The Cave", "set lamp oil 5", "make nail", "undo", "unmake lamp")
        await ann.sees("street lamp is gone now.")
        entries = [entry for _, entry in await site.store.entries("audit")]
        assert [(entry["event"], entry["by"]) for entry in entries] == [("building", "Ann")] * 5
        assert [entry["line"] for entry in entries] == [
            "dig east The Cave",
            "set #1 oil 5.0",
            "make nail",
            "undo: make nail",
            "unmake #1",
        ]


async def test_the_audit_comes_before_the_act(mud: OpenMud, monkeypatch: pytest.MonkeyPatch) -> None:
    async with mud(game, allow_errors=True) as site:
        ann, store = await builder(site), site.store

        def fail(name: str, /, **entry: object) -> None:
            raise OSError("no log")

        monkeypatch.setattr(store, "log", fail)
        for line in ("dig east The Cave", "set lamp oil 5", "make nail", "unmake lamp", "describe here X"):
            await says(ann, line, "Something went wrong")
        monkeypatch.undo()
        assert "east" not in room(site, "yard").exits
        assert named(site, "street lamp").built_fields == ()
        assert named(site, "nail").place is named(site, "crate")
        await says(ann, "undo", "There is nothing of yours")


def test_a_text_is_bounded_in_bytes_and_has_no_control_characters() -> None:
    phrases, options = BuildingPhrases(), BuildingOptions(max_text=6)
    assert checked_text("a\x1b\nb\t\u202ec", "text", phrases, options) == "a\nb\tc"
    with pytest.raises(Mistake, match="text has 6 bytes at most"):
        checked_text("€€a", "text", phrases, options)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5"])
def test_a_bound_is_a_whole_number(value: Any) -> None:
    with pytest.raises(ValueError, match="write a whole number"):
        BuildingOptions(max_rooms=value)
