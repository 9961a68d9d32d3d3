"""A loss or a failure costs as little as it can: a gap one roll, an item itself, a message itself."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from trio_mud import Hooks, Input
from trio_mud.cluster.remote_link import RemoteLink
from trio_mud.cluster.wire import CaughtUp, KnownFacts, MessageSent, Output, TextSent
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.testing.memory_cluster import MemoryGatewayEnd
from trio_mud.testing.threads import settle
from trio_mud.text import Text

from .conftest import open_split

LOST = 10  # frames


def echo() -> Hooks:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"you say {event.line}"))
    return hooks


async def test_a_gap_of_many_items_is_closed_by_one_roll(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_split() as split:
        world, ann = await split.begin(echo(), "first")
        with monkeypatch.context() as patch:
            patch.setattr(MemoryGatewayEnd, "send", _lose)
            for number in range(LOST):
                await ann.type(f"{number}")
                await settle()
        before = world.service._gateways._last_roll
        await ann.type("last")
        await ann.sees("you say last")
        said = ["first", *map(str, range(LOST)), "last"]
        assert ann.screen.splitlines() == [f"you say {line}" for line in said]
        assert world.service._gateways._last_roll == before + 1


async def _lose(self: MemoryGatewayEnd, frames: object) -> None:
    await settle()


async def test_a_failing_item_of_output_costs_itself(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo(), "hello")
        bad = MessageSent("msdp", "HEALTH", b"no JSON")
        split.gateway._obey(Output([1], (TextSent("before"), bad, TextSent("after"))))
        await ann.sees("after")
        assert "before\nafter" in ann.screen
        assert split.mud.server.counters["messages failed"] == 1
    assert "gateway cannot put out an item MessageSent" in caplog.text


async def test_a_link_that_fails_costs_the_others_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = TelnetLink.write

    def fail_for_ann(self: TelnetLink, text: Text, *, is_last: bool = False) -> bool:
        if text == "all" and self is ann_link:
            raise OverflowError
        return write(self, text, is_last=is_last)

    monkeypatch.setattr(TelnetLink, "write", fail_for_ann)
    async with open_split() as split:
        _, ann = await split.begin(echo(), "hello")
        (ann_link,) = [peer.connection._link for peer in split.gateway._peers.values()]
        bob = await split.mud.player()
        await bob.type("hello")
        await settle()
        split.gateway._obey(Output([1, 2], (TextSent("all"), TextSent("later"))))
        await bob.sees("all\nlater")
        await ann.sees("later")
        assert "all" not in ann.screen


async def test_a_message_of_a_gateway_that_fails_costs_itself_and_no_world(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: RemoteLink, client: KnownFacts) -> None:
        raise OverflowError

    async with open_split() as split:
        world, ann = await split.begin(echo(), "one")
        monkeypatch.setattr(RemoteLink, "learn", fail)
        await ann.send(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x18\xff\xf0")  # its window
        await ann.type("two")
        await ann.sees("you say two")
        assert world.failed is None
        assert world.server.counters["messages failed"] == 1
    assert "the world cannot obey a message FactsLearned of gateway gateway" in caplog.text


async def test_a_tail_that_is_asked_for_by_a_wrong_number_costs_itself(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo(), "one")
        split.gateway._obey(Output([1, 99], (CaughtUp(7, 3), TextSent("after"))))
        await ann.sees("after")
