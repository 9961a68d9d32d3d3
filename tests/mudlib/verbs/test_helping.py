"""Help: commands, topics, and what may be meant."""

from __future__ import annotations

from trio_mud.mudlib import world
from trio_mud.mudlib.lore import TOPICS
from trio_mud.testing import Mud, OpenMud, Player

from ..conftest import ComeIn, reads


async def listener(valley: Mud, come_in: ComeIn) -> Player:
    """A player who reads without pages."""
    player = await come_in(valley, "Ann")
    await player.type("reader on")
    await player.catches_up()
    return player


async def test_help_names_all_topics(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await listener(valley, come_in)
        await ann.type("help")
        await ann.sees("Type help and a command to read more about it.")
        for name in sorted(TOPICS):
            await ann.sees(f"{name:9}  {TOPICS[name].title}\n")


async def test_a_topic_is_read_by_its_name_or_the_beginning_of_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await listener(valley, come_in)
        for line in ("help newcomers", "help NEWC", "? newcomers"):
            await ann.type(line)
            assert await reads(ann) == f"{TOPICS['newcomers'].title}\n\n{TOPICS['newcomers'].text}\n"


async def test_a_topic_that_is_also_a_verb_is_read_below_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await listener(valley, come_in)
        await ann.type("help channels")
        seen = await reads(ann)
        assert seen.startswith("Usage: channels\n")
        assert f"\n\n{TOPICS['channels'].title}\n\n{TOPICS['channels'].text}\n" in seen
        await ann.type("help chan")  # the verb, shortened
        assert TOPICS["channels"].title not in await reads(ann)


async def test_an_unknown_word_is_answered_with_commands_and_topics_spelt_like_it(
    mud: OpenMud, come_in: ComeIn
) -> None:
    async with mud(world) as valley:
        ann = await listener(valley, come_in)
        for line, answer in (
            ("help xyzzy", 'There is no help about "xyzzy".'),
            ("help shuot", 'There is no help about "shuot". Did you mean shout?'),
            ("help newcomres", 'There is no help about "newcomres". Did you mean newcomers?'),
            ("help <b>{word}", 'There is no help about "<b>{word}".'),
        ):
            await ann.type(line)
            assert await reads(ann) == f"{answer}\n"


async def test_a_gesture_and_a_channel_have_help(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await listener(valley, come_in)
        await ann.type("help bow", "help chat")
        assert await reads(ann) == (
            "Usage: bow [WHOM]\nUsage: chat [WORDS]\n\nTalk about anything, from anywhere in the valley.\n"
        )
