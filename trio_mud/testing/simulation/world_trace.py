"""What must hold of any world after every step: each thing is in one place, and each call comes in time (I-31, I-29).

It looks at the things themselves, and not at what the world noted about them: every thing in memory is in exactly one
place, its place lists it, and a chain of places leads to a room or to a traveller. After a restart the world is what
was kept.

`trace` has it, for a game with things; `harness` makes it when the store is open.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ...world import Door, Room, Thing, Traveller, World
from . import inside
from .storage_trace import WORLD_TIME, WorldState

Call = tuple[str, str]  # the key of a thing, and the name of a method

ROUNDING: Final = 0.001  # seconds
LATE: Final = 6.0  # seconds; no timer waits as long, while hooks hang
SET_BACK: Final = 60.0  # seconds by which a crash sets the clock back at most
_FAMILY: Final = "thing"


class WorldTrace:
    """The record of one life."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stops: dict[str, float | None] = {}  # when the time of a kept traveller stopped; None if that is unknown
        self._due: dict[Call, float] = {}  # the times of calls of things whose time runs
        self._left: dict[Call, float] = {}  # the seconds that are left for the others
        self._seen: set[str] = set()  # keys of travellers that were in the game
        self._moment = -1  # the state that was looked at last
        self._next_call = math.inf  # the world time of the first call in it

    def at_opening(self, kept: WorldState, opened: WorldState, before: WorldTrace | None) -> Iterator[str]:
        """Yield what the start of the game changed in the world that was kept; nothing for a new world."""
        old, new = (_things_in(state) for state in (kept, opened))
        if not old:
            return
        if WORLD_TIME not in kept.values and any(fields.get("due") for fields in old.values()):
            yield "things with due calls were kept, and the time was not"
            return
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                yield f"{key!r} was kept, and is lost by the start"
            elif key not in old:
                yield f"{key!r} is made by the start, of {new[key].get('template')!r}, and was not kept"
            elif old[key].get("place") not in (None, new[key].get("place")):  # None: with a guest, who is not stored
                was, now = old[key].get("place"), new[key].get("place")
                yield f"{key!r} was kept in {was!r}, and is in {now!r} after the start"
        self._stops = dict(_stops(kept, old, before))
        now_kept = _time(kept)
        for key, fields in old.items():
            owner = kept.rows[_FAMILY, key][2]
            stop = self._stops[owner] if owner else now_kept
            self._left |= {(key, name): at - stop for name, at in fields.get("due", ()) if stop is not None}

    def after_step(self, moment: int, *, is_serving: bool) -> Iterator[tuple[str, str]]:
        """Yield what is wrong now, with the number of its invariant.

        Args:
            moment: A number that differs from the last one if any record has changed. Most steps change none, and
                looking at every thing is most of the cost of a seed.
            is_serving: True while due calls are made.
        """
        world = self._world
        now = world.clock.now
        if moment != self._moment or (is_serving and self._next_call < now - LATE):
            self._moment, self._next_call = moment, math.inf
            for thing in inside.things(world):
                for text in self._check_place(thing):
                    yield "I-31", text
                for text in self._check_calls(thing, now, is_serving=is_serving):
                    yield "I-29", text
        if is_serving and (stored := world.store.value(WORLD_TIME)) is not None and stored < now - SET_BACK - LATE:
            yield "I-29", f"the time is {now:g}, and was last stored at {stored:g}"

    def _check_place(self, thing: Thing) -> Iterator[str]:
        for inner in thing.contents:
            if inner.place is not thing:
                yield f"{inner!r} is among the contents of {thing!r}, and its place is {inner.place!r}"
            if not inside.is_added(inner):
                yield f"{inner!r} is among the contents of {thing!r}, and in no world"
        place = thing.place
        if place is None:
            if not isinstance(thing, Room | Door | Traveller):
                yield f"{thing!r} is nowhere"
            return
        if not inside.is_added(place):
            yield f"{thing!r} is in {place!r}, which is in no world"
        if place.contents.count(thing) != inside.is_there(thing):
            yield f"{thing!r} is {place.contents.count(thing)} times among the contents of its place {place!r}"
        steps, at = 0, thing.place
        while at is not None and not isinstance(at, Room | Traveller):
            steps, at = steps + 1, at.place
            if steps > 1000:
                yield f"{thing!r} is inside itself"
                return
        if at is None:
            yield f"{thing!r} is in {place!r}, and in no room"

    def _check_calls(self, thing: Thing, now: float, *, is_serving: bool) -> Iterator[str]:
        owner = thing.owner
        if inside.is_in_world(thing) != (owner is None or inside.is_there(owner)):
            yield f"the time of {thing!r} {'runs' if inside.is_in_world(thing) else 'stands'}, and it is with {owner!r}"
        if self._left:  # a call may be cancelled while its time stands
            names = {name for name, _ in thing.due}
            for key, name in [left for left in self._left if left[0] == thing.key and left[1] not in names]:
                del self._left[key, name]
        if not inside.is_in_world(thing):
            for name, _ in thing.due:
                if (at := self._due.pop((thing.key, name), None)) is not None:
                    self._left[thing.key, name] = at - now
            return
        if isinstance(thing, Traveller):
            self._seen.add(thing.key)
        for name, at in thing.due:
            left = self._left.pop((thing.key, name), None)
            if left is not None and abs(at - now - left) > ROUNDING:
                yield f"{name} of {thing!r} was due in {left:g} s when its time stopped, and is in {at - now:g} s now"
            if is_serving and at < now - LATE:
                yield f"{name} of {thing!r} was due at {at:g}, and is not made at {now:g}"
            self._due[thing.key, name] = at
            self._next_call = min(self._next_call, at)


