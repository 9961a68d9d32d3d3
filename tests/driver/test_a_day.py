"""A day in the life of a server, in virtual time."""

from __future__ import annotations

import pytest
import trio
import trio.abc
import trio.lowlevel

from trio_mud import Input, Limits, LinkLost, SessionEnded, SessionResumed, SessionStarted
from trio_mud.testing import OpenMud

from .conftest import EventLog, settled

PLAYERS = 10
DAY = 24 * 3600  # seconds


class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks, which measure work on every machine alike."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


@pytest.mark.slow
async def test_a_day_of_ten_players_with_keepalives_and_graces_costs_a_few_steps_a_minute_and_leaves_nothing_behind(
    mud: OpenMud, witness: EventLog
) -> None:
    """No body, no timer, no tick too many."""
    ticks: list[float] = []
    stays = {SessionStarted: 0, LinkLost: 0, SessionResumed: 0, SessionEnded: 0}
    for kind in stays:
        witness.hooks.on(kind)(lambda event: stays.__setitem__(type(event), stays[type(event)] + 1))

    @witness.hooks.on(Input)
    def enter(event: Input) -> None:
        if event.connection.session is None:
            event.connection.server.sessions.enter(event.line, event.connection, grace=300)

    limits = Limits(keepalive_interval=60, idle_timeout=2 * DAY)
    steps = Steps()
    async with mud(witness.hooks, limits=limits) as place:
        place.server.every(60, lambda: ticks.append(trio.current_time()))
        players = [await place.player() for _ in range(PLAYERS)]
        for number, player in enumerate(players):
            await player.type(f"player {number}")
        await settled()
        trio.lowlevel.add_instrument(steps)
        for hour in range(24):
            lost = hour % PLAYERS
            await players[lost].vanish()
            await trio.sleep(100 if hour % 2 else 400)  # back within the grace, or too late
            players[lost] = await place.player()
            await players[lost].type(f"player {lost}")
            await trio.sleep(3600 - (100 if hour % 2 else 400))
        await trio.sleep(1)
        trio.lowlevel.remove_instrument(steps)
        assert len(ticks) == DAY // 60
        assert len(place.server.sessions) == PLAYERS
        server = place.server
    assert stays == {SessionStarted: PLAYERS + 12, LinkLost: 24, SessionResumed: 12, SessionEnded: PLAYERS + 12}
    assert len(server._context.timers) == 0
    assert PLAYERS * DAY // 60 < steps.count < 8 * PLAYERS * DAY // 60  # for each player in each minute
