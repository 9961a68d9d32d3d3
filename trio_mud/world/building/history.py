"""Acts of builders, and how each is undone.

An act does its changes one by one and notes them, so that it can be undone as a whole. It is undone only if all that it
touched is as it left it: then nothing that others have done since is lost. A field that is a dict, such as the exits of
a room, is touched entry by entry. Contents that have fallen somewhere are the exception: those that were taken away
since stay where they are, and so do players.

The history is in memory, and ends with the server.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from trio_mud.commands import Mistake
from trio_mud.errors import DuplicateKey
from trio_mud.storage import Record, Store
from trio_mud.storage.schema import schema_of

from ..being import Traveller
from ..maps import UNMADE
from ..room import Room
from ..thing import PREFIX, Thing
from ..world import World
from .phrases import BuildingPhrases

__all__ = ["Act", "Histories", "references"]

MAX_BUILDERS: Final = 100  # whose acts are remembered; past it, those of who has acted least recently are forgotten
_ABSENT: Final = object()
_CONTAINERS: Final = (dict, list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, or one entry of a field that is a dict, before and after an act."""

    thing: Thing
    name: str
    entry: str | None
    before: Any
    after: Any

    def current(self) -> Any:
        """Return the present value."""
        value = getattr(self.thing, self.name)
        return value if self.entry is None else value.get(self.entry, _ABSENT)

    def take_back(self) -> None:
        """Give the field the value that it had before."""
        value = self.before
        if self.entry is not None:
            value = {key: other for key, other in getattr(self.thing, self.name).items() if key != self.entry}
            if self.before is not _ABSENT:
                value[self.entry] = self.before
        setattr(self.thing, self.name, value)


@dataclass(eq=False)
class Act:
    """What a builder does with one command.

    Attributes:
        text: The command, as it is shown to its builder and stands in the log.
    """

    world: World
    phrases: BuildingPhrases
    text: str
    changes: list[FieldChange] = field(default_factory=list)
    marked: list[tuple[Thing, str]] = field(default_factory=list)  # fields of `built_fields`
    added: dict[Thing, dict[str, Any]] = field(default_factory=dict)  # with their fields, as the act has left them
    removed: dict[Thing, Thing | None] = field(default_factory=dict)  # with their places
    moved: list[tuple[Thing, Thing, Thing]] = field(default_factory=list)  # thing, its place before, and after

    # Doing

    def set(self, thing: Thing, name: str, value: Any, *, mark: bool = True) -> None:
        """Assign a field; `mark` notes that a builder has done so."""
        before, value = _copy(getattr(thing, name)), _copy(value)
        setattr(thing, name, value)
        if isinstance(value, dict):
            for entry in {**before, **value}:
                old, new = before.get(entry, _ABSENT), value.get(entry, _ABSENT)
                if old is not new:
                    self.changes.append(FieldChange(thing, name, entry, old, new))
        else:
            self.changes.append(FieldChange(thing, name, None, before, _copy(value)))
        if mark and name not in thing.built_fields:
            thing.built_fields = (*thing.built_fields, name)
            self.marked.append((thing, name))

    def drop(self, thing: Thing, name: str, entry: str) -> None:
        """Take an entry out of a field that is a dict."""
        left = {key: value for key, value in getattr(thing, name).items() if key != entry}
        self.set(thing, name, left, mark=thing.key.startswith(PREFIX))

    def add(self, thing: Thing, key: str = "") -> None:
        """Bring a new thing into the world, unless it is there."""
        if thing._tracker is None:
            self.world.add(thing, key)
        self.added[thing] = {}

    def move(self, thing: Thing, place: Thing) -> None:
        """Move a thing."""
        assert thing.place is not None
        self.moved.append((thing, thing.place, place))
        thing.place = place

    def remove(self, thing: Thing) -> None:
        """Remove a thing that is empty, every reference to it, and the doors on ways that led to it."""
        for other, name, entry in list(references(self.world.store, thing)):
            if entry is not None and getattr(other, name)[entry] is thing:
                self.drop(other, name, entry)
            else:
                self.set(other, name, _without(getattr(other, name), thing), mark=other.key.startswith(PREFIX))
            if name == "exits" and isinstance(other, Room) and entry in other.doors:
                self.drop(other, "doors", entry)
        self.removed[thing] = thing.place
        thing.destroy()
        if thing.template and thing.key.startswith(PREFIX):
            self._note_unmade(thing, is_unmade=True)

    def finish(self) -> None:
        """Note how the act has left what it added."""
        self.added = {thing: _state(thing) for thing in self.added}

    # Undoing

    def check(self) -> None:
        """Raise `Mistake` if something that it touched has changed since."""
        if reason := next(self._reasons(), ""):
            raise Mistake(self.phrases.not_undone.format(act=self.text, reason=reason))

    def undo(self) -> None:
        """Take back everything, or nothing; to be checked before.

        Raises:
            Mistake: A value that has to be unique is in use.
        """
        self._add_again()
        for change in reversed(self.changes):
            change.take_back()
        for thing, place, fallen in self.moved:
            has_player = any(isinstance(each, Traveller) for each in (thing, *thing.all_inside))
            if thing.place is fallen and not has_player:
                with suppress(ValueError):  # the place is inside it by now
                    thing.place = place
        for thing in self.added:
            thing.destroy()
        for thing, name in {*self.marked, *((change.thing, change.name) for change in self.changes)}:
            self._unmark(thing, name)

    def _reasons(self) -> Iterator[str]:
        """Yield the reasons why it cannot be undone."""
        phrases, store = self.phrases, self.world.store
        for thing, state in self.added.items():
            if thing._tracker is None:
                yield phrases.is_gone.format(thing=thing)
            elif any(not _is_same(value, state[name]) for name, value in _state(thing).items()):
                yield phrases.changed_since.format(thing=thing)
            elif thing.contents:
                yield phrases.not_empty.format(thing=thing)
            own = {(change.thing, change.name, change.entry) for change in self.changes}
            for reference in references(store, thing):
                if reference not in own:
                    yield phrases.in_use.format(other=reference[0], thing=thing)
        for change in self.changes:
            if change.thing._tracker is None:
                yield phrases.is_gone.format(thing=change.thing)
            elif not _is_same(change.current(), change.after):
                yield phrases.changed_since.format(thing=change.thing)
            yield from self._gone_in(change.before)
        for thing, place in self.removed.items():
            if thing._tracker is not None or thing.key in store._contents.keys["thing"]:
                yield phrases.key_taken.format(key=thing.key.removeprefix(PREFIX))
            for value in (*_state(thing).values(), place):
                yield from self._gone_in(value)

    def _gone_in(self, value: Any) -> Iterator[str]:
        for record in _records_in(value):
            if record._tracker is None and record not in self.removed:
                yield self.phrases.is_gone.format(thing=record)

    def _add_again(self) -> None:
        added: list[Thing] = []
        try:
            for thing, place in self.removed.items():
                self.world.add(thing, thing.key)
                added.append(thing)
                thing.place = place
        except DuplicateKey as error:  # of a unique field
            for thing in added:
                self.world.store.remove(thing)
            raise Mistake(self.phrases.not_undone.format(act=self.text, reason=error)) from None
        for thing in self.removed:
            if thing.template and thing.key.startswith(PREFIX):
                self._note_unmade(thing, is_unmade=False)

    def _unmark(self, thing: Thing, name: str) -> None:
        """Forget that builders have set a field, if no other one has.

        Of a field whose entries are set one by one, the value shows it.
        """
        if thing._tracker is None or name not in thing.built_fields:
            return
        value = getattr(thing, name)
        if isinstance(value, dict):
            is_pristine = schema_of(type(thing)).stored_value(value) == self.world._atlas.pristine(thing, name)
        else:
            is_pristine = (thing, name) in self.marked
        if is_pristine:
            thing.built_fields = tuple(other for other in thing.built_fields if other != name)

    def _note_unmade(self, thing: Thing, *, is_unmade: bool) -> None:
        key = thing.key.removeprefix(PREFIX)
        others = [other for other in self.world.store.value(UNMADE, []) if other != key]
        self.world.store.set_value(UNMADE, [*others, key] if is_unmade else others)


