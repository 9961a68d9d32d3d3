"""Bans and limits over all gateways: the world decides, and banned visitors are refused at the gateways."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from trio_mud import Connect, Hooks, Limits, Started, Texts
from trio_mud.testing import Mud
from trio_mud.testing.threads import settle

from .conftest import open_split


async def refusal(mud: Mud, address: str) -> str:
    """Connect from an address; return the text of the refusal, or "" after an admission."""
    pipe = mud.connect(address=address)
    admitted = len(mud.server.connections)
    await mud.pass_time(1)
    if len(mud.server.connections) > admitted:
        return ""
    read = b""
    while data := await pipe.client.receive_some():
        read += data
    return read.decode().strip()


async def test_a_ban_reaches_every_gateway_and_is_enforced_while_no_world_answers(autojump_clock: MockClock) -> None:
    asked: list[str] = []
    hooks = Hooks()
    hooks.on(Connect)(lambda event: asked.append(event.connection.address))
    async with open_split() as split:
        other = await split.start_gateway("other")
        world = await split.start_world(hooks)
        assert await refusal(split.mud, "10.9.0.1") == ""
        world.server.ban("192.0.2.0/24", "Not you.")
        await settle()
        world.end.kill()
        asked.clear()
        for gateway in (split.mud, other.mud):
            assert await refusal(gateway, "192.0.2.7") == "Not you."
        assert asked == []


async def test_bans_from_before_the_first_visitor_and_for_later_gateways(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(Hooks())
        world.server.ban("192.0.2.0/24", "Not you.")
        assert await refusal(split.mud, "192.0.2.7") == "Not you."  # the world refuses the first one
        later = await split.start_gateway("later")
        await settle()
        world.end.kill()
        for gateway in (split.mud, later.mud):
            assert await refusal(gateway, "192.0.2.8") == "Not you."


async def test_bans_of_the_start_of_a_world_reach_a_gateway_before_its_first_visitor(
    autojump_clock: MockClock,
) -> None:
    hooks = Hooks()
    hooks.on(Started)(lambda event: event.server.ban("192.0.2.0/24", "Not you."))
    async with open_split() as split:
        await split.start_world(hooks)
        await settle()
        assert [ban.network for ban in split.mud.server._bans] == ["192.0.2.0/24"]


async def test_a_ban_that_is_lifted_or_ends_is_lifted_at_the_gateways(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(Hooks())
        assert await refusal(split.mud, "10.9.0.1") == ""
        world.server.ban("192.0.2.0/24", "Not you.")
        world.server.ban("198.51.100.0/24", "Not now.", seconds=60)
        assert await refusal(split.mud, "192.0.2.7") == "Not you."
        assert await refusal(split.mud, "198.51.100.7") == "Not now."
        world.server.unban("192.0.2.0/24")
        await split.mud.pass_time(60)
        assert await refusal(split.mud, "192.0.2.7") == ""
        assert await refusal(split.mud, "198.51.100.7") == ""


async def test_the_bans_of_a_new_world_take_the_place_of_the_earlier_ones(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first = await split.start_world(Hooks())
        assert await refusal(split.mud, "10.9.0.1") == ""
        first.server.ban("192.0.2.0/24", "Not you.")
        await settle()
        first.end.kill()
        second = await split.start_world(Hooks())
        second.server.ban("198.51.100.0/24", "Not you either.")
        await settle()
        assert await refusal(split.mud, "192.0.2.7") == ""
        assert await refusal(split.mud, "198.51.100.7") == "Not you either."


@pytest.mark.parametrize("known", [True, False])
async def test_a_ban_is_refused_by_the_world_too_if_a_gateway_does_not_know_it(
    autojump_clock: MockClock, known: bool
) -> None:
    async with open_split() as split:
        world = await split.start_world(Hooks())
        assert await refusal(split.mud, "10.9.0.1") == ""
        world.server.ban("192.0.2.0/24", "Not you.")
        await settle()
        if not known:
            split.mud.server.unban("192.0.2.0/24")  # the message was lost
        assert await refusal(split.mud, "192.0.2.7") == "Not you."


async def test_connections_of_an_address_are_counted_over_all_gateways(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(max_per_address=3, max_per_prefix=5)) as split:
        other = await split.start_gateway("other")
        world = await split.start_world(Hooks())
        places = [split.mud, other.mud, split.mud]
        assert [await refusal(place, "192.0.2.1") for place in places] == [""] * 3
        too_many = Texts().too_many_from_address
        assert await refusal(other.mud, "192.0.2.1") == too_many
        assert [await refusal(place, "192.0.2.2") for place in (split.mud, other.mud)] == [""] * 2
        assert await refusal(split.mud, "192.0.2.3") == too_many  # of the network
        assert world.server.counters["refused by address"] == 1
        assert world.server.counters["refused by network"] == 1


async def test_all_connections_are_counted_over_all_gateways(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(max_connections=4)) as split:
        other = await split.start_gateway("other")
        await split.start_world(Hooks())
        for number, place in enumerate([split.mud, other.mud, other.mud, split.mud]):
            assert await refusal(place, f"192.0.2.{number}") == ""
        for place in (split.mud, other.mud):
            assert await refusal(place, "198.51.100.1") == Texts().server_full


async def test_places_of_a_gateway_that_is_lost_are_free_again(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(max_per_address=2)) as split:
        other = await split.start_gateway("other")
        world = await split.start_world(Hooks())
        for _ in range(2):
            assert await refusal(split.mud, "192.0.2.1") == ""
        assert await refusal(other.mud, "192.0.2.1") == Texts().too_many_from_address
        world.service._lose_gateway("gateway")
        await settle()
        assert await refusal(other.mud, "192.0.2.1") == ""


async def test_what_the_world_says_before_a_gateway_has_started_is_obeyed(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(Hooks())
        world.server.mssp = {"NAME": "The Split"}
        assert await refusal(split.mud, "10.9.0.1") == ""
        world.server.ban("192.0.2.0/24", "Not you.")
        await settle()
        later = await split.start_gateway("later")
        await settle()
        assert later.mud.server.mssp["NAME"] == "The Split"
        assert await refusal(later.mud, "192.0.2.7") == "Not you."


async def test_a_gateway_has_the_name_of_the_game_before_anyone_connects(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Started)
    def name_it(event: Started) -> None:
        event.server.mssp["NAME"] = "Inn"  # for the title of the page

    async with open_split() as split:
        await split.start_world(hooks)
        later = await split.start_gateway("later")
        await split.mud.pass_time(3)
        assert split.mud.server.mssp["NAME"] == later.mud.server.mssp["NAME"] == "Inn"
