"""Gestures, which are verbs made of data."""

from __future__ import annotations

import pytest

from trio_mud.commands import Commands
from trio_mud.errors import ConfigurationError
from trio_mud.mudlib import world
from trio_mud.mudlib.lore import SOCIALS
from trio_mud.mudlib.socials import read_socials
from trio_mud.mudlib.verbs import check_words, commands, gesturing
from trio_mud.mudlib.villager import Villager
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads

LOOK = read_socials('[look]\nalone.actor = "You stare."\nalone.others = "{actor} stares."', "socials.toml")


async def test_a_gesture_has_words_for_actor_target_and_others(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        eve = await come_in(valley, "Eve")
        await ann.catches_up(), await bob.catches_up()
        for line, own, to_bob, to_eve in (
            ("smile", "You smile.", "Ann smiles.", "Ann smiles."),
            ("smile bob", "You smile at Bob.", "Ann smiles at you.", "Ann smiles at Bob."),
            ("SMILE b", "You smile at Bob.", "Ann smiles at you.", "Ann smiles at Bob."),
            ("smile me", "You smile.", "Ann smiles.", "Ann smiles."),
            ("snore", "You snore.", "Ann snores.", "Ann snores."),
        ):
            await ann.type(line)
            assert [await reads(player) for player in (ann, bob, eve)] == [f"{own}\n", f"{to_bob}\n", f"{to_eve}\n"]


async def test_a_gesture_needs_its_target_in_the_same_room(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await bob.type("north")
        await bob.sees("Drip Bridge")
        await bob.catches_up(), await ann.catches_up()
        await ann.type("bow bob", "bow xyzzy", "snore bob")
        assert await reads(ann) == 'You see no "bob" here.\nYou see no "xyzzy" here.\nUsage: snore\n'
        await bob.sees_nothing()


async def test_a_body_without_a_mind_hears_of_a_gesture_on_coming_back(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await bob.vanish()
        await ann.sees("Bob stops")
        await ann.type("wave bob")
        await ann.sees("You wave to Bob.")
        bob = await valley.player()
        await bob.type("Bob")
        await bob.sees("Ann waves to you.")


async def test_the_heron_answers_a_bow(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("west", "north", "bow heron", "bow")
        await ann.sees("You bow to the grey heron.")
        await ann.sees("The grey heron bows too")
        await ann.sees("You bow.")
        await ann.sees("The grey heron bows too")


async def test_the_gestures_are_listed_on_one_page_and_not_among_the_commands(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("reader on", "socials")
        await ann.sees(", ".join(sorted(SOCIALS)))
        await ann.type("help socials")
        await ann.sees("Usage: socials")
        await ann.sees(", ".join(sorted(SOCIALS)))
        await ann.catches_up()
        await ann.type("help")
        listed = [line.split()[0] for line in (await reads(ann)).splitlines() if line]
        assert "smile" not in listed


def test_a_gesture_hides_no_verb_and_makes_no_short_form_unclear() -> None:
    table = Commands[Villager]()
    table.include(commands)
    table.include(gesturing.gestures({**LOOK, **read_socials(BOOK, "socials.toml")}))
    assert table.find("look")[0] is commands.find("look")[0]
    assert table.find("sa hello")[0] is commands.find("say")[0]
    assert table.find("salute")[0].verbs == ("salute",)


BOOK = '[salute]\nalone.actor = "You salute."\nalone.others = "{actor} salutes."'


def test_a_word_of_a_file_that_is_a_verb_of_all_players_is_refused() -> None:
    for word in SOCIALS:
        assert commands.find(word)[0].verbs[0] == word
    with pytest.raises(ConfigurationError, match=r"^socials.toml: look: there is a command 'look'; choose another"):
        check_words("socials.toml", LOOK, commands)


def test_a_verb_of_operators_may_be_a_gesture_of_others() -> None:
    operators = Commands[Villager](role_of=lambda who: 0)

    @operators.verb("look", role=30)
    def spy(who: Villager) -> None:
        """Look more closely."""

    check_words("socials.toml", LOOK, operators)
    operators.include(gesturing.gestures(dict(LOOK)))
    assert operators.find("look")[0].function is not spy
