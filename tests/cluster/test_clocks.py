"""The clocks of two hosts differ: no time of day crosses the cluster link."""

from __future__ import annotations

import time
from typing import get_args

import msgspec
import pytest
from trio.testing import MockClock

from trio_mud import Hooks
from trio_mud.cluster import wire
from trio_mud.testing.threads import settle

from .conftest import open_split

DURATIONS = {"waits", "seconds"}  # fields that hold fractions of seconds


def test_no_message_carries_a_time_of_day() -> None:
    kinds = [*get_args(wire.Up), *get_args(wire.Down), *get_args(wire.Item)]
    fractions = {field.name for kind in kinds for field in msgspec.structs.fields(kind) if "float" in str(field.type)}
    assert fractions == DURATIONS


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_a_ban_ends_at_the_same_moment_whatever_the_clocks_of_the_hosts_say(
    autojump_clock: MockClock, hours: int
) -> None:
    async with open_split() as split:
        world = await split.start_world(Hooks())
        split.mud.server.wall_clock = lambda: time.time() + hours * 3600
        await split.mud.player()
        world.server.ban("192.0.2.0/24", "Not you.", seconds=30)
        await settle()
        await split.mud.pass_time(29)
        refused = await split.mud.player(address="192.0.2.7")
        assert (await refused.sees_the_end()).strip() == "Not you."
        await split.mud.pass_time(2)
        await split.mud.player(address="192.0.2.7")
        assert len(world.server.connections) == 2