def judge_places(kept: WorldState, kind_of: Callable[[str], type[Thing]]) -> Iterator[str]:
    """Yield what is wrong with the kept rows of things: a place that is not kept, a cycle, or a wrong owner."""
    things = _things_in(kept)
    for key, fields in things.items():
        at, owner, seen = key, "", set[str]()
        while at and at not in seen and not owner:
            seen.add(at)
            cls = kind_of(kept.rows[_FAMILY, at][0])
            if issubclass(cls, Traveller):
                owner = at
            inner, at = at, things[at].get("place") or ""
            if at and at not in things:
                yield f"{inner!r} is kept in {at!r}, which is not kept"
                at = ""
        if at in seen:
            yield f"{key!r} is kept inside itself"
        elif kept.rows[_FAMILY, key][2] != owner:
            yield f"{key!r} is kept with {kept.rows[_FAMILY, key][2]!r}, and its places lead to {owner!r}"
        if Counter(name for name, _ in fields.get("due", ())).total() != len(dict(fields.get("due", ()))):
            yield f"{key!r} has two calls of the same method: {fields['due']}"


def _time(kept: WorldState) -> float:
    return float(json.loads(kept.values.get(WORLD_TIME, b"0")))


def _things_in(state: WorldState) -> dict[str, dict[str, Any]]:
    return {key: json.loads(row[1]) for (family, key), row in state.rows.items() if family == _FAMILY}


def _stops(
    kept: WorldState, things: Mapping[str, dict[str, Any]], before: WorldTrace | None
) -> Iterator[tuple[str, float | None]]:
    """Yield when the time of each kept owner stopped: when it left, or when a crash ended its run.

    If it has not been in the game since an earlier crash, that one counts. If it has been, and may have left no trace
    in what is kept, the time is unknown.
    """
    now = _time(kept)
    for key in {row[2] for (family, _), row in kept.rows.items() if family == _FAMILY and row[2]}:
        left_at = things[key].get("left_at") if key in things else None
        if left_at is not None or before is None or before._stops.get(key) is None:
            yield key, now if left_at is None else left_at
        else:
            yield key, None if key in before._seen else before._stops[key]
