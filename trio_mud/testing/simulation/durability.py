"""The invariants of a store: what is acknowledged is kept, and what is kept is the world at one moment.

They compare the content of the database, after every write and so at every possible kill, with every state that the
world had in this life. `simulator` imports them, which registers them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from .invariants import invariant
from .storage_trace import WorldState
from .trace import Trace


@invariant("I-21a")
def what_is_acknowledged_is_kept(trace: Trace) -> Iterator[str]:
    """When a call of `saved` returns, the database contains every change that was made before the call."""
    storage = trace.storage
    if storage is None:
        return
    for (family, key), reason in storage.unreadable.items():
        yield f"{family} {key!r} was stored and cannot be loaded: {reason}"
    for moment, commit in storage.acknowledgments:
        kept = storage.commits[commit]
        if kept not in storage.moments[moment:]:
            yield f"moment {moment} is acknowledged and not kept: {difference(kept, storage.moments[moment])}"


@invariant("I-21b")
def what_is_kept_is_of_one_moment(trace: Trace) -> Iterator[str]:
    """After every write the database is the world between two steps, and a later one than before.

    After the store was closed it is the last one, unless a loss was reported.
    """
    storage, at = trace.storage, 0
    if storage is None:
        return
    for commit in storage.commits:
        # The same state may come again: the earliest possible moment leaves most room for the commits that follow.
        moment = next((index for index in range(at, len(storage.moments)) if storage.moments[index] == commit), None)
        if moment is None:
            nearest = min(storage.moments[at:], key=lambda world: len(_differing(commit, world)))
            yield f"from moment {at} on the world was never what is kept: {difference(commit, nearest)}"
            return
        at = moment
    if storage.is_closed and not storage.is_lossy and storage.commits[-1] != storage.moments[-1]:
        lost = difference(storage.commits[-1], storage.moments[-1])
        yield f"the store was closed and reported no loss, and this is lost: {lost}"


def _differing(kept: WorldState, world: WorldState) -> list[tuple[str, str]]:
    return sorted(place for place in {*kept.rows, *world.rows} if kept.rows.get(place) != world.rows.get(place))


def difference(kept: WorldState, world: WorldState) -> str:
    """Return what differs between kept records and those of a world."""
    texts = [
        f"{family} {key}: kept {kept.rows.get((family, key))}, in the world {world.rows.get((family, key))}"
        for family, key in _differing(kept, world)
    ]
    if kept[1:] != world[1:]:
        texts.append(f"values and entries: kept {kept[1:]}, in the world {world[1:]}")
    return "; ".join(texts)


@invariant("I-21c")
def nothing_is_made_or_lost(trace: Trace) -> Iterator[str]:
    """By the rules of a game that has them, what is kept is right after every write, and so is each step of the world.

    Such rules are about its money, its things, its letters.
    """
    if trace.storage is None:
        return
    for commit in trace.storage.commits:
        if broken := list(trace.judge(commit)):
            yield from broken
            return
    for before, after in pairwise(trace.storage.moments):
        yield from trace.judge_step(before, after)
