"""Browsers that return by their token: of many tabs with one token one resumes, in every order, and no line is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

import pytest

from trio_mud import Hooks, Input, SessionResumed
from trio_mud.testing import Mud, OpenMud, WebPlayer
from trio_mud.testing.gmcp import Return
from trio_mud.testing.web_wire import WITH_GMCP

STEPS = 3  # of a tab: it connects, presents the token, and types a line


class Lounge:
    """A game in which every session reads what is said, and which counts the returns."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.returns = 0
        self.hooks.on(Input)(self.obey)
        self.hooks.on(SessionResumed)(self.note)

    def obey(self, event: Input) -> None:
        if event.line.startswith("enter "):
            event.connection.server.sessions.enter(event.line.removeprefix("enter "), event.connection, grace=60)
        else:
            for session in event.connection.server.sessions:
                session.write(f"<{event.line}>")

    def note(self, event: SessionResumed) -> None:
        self.returns += 1


class BrowserTab:
    """A tab that has the token of another one."""

    def __init__(self, mud: Mud, number: int, subprotocol: str, returns: Return) -> None:
        self._mud, self._number, self._subprotocol, self._returns = mud, number, subprotocol, returns
        self.player: WebPlayer

    async def step(self, number: int) -> None:
        match number:
            case 0:
                self.player = await self._mud.web_player(self._subprotocol)
            case 1:
                await self.player.send_gmcp("Session.Resume", self._returns._asdict())
            case _:
                await self.player.type(f"tab {self._number}")

    async def all_steps(self) -> None:
        for number in range(STEPS):
            await self.step(number)


def interleavings(tabs: int) -> Iterator[tuple[int, ...]]:
    """All orders of the steps; of tabs that differ in nothing but their number, the first comes first."""
    for order in set(itertools.permutations([tab for tab in range(tabs) for _ in range(STEPS)])):
        if [*dict.fromkeys(order)] == [*range(tabs)]:
            yield order


def drawn_interleavings(tabs: int, count: int) -> Iterator[tuple[int, ...]]:
    """Some of these orders, the same in each run."""
    random = Random(tabs)
    for _ in range(count):
        order = [tab for tab in range(tabs) for _ in range(STEPS)]
        random.shuffle(order)
        yield tuple(order)


def messages(player: WebPlayer) -> list[str]:
    return [package for package, _ in player.gmcp if package.startswith("Session.")]


def said(*players: WebPlayer) -> list[str]:
    return [line for player in players for line in player.screen.split("\n")[:-1] if line[:1] == "<"]


async def race(
    mud: OpenMud, tabs: int, order: tuple[int, ...] | None, *, is_dead: bool, subprotocol: str = WITH_GMCP[0]
) -> None:
    """Let tabs take their steps in an order, or at the same moment; the first link is dead, or swallows its text."""
    lounge = Lounge()
    async with mud(lounge.hooks) as place:
        ann, bob = await place.web_player(subprotocol), await place.web_player()
        await ann.type("enter ann")
        await bob.type("enter bob", "1")
        await ann.sees("<1>")
        ann.go_silent()
        await bob.type("2", "3")
        await bob.sees("<3>")
        if is_dead:
            await ann.vanish()
        assert ann.returns is not None
        rivals = [BrowserTab(place, number, subprotocol, ann.returns) for number in range(tabs)]
        if order is None:
            await place.race(*(rival.all_steps for rival in rivals))
        else:
            done = [0] * tabs
            for number in order:
                await rivals[number].step(done[number])
                done[number] += 1
        await place.pass_time(1)
        winners = [rival.player for rival in rivals if "Session.Resumed" in messages(rival.player)]
        losers = [rival.player for rival in rivals if rival.player not in winners]
        (winner,) = winners
        assert [messages(loser) for loser in losers] == [["Session.Void"]] * (tabs - 1)
        assert messages(winner) == ["Session.Token", "Session.Resumed"]
        assert said(ann, winner) == said(bob)
        assert len(said(bob)) == 3 + tabs
        assert said(*losers) == []
        session = place.server.sessions.get("ann")
        assert session is not None
        assert len(session.connections) == lounge.returns == 1
        if not is_dead:
            ann.plug_in()
            await ann.sees_the_end()
            assert ann.close_code == 4001
        assert [loser.close_code for loser in losers] == [None] * (tabs - 1)


@pytest.mark.parametrize("is_dead", [True, False], ids=["dead", "live"])
async def test_of_two_tabs_one_resumes_in_every_interleaving(mud: OpenMud, is_dead: bool) -> None:
    orders = list(interleavings(2))
    assert len(orders) == 10
    for order in orders:
        await race(mud, 2, order, is_dead=is_dead)


@pytest.mark.slow
async def test_of_three_tabs_one_resumes_in_every_interleaving(mud: OpenMud) -> None:
    orders = list(interleavings(3))
    assert len(orders) == 280
    for number, order in enumerate(orders):
        await race(mud, 3, order, is_dead=bool(number % 2))


@pytest.mark.slow
@pytest.mark.parametrize("tabs", [4, 5])
async def test_of_more_tabs_one_resumes_in_interleavings_that_are_drawn(mud: OpenMud, tabs: int) -> None:
    for number, order in enumerate(drawn_interleavings(tabs, 60)):
        await race(mud, tabs, order, is_dead=bool(number % 2))


@pytest.mark.parametrize("tabs", [2, 3, 4, 5])
@pytest.mark.parametrize("subprotocol", WITH_GMCP)
async def test_of_tabs_that_come_at_the_same_moment_one_resumes(mud: OpenMud, subprotocol: str, tabs: int) -> None:
    for is_dead in (True, False):
        await race(mud, tabs, None, is_dead=is_dead, subprotocol=subprotocol)
