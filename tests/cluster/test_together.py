"""Lines that are typed together cross together: a frame of many lines costs hardly more than one of few."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from trio.testing import MockClock

from trio_mud import Limits
from trio_mud.cluster import gateway_peer
from trio_mud.cluster.frames import decode_up
from trio_mud.cluster.wire import KnownFacts, LineTyped
from trio_mud.driver.connection.connection import Connection
from trio_mud.testing.threads import settle

from .conftest import SplitServer, open_split
from .test_deaths import answers, echo

FEW = Limits(batch_size=5, command_rate=None)


def lines_by_frame(split: SplitServer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of lines of each frame from here on."""
    counts: list[int] = []
    deliver = split.gateway._end.send

    async def send(frames: Sequence[bytes]) -> None:
        for frame in frames:
            lines = [message for message in decode_up(frame).messages if isinstance(message, LineTyped)]
            counts.extend([len(lines)] if lines else [])
        await deliver(frames)

    monkeypatch.setattr(split.gateway._end, "send", send)
    return counts


async def test_lines_that_wait_for_the_dispatcher_cross_in_one_frame(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_split(limits=FEW) as split:
        await split.start_world(echo("world"))
        players = [await split.mud.player() for _ in range(5)]
        await settle()
        counts = lines_by_frame(split, monkeypatch)
        for player in players:
            split.mud.nursery.start_soon(player.send, b"1\r\n2\r\n3\r\n4\r\n")
        await settle()
        assert [answers(player) for player in players] == [["1", "2", "3", "4"]] * 5
        assert counts == [20]


async def test_a_flood_holds_no_frame_back_for_long(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_split(limits=FEW) as split:
        await split.start_world(echo("world"))
        players = [await split.mud.player() for _ in range(20)]
        await settle()
        counts = lines_by_frame(split, monkeypatch)
        for player in players:
            split.mud.nursery.start_soon(player.send, b"go\r\n" * 20)
        await settle()
        assert sum(counts) == 400
        assert max(counts) <= 100


async def test_facts_are_compared_once_for_all_lines_of_one_read(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    facts_of = gateway_peer._facts_of

    def compare(connection: Connection) -> KnownFacts:
        compared.append(connection)
        return facts_of(connection)

    async with open_split(limits=Limits(batch_size=1, command_rate=None)) as split:
        await split.start_world(echo("world"))
        ann = await split.mud.player()
        await split.mud.pass_time(5)
        monkeypatch.setattr(gateway_peer, "_facts_of", compare)
        monkeypatch.setattr("trio_mud.cluster.gateway.MOST_GATHERED", 0)
        await ann.send(b"1\r\n2\r\n3\r\n4\r\n")
        await settle()
        assert answers(ann) == ["1", "2", "3", "4"]
        assert len(compared) == 1
