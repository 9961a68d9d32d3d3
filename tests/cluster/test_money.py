"""Stored money is conserved over the deaths of worlds, at whatever step between a line and the database they die."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import msgspec
import pytest
import trio
from trio.testing import MockClock

from trio_mud import Limits
from trio_mud.storage import Changes, Stored, journal, memory
from trio_mud.storage.journal import ChangeJournal
from trio_mud.storage.rows import Fence
from trio_mud.testing import Player
from trio_mud.testing.simulation.determinism import seeded

from ..storage.faulty import FULL
from .bank import BANK, audit, payment
from .conftest import open_split

T = TypeVar("T")
Args = TypeVarTuple("Args")

PAYERS = 2
INTERVAL = 0.01  # seconds between two writes to the database


class SlowDisk:
    """A disk that is slow and fails now and then, and on which nothing lands while it stalls."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._turn = trio.Lock()
        self._stalls_until = 0.0

    def stall(self, seconds: float) -> None:
        """Let nothing land for this long."""
        self._stalls_until = trio.current_time() + seconds

    async def __call__(self, function: Callable[[*Args], T], *args: *Args) -> T:
        async with self._turn:
            await trio.sleep(self._dice.choice((0.0, 0.001, 0.005, 0.02)))
            await trio.sleep_until(max(self._stalls_until, trio.current_time()))
            match args:
                # Not the first one, of what an earlier world has left: if that fails, the world does not start.
                case (_, Changes(fence=Fence(number=number))) if number and self._dice.random() < 0.03:
                    raise FULL
            return function(*args)


async def type_payments(player: Player, name: str, count: int, dice: random.Random) -> None:
    for number in range(count):
        await player.type(payment(name, number, dice))
        await trio.sleep(dice.choice((0.0, 0.001, 0.02)))


def check(stored: Stored, typed: int, players: list[Player]) -> None:
    """The books are right, and each player read each answer once."""
    audit(stored.rows.values(), {f"payer{number}": range(typed) for number in range(len(players))})
    for player in players:
        answers = [int(line.split()[1]) for line in player.screen.split("\n") if line.startswith("ok")]
        assert answers == list(range(typed))


async def play(seed: int, kills: int) -> None:
    """Kill worlds at random moments while players pay, and check what is stored at the end.

    The order in which trio runs its tasks follows from the seed too: a seed that finds a defect finds it every time.
    """
    with seeded(seed):
        await play_in_order(seed, kills)


async def play_in_order(seed: int, kills: int) -> None:
    dice = random.Random(seed)
    stored, typed = Stored(), kills * 12
    async with open_split(latency=0.003, limits=Limits(command_rate=None)) as split:
        disk = SlowDisk(dice)
        world = await split.start_game(BANK, stored, disk, INTERVAL)
        players = [await split.mud.player() for _ in range(PAYERS)]
        async with trio.open_nursery() as nursery:
            for number, player in enumerate(players):
                nursery.start_soon(type_payments, player, f"payer{number}", typed, random.Random(f"{seed}{number}"))
            for _ in range(kills):
                await trio.sleep(dice.choice((0.0, 0.003, 0.01, 0.05, 0.2)))
                match dice.randrange(4):
                    case 0:  # it is cut off, and a write that has begun lands much later
                        world.end.kill()
                        disk.stall(0.2)
                    case 1:  # it is cut off, and goes on to write until its successor starts
                        world.end.kill()
                        await trio.sleep(0.1)
                    case _:
                        world.kill()
                disk = SlowDisk(dice)
                world = await split.start_game(BANK, stored, disk, INTERVAL)
        await trio.sleep(5)
        world.server.shutdown()
        await world.over.wait()
        check(stored, typed, players)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.proof) for seed in range(2, 10))])
async def test_money_is_conserved_over_ten_deaths(autojump_clock: MockClock, seed: int) -> None:
    await play(seed, kills=10)


# Planted defects: each of them is found


def writes_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ChangeJournal._begin_move

    def begin_too_early(self: ChangeJournal) -> Changes | None:
        if self._flying is not None:
            self._waiting.items |= self._flying.items
        return begin(self)

    monkeypatch.setattr(ChangeJournal, "_begin_move", begin_too_early)


def checks_no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "check_fence", lambda stored, fence: msgspec.json.encode(fence))


def ignores_what_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_item_of", lambda key, value: ("nothing", key.decode()))


def forgets_what_has_changed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    end = ChangeJournal._end_move

    def end_and_forget(self: ChangeJournal, *, is_moved: bool) -> None:
        items = self._moving.items if self._moving is not None else {}
        end(self, is_moved=is_moved)
        if is_moved:
            self._obsolete |= dict.fromkeys(items)
            self._waiting.items = {key: item for key, item in self._waiting.items.items() if key not in items}

    monkeypatch.setattr(ChangeJournal, "_end_move", end_and_forget)


@pytest.mark.proof
@pytest.mark.parametrize(
    "plant", [writes_before_the_commit, checks_no_fence, ignores_what_was_left, forgets_what_has_changed_again]
)
async def test_a_planted_defect_loses_money_within_thirty_seeds(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    found = []
    for seed in range(30):
        try:
            await play(seed, kills=10)
        except (AssertionError, KeyError):
            found.append(seed)
            break
    assert found
