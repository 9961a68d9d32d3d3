"""The doors: each transport has one, and a transport of the game cannot break the count."""

from __future__ import annotations

from collections import Counter

import pytest
import trio.testing

from tests.driver.conftest import FakeTransport
from trio_mud import Hooks, MasterServer
from trio_mud.driver.link.traffic import count_at, door_of
from trio_mud.transports.site import Site
from trio_mud.transports.websocket import WebSocketTransport

from .memory_link import MemoryListener


class _Secure(FakeTransport):
    is_secure = True


class _Broken:
    @property
    def channel(self) -> object:
        raise LookupError("of the game")


@pytest.mark.parametrize(
    ("transport", "door"),
    [
        (FakeTransport(), "telnet"),
        (_Secure(), "tls"),
        (WebSocketTransport(FakeTransport(), Site({})), "web"),
        (WebSocketTransport(_Secure(), Site({})), "web"),
        (_Broken(), "telnet"),
        (object(), "telnet"),
    ],
)
def test_each_transport_has_a_door(transport: object, door: str) -> None:
    assert door_of(transport) == door


def test_an_occurrence_is_counted_in_total_and_for_its_door() -> None:
    counters: Counter[str] = Counter()
    count_at(counters, "accepted", "tls")
    count_at(counters, "accepted", "web")
    assert counters == {"accepted": 2, "accepted: tls": 1, "accepted: web": 1}


async def test_a_link_of_the_games_own_is_another_door(autojump_clock: trio.testing.MockClock) -> None:
    server, listener = MasterServer(Hooks()), MemoryListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        listener.connect()
        await trio.testing.wait_all_tasks_blocked()
        assert server.counters["accepted: other"] == server.counters["admitted: other"] == 1
        assert {traffic.door: traffic.received for traffic in server._link_host.traffic.values()} == {
            "telnet": 0,
            "tls": 0,
            "web": 0,
            "other": 0,
        }
        server.shutdown()
