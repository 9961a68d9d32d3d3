"""Digging rooms and ways."""

from __future__ import annotations

import pytest

from trio_mud.testing import OpenMud
from trio_mud.world import Room

from .site import builder, game, mason, room, says


async def test_a_dug_room_has_exits_both_ways_and_is_there_after_a_kill(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig east The Old Mill", 'You dig east to "The Old Mill", whose key is the-old-mill.')
        await says(ann, "go east", "The Old Mill: A room. Exits: west.")
        await says(ann, "describe here It clatters.", "The Old Mill has a new description.")
        await site.store.saved()
        await site.kill()
    async with mud(game, storage=site.storage) as site:
        ann = await builder(site)
        await says(ann, "look", "The Old Mill: It clatters. Exits: west.")
        await says(ann, "go west", "The Yard: Mud and planks. Exits: down, east, north.")
        assert room(site, "yard").exits["east"] is room(site, "the-old-mill")


@pytest.mark.parametrize(
    ("line", "ways"),
    [
        ("dig inside The Cave back outside", {"outside": "yard"}),
        ("dig e The Cave", {"west": "yard"}),
        ("dig E The Cave back U", {"up": "yard"}),
        ("dig Inside The Cave back Outside", {"outside": "yard"}),
        ("dig east The Cave back nowhere", {}),
        ("dig slide The Cave back nowhere", {}),
        ('dig slide "The Cave" back climb', {"climb": "yard"}),
    ],
)
async def test_the_way_back_may_be_named_or_left_out(mud: OpenMud, line: str, ways: dict[str, str]) -> None:
    async with mud(game) as site:
        await says(await builder(site), line, "whose key is the-cave.")
        cave = room(site, "the-cave")
        assert cave.name == "The Cave"
        assert cave.exits == {way: room(site, key) for way, key in ways.items()}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('dig east "To the Lighthouse"', "To the Lighthouse"),
        ('dig east "The way back home"', "The way back home"),
        ("dig east Nowhere land", "Nowhere land"),
        ("dig east to", "to"),
        ("dig east \u201cBack east\u201d", "Back east"),
        ("dig east Café  Zürich", "Café Zürich"),
    ],
)
async def test_a_name_may_have_the_words_of_the_verb(mud: OpenMud, line: str, name: str) -> None:
    async with mud(game) as site:
        await says(await builder(site), line, f'to "{name}"')


async def test_two_rooms_of_one_name_have_two_keys(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig east Shed", "whose key is shed-2.")
        await says(ann, "dig west Shed", "whose key is shed-3.")
        await says(ann, "dig up ???!", "A name has letters or digits in it")
        await says(ann, "dig up 3!", "whose key is 3.")


async def test_a_way_to_a_room_that_is_there(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig in to shed", 'The way in leads to "The Shed" now.')
        assert room(site, "shed").exits["out"] is room(site, "yard")
        await says(ann, "dig chute to pit back nowhere", 'leads to "The Pit"')
        assert list(room(site, "pit").exits) == ["up"]
        await says(ann, "dig up to pit back up", 'leads to "The Pit"')  # up leads back already
        await says(ann, "dig east to sehd", 'There is no room with the key "sehd".')
        await ann.sees("Did you mean shed?")
        await says(ann, "dig west to shed back south", 'leads to "The Shed"')
        await says(ann, "go north", "The Shed")
        await says(ann, "dig up to pit back up", 'In "The Pit", up leads to "The Yard" already.')


async def test_a_way_is_closed_with_the_way_back_and_its_door(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        await says(ann, "dig north nowhere", 'The way north to "The Shed" is closed.')
        assert (room(site, "yard").doors, room(site, "shed").exits, room(site, "shed").doors) == ({}, {}, {})
        await says(ann, "dig n nowhere", "There is no way north that could be closed.")
        await says(ann, "undo", "Undone: dig north nowhere")
        assert room(site, "yard").doors["north"] is room(site, "shed").doors["south"]
        assert room(site, "shed").exits["south"] is room(site, "yard")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("dig", "Usage: dig WAY NAME"),
        ("dig east", "Usage: dig WAY NAME"),
        ("dig north The Cave", 'north leads to "The Shed" already.'),
        ("dig slide The Cave", "What is the way back from there?"),
        ("dig look The Cave back out", '"look" is no direction'),
        ("dig undo The Cave back out", '"undo" is no direction'),
        ("dig slide The Cave back look", '"look" is no direction'),
        ("dig to The Cave back out", '"to" is no direction'),
        ("dig n0rth The Cave back out", '"n0rth" is no direction'),
        (f"dig {'a' * 21} The Cave back out", "is no direction"),
        (f"dig east {'a' * 61}", "name has 60 characters at most."),
        ("dig east <b>Cave</b>", "none of < > { }."),
        ("dig east {actor}", "none of < > { }."),
        ("dig east --", "A name has letters or digits"),
        ('dig east ""', "A name has letters or digits"),
        ("dig east to", 'to "to"'),
    ],
)
async def test_what_cannot_be_dug_is_answered(mud: OpenMud, line: str, answer: str) -> None:
    async with mud(game) as site:
        await says(await builder(site), line, answer)


async def test_control_characters_do_not_get_into_a_name(mud: OpenMud) -> None:
    async with mud(game) as site:
        await says(await builder(site), "dig east A\x1b[31mB\x07\u202eC", 'to "ABC"')


async def test_a_world_has_so_many_rooms_and_no_more(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        for number in range(9):
            await says(ann, f"dig east Room {number}", f"whose key is room-{number}")
            await says(ann, "go east", "Exits:")
        await says(ann, "dig east Room", "The world has 12 rooms already")
        assert len(list(site.store.all(Room))) == 12


async def test_others_in_the_room_read_that_a_way_opens(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann, bob = await builder(site), await builder(site, "Bob")
        await says(ann, "dig east The Cave", "You dig east")
        await bob.sees("Ann opens a way east.")
        await says(ann, "dig east nowhere", "is closed")
        await bob.sees("Ann closes the way east.")


async def test_for_others_the_verbs_do_not_exist(mud: OpenMud) -> None:
    async with mud(game) as site:
        ann = await builder(site)
        mason(site).rank = 10
        for verb, words in (("dig", "east X"), ("undo", ""), ("export", ""), ("set", "lamp oil 5"), ("unmake", "lamp")):
            await says(ann, f"{verb} {words}", f'There is no command "{verb}"')
            await says(ann, f"help {verb}", f'There is no command "{verb}"')
        assert "east" not in room(site, "yard").exits
