"""A client that returns through another gateway: the text that it is missing comes from the one that has it."""

from __future__ import annotations

import gc

import pytest
from trio.testing import MockClock

from trio_mud import Hooks, Input, SessionRestored
from trio_mud.cluster import gateway_output
from trio_mud.cluster.gateway_output import Tails
from trio_mud.cluster.wire import MAX_TAIL, TailMoved
from trio_mud.driver.link.tail import Tail
from trio_mud.telnet import Json
from trio_mud.testing import Mud, Player
from trio_mud.testing.threads import settle

from .conftest import RunningGateway, RunningWorld, SplitServer, open_split

SESSION = ("Session",)


def tavern() -> Hooks:
    """A game in which the first line is a name, and everyone in it hears the others."""
    hooks = Hooks()

    @hooks.on(Input)
    def obey(event: Input) -> None:
        connection, server = event.connection, event.connection.server
        if connection.session is None:
            server.sessions.enter(event.line, connection, grace=600)
        else:
            for session in server.sessions:
                session.write(f"<{event.line}>")

    return hooks


async def log_in(mud: Mud, name: str) -> Player:
    player = await mud.player(gmcp=SESSION)
    await mud.pass_time(3)  # its program has named its packages
    await player.type(name)
    await mud.pass_time(3)
    return player


async def come_back(player: Player, gateway: RunningGateway) -> Player:
    """Return through another gateway."""
    back = await gateway.mud.player(gmcp=SESSION, returns=player.returns)
    await gateway.mud.pass_time(3)
    return back


def said(*players: Player) -> list[str]:
    """The whole lines that were said, as the screens of one program show them in turn."""
    return [line for player in players for line in player.screen.split("\n")[:-1] if line.startswith("<")]


def resumed(player: Player) -> dict[str, Json]:
    """The data of its `Session.Resumed`."""
    (data,) = [data for name, data in player.gmcp if name == "Session.Resumed"]
    assert isinstance(data, dict)
    return data


async def begin(split: SplitServer) -> tuple[RunningWorld, RunningGateway, Player, Player]:
    """Start a world and a second gateway; let ann read two lines and miss two."""
    world = await split.start_world(tavern())
    other = await split.start_gateway("other")
    ann, bob = await log_in(split.mud, "ann"), await log_in(other.mud, "bob")
    await bob.type("1", "2")
    await ann.sees("<2>")
    ann.go_silent()
    await bob.type("3", "4")
    await split.mud.pass_time(2)
    return world, other, ann, bob


@pytest.mark.parametrize("notices", [True, False], ids=["the link is dead", "the server has not noticed"])
async def test_each_line_comes_once_whichever_gateway_the_client_returns_by(
    autojump_clock: MockClock, notices: bool
) -> None:
    async with open_split(latency=0.01) as split:
        _, other, ann, bob = await begin(split)
        if notices:
            await ann.vanish()
            await split.mud.pass_time(1)
            await bob.type("5")
            await split.mud.pass_time(1)
        back = await come_back(ann, other)
        await bob.type("6")
        await split.mud.pass_time(1)
        assert said(ann, back) == [f"<{number}>" for number in ("123456" if notices else "12346")]
        assert (resumed(back)["missed"], resumed(back)["lost"]) == (2, 0)


@pytest.mark.parametrize("is_noticed", [True, False], ids=["the link is dead", "no side has noticed"])
@pytest.mark.parametrize("returns_by", ["its gateway", "another gateway"])
async def test_each_line_comes_once_although_the_world_dies_before_the_client_returns(
    autojump_clock: MockClock, returns_by: str, is_noticed: bool
) -> None:
    async with open_split(latency=0.01) as split:
        world, other, ann, bob = await begin(split)
        if is_noticed:
            await ann.vanish()
            await split.mud.pass_time(1)
        world.end.kill()
        hooks = tavern()
        hooks.on(SessionRestored)(lambda event: None)
        await split.start_world(hooks)
        await split.mud.pass_time(1)
        await ann.vanish()
        mud = split.mud if returns_by == "its gateway" else other.mud
        back = await mud.player(gmcp=SESSION, returns=ann.returns)
        await split.mud.pass_time(3)
        await bob.type("5")
        await split.mud.pass_time(1)
        assert said(ann, back) == [f"<{number}>" for number in "12345"]
        assert (resumed(back)["missed"], resumed(back)["lost"]) == (2, 0)


