"""Arm wrestling: you challenge somebody, it takes a while, and the winner scores."""

from collections import Counter
from collections.abc import Iterator

import trio

from trio_mud import Admitted, Connection, Disconnect, Hooks, Input, Started

rules = Hooks()


def scores(guest: Connection) -> Counter[Connection]:
    found = guest.server.world
    assert isinstance(found, Counter)
    return found


def others(guest: Connection) -> Iterator[Connection]:
    return (other for other in scores(guest) if other is not guest)


@rules.on(Started)
def sweep_the_table(event: Started) -> None:
    event.server.world = Counter()


@rules.on(Admitted)
def sit_down(event: Admitted) -> None:
    scores(event.connection)[event.connection] = 0


@rules.on(Disconnect)
def stand_up(event: Disconnect) -> None:
    scores(event.connection).pop(event.connection, None)


# the mistake
careless = Hooks()
careless.include(rules)


@careless.on(Input)
async def wrestle(event: Input) -> None:
    guest = event.connection
    rival = next(others(guest), None)
    if event.line == "wrestle" and rival is not None:
        guest.write(f"You grasp the hand of {rival.name}.")
        await trio.sleep(2)
        place = list(scores(guest)).index(rival)
        guest.write(f"You beat {rival.name}, who sits in place {place}.")


# the remedy
careful = Hooks()
careful.include(rules)


@careful.on(Input)
async def wrestle_carefully(event: Input) -> None:
    guest = event.connection
    rival = next(others(guest), None)
    if event.line == "wrestle" and rival is not None:
        guest.write(f"You grasp the hand of {rival.name}.")
        await trio.sleep(2)
        if rival not in scores(guest):
            guest.write(f"You hold nothing: {rival.name} has gone.")
            return
        place = list(scores(guest)).index(rival)
        guest.write(f"You beat {rival.name}, who sits in place {place}.")


# the words
WORDS = ["wrestle", "wrestle", "look", "quit"]
