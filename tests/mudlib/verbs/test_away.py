"""Being away from the keyboard, and answering who told something last."""

from __future__ import annotations

from trio_mud.mudlib import world
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads


async def test_each_teller_reads_once_that_a_player_is_away(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        eve = await come_in(valley, "Eve")
        await ann.type("afk gone  for <b>lunch</b>")
        await ann.sees("You are away: gone for <b>lunch</b>. Your next command ends it.")
        await bob.catches_up()
        await bob.type("tell ann hello", "tell ann are you there?", "who", "look ann")
        await bob.sees('You tell Ann, "hello"')
        await bob.sees("Ann is away: gone for <b>lunch</b>.")
        seen = await reads(bob)
        assert seen.count("is away: gone for <b>lunch</b>") == 2  # who and look show it, a second tell does not
        await eve.type("tell ann psst")
        await eve.sees("Ann is away: gone for <b>lunch</b>.")


async def test_the_next_command_ends_it_and_an_empty_line_does_not(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("afk", "  ")
        assert "You are back." not in await ann.catches_up()
        await bob.type("tell ann hello")
        await bob.sees("Ann is away: away from the keyboard.")
        await ann.type("xyzzy")
        await ann.sees("You are back.")
        await bob.catches_up()
        await bob.type("tell ann hello")
        assert await reads(bob) == 'You tell Ann, "hello"\n'
        await ann.type("afk")
        await bob.type("tell ann hello")
        await bob.sees("Ann is away: away from the keyboard.")


async def test_a_message_has_a_bounded_length(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("reader on", "afk " + "a" * 300)
        await ann.sees(f"You are away: {'a' * 80}. Your")


async def test_a_reply_goes_to_the_last_who_told_something(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        eve = await come_in(valley, "Eve")
        await ann.type("reply hello?")
        await ann.sees("Nobody has told you anything yet.")
        await bob.type("tell ann one")
        await ann.sees('Bob tells you, "one"')
        await eve.type("tell ann two", "say three")
        await ann.sees('Eve says, "three"')
        await ann.type("reply and four")
        await eve.sees('Ann tells you, "and four"')
        await eve.type("quit")
        await eve.sees_the_end()
        await ann.type("reply five")
        await ann.sees("Eve is not in the valley any more.")