async def test_a_token_that_is_void_is_not_good_in_the_next_world(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(tavern())
        ann = await log_in(split.mud, "ann")
        other = await split.mud.player()
        await other.type("ann")  # takes the session over, with a program that gets no token
        await split.mud.pass_time(1)
        await other.vanish()
        await split.mud.pass_time(1)
        world.end.kill()
        hooks = tavern()
        hooks.on(SessionRestored)(lambda event: None)
        world = await split.start_world(hooks)
        back = await split.mud.player(gmcp=SESSION, returns=ann.returns)
        await split.mud.pass_time(3)
        assert "Session.Void" in [name for name, _ in back.gmcp]
        assert "Session.Resumed" not in [name for name, _ in back.gmcp]


async def test_a_client_that_goes_there_and_back_reads_each_line_once(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        _, other, ann, bob = await begin(split)
        links, number = [ann], 5
        for gateway in (other, RunningGateway(split.gateway, split.mud, split.mud.listener), other):
            await links[-1].vanish()
            links.append(await come_back(links[-1], gateway))
            links[-1].go_silent()
            await bob.type(str(number))
            await settle()
            number += 1
        await links[-1].vanish()
        links.append(await come_back(links[-1], other))
        assert said(*links) == [f"<{each}>" for each in range(1, number)]


async def test_text_that_is_written_while_the_tail_is_on_its_way_follows_it(autojump_clock: MockClock) -> None:
    async with open_split(latency=0.5) as split:
        _, other, ann, bob = await begin(split)
        await ann.vanish()
        await split.mud.pass_time(5)
        back = await other.mud.player(gmcp=SESSION, returns=ann.returns)
        for number in range(5, 9):
            await bob.type(str(number))
            await split.mud.pass_time(0.4)
        await split.mud.pass_time(5)
        assert said(ann, back) == [f"<{number}>" for number in range(1, 9)]


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
async def test_a_client_whose_gateway_is_gone_learns_that_lines_may_be_lost(
    autojump_clock: MockClock, moment: str
) -> None:
    async with open_split(latency=0.2) as split:
        world, other, ann, bob = await begin(split)
        await split.mud.pass_time(2)
        split.cluster._down.pop("gateway")  # it is killed, and receives nothing
        if moment == "before":
            world.service._lose_gateway("gateway")
            await split.mud.pass_time(2)
        back = await other.mud.player(gmcp=SESSION, returns=ann.returns)
        await split.mud.pass_time(2)
        if moment == "meanwhile":
            assert said(back) == []  # its text waits for the tail
            world.service._lose_gateway("gateway")
        await bob.type("9")
        await split.mud.pass_time(2)
        assert resumed(back) == {"lines": 0, "missed": 0, "lost": None}
        assert said(back)[-1] == "<9>"
        assert not world.service.tails

        back.go_silent()
        await bob.type("10")
        await split.mud.pass_time(2)
        await back.vanish()
        again = await come_back(back, other)
        await split.mud.pass_time(2)
        assert (resumed(again)["missed"], resumed(again)["lost"]) == (1, 0)  # it counts from there


async def test_a_link_that_ends_while_it_waits_for_a_tail_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_split(latency=0.5) as split:
        world, other, ann, _ = await begin(split)
        await ann.vanish()
        await split.mud.pass_time(5)
        back = await other.mud.player(gmcp=SESSION, returns=ann.returns)
        while not world.service.tails:
            await split.mud.pass_time(0.1)
        await back.vanish()
        await split.mud.pass_time(10)
        assert not world.service.tails
        assert len(world.service._links) == 1


async def test_an_answer_that_is_lost_with_the_data_of_the_cluster_link_is_asked_for_again(
    autojump_clock: MockClock,
) -> None:
    async with open_split(latency=0.5) as split:
        world, other, ann, _ = await begin(split)
        await ann.vanish()
        await split.mud.pass_time(5)
        back = await other.mud.player(gmcp=SESSION, returns=ann.returns)
        while not world.service.tails:
            await split.mud.pass_time(0.1)
        split.gateway._given.clear()
        world.service._greet("gateway")  # as after a lost commit
        await split.mud.pass_time(10)
        assert said(ann, back) == ["<1>", "<2>", "<3>", "<4>"]


async def test_a_client_whose_tail_its_gateway_has_dropped_learns_that_lines_may_be_lost(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_output, "MOST_TAILS", 0)
    async with open_split() as split:
        _, _, ann, bob = await begin(split)
        await ann.vanish()
        await split.mud.pass_time(5)
        gc.collect()  # the link that has ended had the tail
        back = await split.mud.player(gmcp=SESSION, returns=ann.returns)
        await split.mud.pass_time(3)
        assert resumed(back)["lost"] is None
        await bob.type("5")
        await back.sees("<5>")


async def test_the_first_client_of_a_session_that_names_the_package_has_lost_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world = await split.start_world(tavern())
        ann = await split.mud.player()
        await ann.type("ann")
        await split.mud.pass_time(1)
        (session,) = world.server.sessions
        back = await split.mud.player(gmcp=SESSION)
        await back.send_gmcp("Session.Resume", {"token": session.resume_token(), "lines": 3})
        await split.mud.pass_time(3)
        assert resumed(back)["lost"] == 0


async def test_tails_survive_the_roll(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, other, ann, bob = await begin(split)
        world.service._greet("gateway")
        world.service._greet("other")
        await settle()
        await ann.vanish()
        back = await come_back(ann, other)
        await bob.type("5")
        await settle()
        assert said(ann, back) == ["<1>", "<2>", "<3>", "<4>", "<5>"]


def test_the_tails_of_ended_links_are_bounded_and_those_of_live_ones_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_output, "MOST_TAILS", 3)
    tails = Tails()
    live = tails.get(1000, 100)
    live.add(b"alive\n")
    for number in range(10):
        tail = Tail(100, number)
        tail.add(b"%d\n" % number)
        tails.keep(tail)
        del tail
    assert [tails.give(number).lines for number in range(10)] == [-1] * 7 + [1] * 3
    assert tails.give(1000).data == b"alive\n"


def test_of_a_very_long_tail_the_end_moves_in_whole_lines() -> None:
    tails, tail = Tails(), Tail(3 * MAX_TAIL, 7)
    tails.keep(tail)
    for number in range(5):
        tail.add(b"%d" % number * (MAX_TAIL // 2) + b"\n")
    given = tails.give(7)
    assert given.lines == 5
    assert len(given.data) <= MAX_TAIL
    assert given.data[:1] == b"4"
    assert given.data.count(b"\n") == 1

    there = Tails()
    there.take(TailMoved(7, given.lines, given.data), 3 * MAX_TAIL)
    missing = there.get(7, 0).missing(2)
    assert (missing.lines, missing.lost) == (1, 2)


def test_a_limit_of_the_other_gateway_keeps_the_count() -> None:
    tails = Tails()
    tails.take(TailMoved(7, 100, b"a\nbb\nccc\n"), 6)
    missing = tails.get(7, 0).missing(98)
    assert (missing.text, missing.first, missing.lines, missing.lost) == (b"ccc\n", 99, 1, 1)