class Histories:
    """The last acts of each builder of one world."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._acts: dict[Hashable, deque[Act]] = {}

    def append(self, builder: Hashable, act: Act) -> None:
        """Note an act."""
        acts = self._acts.pop(builder, None) or deque(maxlen=self._most)
        acts.append(act)
        self._acts[builder] = acts
        while len(self._acts) > MAX_BUILDERS:
            del self._acts[next(iter(self._acts))]

    def last(self, builder: Hashable) -> Act | None:
        """Return the last act of a builder that is not undone."""
        acts = self._acts.get(builder)
        return acts[-1] if acts else None

    def drop(self, builder: Hashable) -> None:
        """Forget the last act of a builder."""
        self._acts[builder].pop()


def references(store: Store, thing: Thing) -> Iterator[tuple[Thing, str, str | None]]:
    """Yield every other thing in memory that refers to a thing, the field, and the entry of one that is a dict.

    Places are left out, because their change is a move.
    """
    referring: dict[type[Thing], list[str]] = {}  # the fields of each class
    for other in store.all(Thing):
        if (names := referring.get(type(other))) is None:
            resolvers = schema_of(type(other)).resolvers
            names = referring[type(other)] = [name for name in resolvers if name != "place"]
        for name in names:
            value = getattr(other, name)
            if other is thing or not _refers(value, thing):
                continue
            if not isinstance(value, dict):
                yield other, name, None
                continue
            for entry, inner in value.items():
                if _refers(inner, thing):
                    yield other, name, entry


def _refers(value: Any, thing: Thing) -> bool:
    """Return True if the value of a field refers to a thing; fast, because most do not."""
    if not isinstance(value, _CONTAINERS):
        return value is thing
    inner = value.values() if isinstance(value, dict) else value
    return thing in inner or any(not isinstance(each, Record) and _refers(each, thing) for each in inner)


def _records_in(value: Any) -> Iterator[Record]:
    if isinstance(value, Record):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _records_in(inner)
    elif isinstance(value, _CONTAINERS):
        for inner in value:
            yield from _records_in(inner)


def _without(value: Any, thing: Thing) -> Any:
    """Return the value without a reference."""
    if value is thing:
        return None
    if isinstance(value, dict):
        return {key: _without(inner, thing) for key, inner in value.items() if inner is not thing}
    if isinstance(value, list | tuple | set | frozenset):
        make: Callable[[Any], Any] = type(value)
        return make(_without(item, thing) for item in value if item is not thing)
    return value


def _state(thing: Thing) -> dict[str, Any]:
    return {name: _copy(getattr(thing, name)) for name in type(thing)._tracked}


def _copy(value: Any) -> Any:
    """Return a value that a change in place does not reach."""
    return copy.copy(value) if isinstance(value, list | dict | set) else value


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and one == other)
