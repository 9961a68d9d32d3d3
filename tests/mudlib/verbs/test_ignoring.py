"""Ignoring: nothing more is heard of a player, who cannot tell."""

from __future__ import annotations

import pytest
import trio

from trio_mud.mudlib import lasting_world, world
from trio_mud.mudlib.verbs.ignoring import MOST_IGNORED
from trio_mud.mudlib.villager import Villager
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads
from ..residents import newcomer, returning

LINES = ["say hello", "tell ann hello", "shout hello", "emote waves", ":waves", "chat hello", "bow", "bow ann"]


@pytest.mark.parametrize("line", LINES)
async def test_nothing_is_heard_of_an_ignored_player_who_reads_the_same(
    mud: OpenMud, come_in: ComeIn, line: str
) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        eve = await come_in(valley, "Eve")
        await bob.catches_up()
        await bob.type(line)
        before, heard = await reads(bob), await reads(eve)
        await ann.type("ignore bob")
        await ann.sees("You hear nothing more from Bob.")
        await ann.catches_up()
        await bob.type(line)
        assert await reads(bob) == before
        assert await reads(eve) == heard
        await ann.sees_nothing()
        await ann.type("unignore bob")
        await ann.sees("You hear Bob again.")
        await ann.catches_up()
        await bob.type(line)
        assert "Bob" in await reads(ann)


async def test_an_ignored_teller_is_not_answered_and_reads_who_is_away(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("ignore bob", "afk lunch")
        await ann.sees("You are away")
        await bob.type("tell ann hello")
        await bob.sees("Ann is away: lunch.")
        await ann.type("reply hello", "tell bob hello")
        await ann.sees("Nobody has told you anything yet.")
        await ann.sees("You ignore Bob, and will not read an answer.")
        await bob.sees('Ann tells you, "hello"')


async def test_lines_of_an_ignored_player_are_left_out_of_a_history(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await bob.type("chat from bob")
        await ann.sees("from bob")
        await ann.type("chat from ann", "ignore bob", "chat")
        await ann.sees("You hear nothing more from Bob.")
        assert 'Ann: "from ann"' in (seen := await reads(ann))
        assert "from bob" not in seen


async def test_the_ignored_are_listed_and_their_number_is_bounded(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await come_in(valley, "Bob"), await come_in(valley, "Eve")
        await ann.type("ignore", "ignore bob", "ignore bob", "ignore eve", "ignore", "ignore me", "ignore xyzzy")
        await ann.sees("You ignore nobody.")
        await ann.sees("You ignore Bob and Eve.")
        await ann.sees("You try not to listen to yourself")
        await ann.sees('Nobody in the valley is called "xyzzy".')
        await ann.type("unignore xyzzy", "unignore ev", "ignore")
        await ann.sees('You ignore nobody called "xyzzy".')
        await ann.sees("You ignore Bob.")
        body = valley.server.sessions.get("ann").body  # type: ignore[union-attr]
        assert isinstance(body, Villager)
        body.ignored = {f"name{number}": f"Name{number}" for number in range(MOST_IGNORED)}
        await ann.type("ignore bob")
        await ann.sees("You ignore 50 people already.")
        assert len(body.ignored) == MOST_IGNORED


async def test_an_account_is_ignored_also_while_its_player_is_away_and_after_a_restart(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        bob = await newcomer(valley, "Bob")
        await bob.type("quit")
        await bob.sees_the_end()
        ann = await newcomer(valley, "Ann")
        await ann.type("ignore bób", "ignore xyzzy")
        await ann.sees("You hear nothing more from Bob.")
        await ann.sees('Nobody in the valley is called "xyzzy".')
        stored = valley.storage
        await trio.sleep(2)
    async with mud(lasting_world, storage=stored) as valley:
        ann, bob = await returning(valley, "Ann"), await returning(valley, "Bob")
        await ann.catches_up()
        await bob.type("say hello")
        await ann.sees_nothing()
