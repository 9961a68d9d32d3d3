"""Admission before the login: chance for visitors, places for players, and limits for networks."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from trio_mud import Admitted, Connect, Hooks, Input, Limits
from trio_mud.testing import OpenMud
from trio_mud.testing.threads import settle

from ..conftest import EventLog

WIDE = Limits(
    max_per_address=None,
    accept_rate=None,
    accept_rate_per_address=None,
    max_without_session=30,
    free_without_session=10,
)


def game() -> Hooks:
    """A game in which those who type their name have a session."""
    hooks = Hooks()

    @hooks.on(Input)
    def enter(event: Input) -> None:
        if event.connection.session is None:
            event.connection.server.sessions.enter(event.line, event.connection)
        event.connection.write(f"heard {event.line}")

    return hooks


async def test_visitors_without_a_session_are_dropped_by_chance_and_players_are_not_counted(mud: OpenMud) -> None:
    async with mud(game(), limits=WIDE) as place:
        asked = []

        def half() -> float:
            asked.append(len(place.server.connections))
            return 0.5

        place.server._tree.admission.random = half
        players = [await place.player() for _ in range(8)]
        for number, player in enumerate(players):
            await player.type(f"player {number}")
            await player.sees("heard")
        for _ in range(40):
            place.connect()
        await trio.sleep(1)
        # A half is less than (n - 10) / 20 from the eleventh too many on; those refused leave the others' number.
        assert len(place.server.connections) == 8 + 20
        assert place.server.counters["refused without a session"] == 20
        assert place.server.counters["refused: too many from here"] == 20
        assert len(asked) == 30, "the first ten cost no chance"
        await players[0].type("again")
        await players[0].sees("heard again")


async def test_past_the_limit_every_visitor_without_a_session_is_refused(mud: OpenMud) -> None:
    async with mud(game(), limits=WIDE) as place:
        place.server._tree.admission.random = lambda: 1.0
        first = await place.player()
        await first.type("Ann")
        await first.sees("heard Ann")
        for _ in range(50):
            place.connect()
        await trio.sleep(1)
        assert len(place.server.connections) == 1 + 30
        refused = await place.player()
        assert "Many people are at the door" in await refused.sees_the_end()


async def test_a_visitor_who_enters_a_session_frees_a_place(mud: OpenMud) -> None:
    async with mud(game(), limits=WIDE) as place:
        place.server._tree.admission.random = lambda: 1.0
        visitors = [await place.player() for _ in range(31)]
        await visitors[0].type("Ann")
        await visitors[0].sees("heard Ann")
        await (await place.player()).sees_the_end()
        await visitors[1].type("Bob")
        await visitors[1].sees("heard Bob")
        another = await place.player()
        await another.type("Cid")
        await another.sees("heard Cid")


async def test_a_game_without_sessions_drops_no_one_early(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=WIDE) as place:
        for _ in range(50):
            place.connect()
        await trio.sleep(1)
        assert len(place.server.connections) == 50


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        ([f"192.0.2.{number}" for number in range(4)], 2),
        ([f"192.0.{number}.1" for number in range(4)], 4),
        ([f"2001:db8:1:{number}::1" for number in range(4)], 2),
        ([f"2001:db8:{number}::1" for number in range(1, 5)], 4),
        ([f"64:ff9b::192.0.2.{number}" for number in range(4)], 2),
        ([f"2002:c000:2{number:02x}::1" for number in range(4)], 2),
        (["a gateway"] * 4, 4),
    ],
)
async def test_so_many_come_from_one_network(mud: OpenMud, addresses: list[str], admitted: int) -> None:
    admissions = Counter[str]()
    hooks = Hooks()

    @hooks.on(Admitted)
    def count(event: Admitted) -> None:
        admissions[event.connection.address] += 1

    async with mud(hooks, limits=Limits(max_per_address=None, max_per_prefix=2)) as place:
        visitors = [await place.player(address=address) for address in addresses]
        assert len(place.server.connections) == admitted
        assert place.server.counters["refused by network"] == len(addresses) - admitted
        assert sum(admissions.values()) == admitted
        await visitors[0].hang_up()
        await trio.sleep(1)
        await place.player(address=addresses[0])
        assert sum(admissions.values()) == admitted + 1


@pytest.mark.slow
async def test_a_flood_from_many_networks_keeps_no_player_waiting(mud: OpenMud) -> None:
    """Five thousand connect within ten seconds; every refusal is counted by its cause, and players are answered."""
    limits = Limits(accept_rate=None, max_connections=1000)
    async with mud(game(), limits=limits) as place:
        players = [await place.player(address=f"172.16.{number}.1") for number in range(20)]
        for number, player in enumerate(players):
            await player.type(f"player {number}")
            await player.sees("heard")
        for number in range(5000):
            place.connect(address=f"10.{number % 1000 // 250}.{number % 250}.{number // 1000}")
            if number % 500 == 0:
                await trio.sleep(1)
                for player in players:
                    await player.type("look")
                    await player.sees("heard look")
        await trio.sleep(1)
        counters = place.server.counters
        strangers = len(place.server.connections) - 20
        assert 200 < strangers <= 400
        assert counters["accepted"] == 5020
        assert counters["refused without a session"] == counters["refused: too many from here"] > 0
        assert counters["refused: too many from here"] + counters["refused: full"] == 5000 - strangers


async def test_a_banned_network_is_refused_with_its_text_and_others_come_in(mud: OpenMud) -> None:
    seen: list[bool] = []
    hooks = Hooks()
    hooks.on(Connect)(lambda event: seen.append(event.connection.is_refused))
    async with mud(hooks) as place:
        place.server.ban("192.0.2.0/24", "Not you.")
        refused = await place.player(address="192.0.2.77")
        assert (await refused.sees_the_end()).strip() == "Not you."
        await place.player(address="192.0.3.77")
        assert len(place.server.connections) == 1
        assert seen == [True, False]
        assert place.server.counters["vetoed: banned"] == 1
        place.server.unban("192.0.2.0/24")
        await settle()
        await place.player(address="192.0.2.77")
        assert len(place.server.connections) == 2


async def test_a_ban_ends_by_itself(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        place.server.ban("2001:db8::/32", seconds=60)
        refused = await place.player(address="2001:db8::1")
        assert (await refused.sees_the_end()).strip() == place.server.texts.refused
        await place.pass_time(60)
        await place.player(address="2001:db8::1")
        assert len(place.server.connections) == 1


async def test_a_ban_of_what_is_no_network_is_refused(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        for network in ("nowhere", "192.0.2.1/24", ""):
            with pytest.raises(ValueError, match=r"does not appear|host bits"):
                place.server.ban(network)
            with pytest.raises(ValueError, match=r"does not appear|host bits"):
                place.server.unban(network)
