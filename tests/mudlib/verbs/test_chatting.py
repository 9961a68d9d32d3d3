"""Channels: who hears them, and what they keep."""

from __future__ import annotations

import pytest
import trio

from trio_mud.mudlib import lasting_world, world
from trio_mud.mudlib.channels import MOST_KEPT, Channel
from trio_mud.mudlib.verbs.chatting import age
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads
from ..residents import newcomer, returning


async def test_a_channel_is_heard_wherever_its_listeners_are(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await bob.type("north")
        await bob.sees("Drip Bridge")
        await bob.catches_up(), await ann.catches_up()
        await ann.type("chat hello there")
        assert await reads(ann) == '[Chat] Ann: "hello there"\n'
        assert await reads(bob) == '[Chat] Ann: "hello there"\n'


async def test_the_last_lines_are_read_by_the_channel_alone_and_by_history(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("chat", "chat hello", "ask how?")
        await ann.sees("Nothing has been said on chat.")
        await trio.sleep(130)
        bob = await come_in(valley, "Bob")
        for line in ("chat", "history ch"):
            await bob.type(line)
            assert await reads(bob) == '[Chat] 2 min ago, Ann: "hello"\n'
        await bob.type("history xyzzy")
        await bob.sees('There is no channel "xyzzy": try chat, ask or market.')


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 min"), (59.9, "0 min"), (3599, "59 min"), (3 * 3600, "3 h"), (3 * 86_400, "3 d")]
)
def test_an_age_has_the_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


async def test_history_is_bounded_and_tells_hours(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        for number in range(MOST_KEPT + 2):
            await ann.type(f"chat number {number}.")
            await trio.sleep(1)
        await trio.sleep(3600)
        await ann.type("reader on")
        await ann.catches_up()
        await ann.type("chat")
        seen = await reads(ann)
        assert seen.count("1 h ago, Ann") == MOST_KEPT
        assert "number 1." not in seen
        assert "number 2." in seen


async def test_a_channel_that_was_left_is_neither_heard_nor_used(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await bob.type("leave chat", "chat hello", "leave chat", "channels")
        await bob.sees("You stop listening to chat: join chat changes that.")
        await bob.sees("You do not listen to chat: join chat changes that.")
        await bob.sees("You do not listen to chat: join chat changes that.")
        await bob.sees("chat: Talk about anything, from anywhere in the valley. (you do not listen)")
        await bob.sees("(2 listening)")
        await bob.catches_up()
        await ann.type("chat psst")
        await bob.sees_nothing()
        await bob.type("join chat", "join chat")
        await bob.sees("You listen to chat.")
        await bob.sees("You listen to chat already.")
        await ann.type("chat psst again")
        await bob.sees('[Chat] Ann: "psst again"')


async def test_history_and_left_channels_are_kept_over_a_restart_and_a_crash(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await ann.type("chat before the restart", "leave market")
        await ann.catches_up()
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        ann = await returning(valley, "Ann")
        await ann.type("chat after it")
        await trio.sleep(5)  # it is saved once a second
        await valley.kill()
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        ann = await returning(valley, "Ann")
        await ann.type("chat", "market fresh eels")
        await ann.sees('Ann: "before the restart"')
        await ann.sees('Ann: "after it"')
        await ann.sees("You do not listen to market")


async def test_words_on_a_channel_are_shown_as_text_and_never_as_another_line(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        bob = await valley.player(columns=40, rows=24)
        await bob.type("Bob")
        await bob.sees("You can go")
        await bob.catches_up()
        line = f'chat <b>{{words}}</b> \x1b[31mred\x07 {"on and " * 5}[Chat] Eve: "mine" {"Eve " * 30}'
        await ann.type(line)
        for command in ("look", "chat"):
            first, *rest = (await reads(bob)).splitlines()
            assert "<b>{words}</b>" in first
            assert rest
            assert all(row.startswith("  ") for row in rest)
            if command == "look":
                await bob.type("chat")
        (kept,) = valley.store.get(Channel, "chat").lines  # type: ignore[union-attr]
        assert "\x1b" not in kept.words
        assert "\x07" not in kept.words


async def test_a_line_of_a_channel_has_a_bounded_length(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("chat " + "\u6f22" * 1000)
        await ann.sees("only the first 512 characters")
        (kept,) = valley.store.get(Channel, "chat").lines  # type: ignore[union-attr]
        assert kept.words == "\u6f22" * 512


async def test_programs_receive_channels_and_their_listeners(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await valley.player(gmcp=("Comm.Channel 1",))
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.catches_up()
        assert ann.gmcp == [
            (
                "Comm.Channel.List",
                [
                    {"name": "chat", "caption": "Chat", "command": "chat"},
                    {"name": "ask", "caption": "Questions", "command": "ask"},
                    {"name": "market", "caption": "Market", "command": "market"},
                ],
            )
        ]
        ann.gmcp.clear()
        bob = await come_in(valley, "Bob")
        await bob.type("leave ask", "leave market", "chat hello")
        await bob.catches_up()
        assert ann.gmcp == [("Comm.Channel.Text", {"channel": "chat", "talker": "Bob", "text": '[Chat] Bob: "hello"'})]
        ann.gmcp.clear()
        await ann.send_gmcp("comm.channel.players")
        await ann.catches_up()
        assert ann.gmcp == [
            (
                "Comm.Channel.Players",
                [{"name": "Ann", "channels": ["chat", "ask", "market"]}, {"name": "Bob", "channels": ["chat"]}],
            )
        ]


async def test_a_program_joins_a_channel(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(gmcp=("Comm.Channel 1",))
        await ann.send_gmcp("Comm.Channel.Players")  # nobody asks yet
        await ann.type("Ann", "leave market", "leave ask")
        await ann.sees("You stop listening to ask")
        await ann.catches_up()
        ann.gmcp.clear()
        for wrong in ("xyzzy", 3, None, ["ask"], {"ask": 1}):
            await ann.send_gmcp("Comm.Channel.Enable", wrong)
        await ann.send_gmcp("Comm.Channel.Enable", "ask")
        await ann.sees("You listen to ask.")
        await ann.catches_up()
        assert [[channel["name"] for channel in data] for _, data in ann.gmcp] == [["chat", "ask"]]  # type: ignore[index,union-attr,call-overload]
