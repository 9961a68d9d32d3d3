"""Things: everything that is somewhere in a world.

The place of a thing is its own field `place`; the contents of a place are derived from it. So a move changes one
record, and no thing can be in two places, or be lost between them.

What a traveller carries is stored with the traveller, and is in memory with it. `owner` finds that traveller; a move
that changes it marks everything inside the moved thing, before the move, so that each row names its owner.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from trio_mud import Text, markup
from trio_mud.storage import Record, live

from .timed import Timed

if TYPE_CHECKING:
    from .room import Room
    from .world import World

__all__ = ["PREFIX", "Thing"]

PREFIX: Final = "map:"  # of the keys of rooms and doors of a map, which are in memory from the start

logger = logging.getLogger("trio_mud")

_record_setattr = Record.__setattr__


class Thing(Timed, family="thing", resident=True):
    """A record that is somewhere; the base of all that a world consists of.

    Attributes:
        name: As players read and type it.
        aliases: Further words by which players find it.
        text: Its description.
        place: The thing that it is in; assign it to move the thing.
        template: The table of a map that it was made from; only what differs from that is stored.
        is_fixed: True if it cannot be taken.
        due: Calls that are due: names of its methods, with their world time. Set by `after`.
        built_fields: Names of the fields that builders have set; the export has them.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    text: str = ""
    place: Thing | None = None
    template: str = ""
    is_fixed: bool = False
    built_fields: tuple[str, ...] = ()
    _inside: dict[Thing, None] = live(default_factory=dict)

    _travels: ClassVar[bool] = False
    _is_destroyed: ClassVar[bool] = False  # overridden by instances

    def __setattr__(self, name: str, value: object) -> None:
        if name == "place":
            self._move(value)
        else:
            _record_setattr(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        """A copy is nowhere, is empty, and has nothing due."""
        state = {**super().__getstate__(), "place": None, "due": (), "_inside": {}, "_world": None, "_wake": 0}
        state.pop("_is_destroyed", None)
        return state

    def __str__(self) -> str:
        return self.name

    # Where it is

    @property
    def contents(self) -> tuple[Thing, ...]:
        """Return the things whose place it is; travellers only while they are in the game."""
        return tuple(self._inside)

    @property
    def all_inside(self) -> tuple[Thing, ...]:
        """Return the contents, and everything inside them."""
        return tuple(self._walk())

    @property
    def room(self) -> Room | None:
        """Return the room that it is in, at any depth; a room returns itself."""
        at: Thing | None = self
        while at is not None and not at._is_room():
            at = at.place
        return at  # type: ignore[return-value]

    @property
    def owner(self) -> Thing | None:
        """Return the traveller that it is with, at any depth; a traveller returns itself."""
        at: Thing | None = self
        while at is not None and not at._travels:
            at = at.place
        return at

    def in_reach(self) -> Iterator[Thing]:
        """Yield what it can touch: first what it carries, then what is around it, then what open containers hold."""
        around = [thing for thing in self._around() if thing is not self]
        yield from self._inside
        yield from around
        for box in (*self._inside, *around):
            if getattr(box, "is_open", False):
                yield from box._inside

    # What happens to it

    def hear(self, text: Text) -> None:
        """Called with what happens around it; does nothing. Override it, for creatures that react."""

    def act(self, own: str, others: str, *, target: Thing | None = None, to_target: str = "", **words: object) -> None:
        """Show one event to its actor, to its target and to the others in the room, each in words of their own.

            who.act("You hit {target}.", "{actor} hits {target}.", target=rat, to_target="{actor} hits you.")

        The texts are templates of `markup`; an empty one is not shown.

        Args:
            own: For this thing.
            others: For all others in its room.
            target: The thing it happens to.
            to_target: For the target, wherever it is; without it the target reads `others`.
            words: Values of further fields.
        """
        words |= {"actor": self, "target": target}
        if own:
            self._hear(markup(own, **words))
        exclude = [self]
        if target is not None and to_target:
            exclude.append(target)
            if target is not self:
                target._hear(markup(to_target, **words))
        room = self.room
        if others and room is not None:
            room.tell(markup(others, **words), exclude=exclude)

    def destroy(self) -> None:
        """Remove it from the world for good; its contents fall to where it was, those of a room into the limbo."""
        world = self._home()
        if self._tracker is not None and world is None:
            raise LookupError(f"{self!r} is stored outside a world: call store.remove")
        self._fall()
        if world is not None:
            world.store.remove(self)
        else:
            self._leave()

    # Called by the storage

    def stored_with(self) -> str:
        """Return the key of its owner."""
        owner = self.owner
        if owner is None or (owner._tracker is None and not owner._is_leaving):
            return ""
        return owner.key

    def on_attach(self) -> None:
        """Appear in its place."""
        self.__dict__.pop("_is_destroyed", None)  # it may be added again
        if self.place is not None:
            self.place._inside[self] = None
        world = self._home()
        if world is not None and not self._owner:  # else its owner brings it
            self._come(world)

    def on_detach(self) -> None:
        """Let its contents fall, and disappear."""
        self._fall()
        self._leave()

    # Inside

    def _home(self) -> World | None:
        """Return the world of the store that it is in."""
        return self._tracker.world if self._tracker is not None else None

    def _is_room(self) -> bool:
        return False

    def _around(self) -> Iterator[Thing]:
        """Yield what is in the same place."""
        if self.place is not None:
            yield from self.place._neighbours()

    def _neighbours(self) -> Iterator[Thing]:
        yield from self._inside

    def _walk(self) -> Iterator[Thing]:
        waiting = list(self._inside)
        while waiting:
            thing = waiting.pop()
            yield thing
            waiting += thing._inside

    def _walk_to_travellers(self) -> Iterator[Thing]:
        """Yield what is inside it, at any depth; of a traveller inside, not what that one carries."""
        waiting = list(self._inside)
        while waiting:
            thing = waiting.pop()
            yield thing
            if not thing._travels:
                waiting += thing._inside

    def _with_it(self) -> Iterator[Thing]:
        """Yield it, and everything that comes to its owner with it."""
        yield self
        for thing in self._walk_to_travellers():
            if not thing._travels:
                yield thing

    def _is_portable(self) -> bool:
        """Return True if it, with everything inside, can go away with a traveller."""
        return not any(thing.key.startswith(PREFIX) for thing in self._with_it())

    def _hear(self, text: Text) -> None:
        """Call `hear`, which costs only itself if it fails."""
        try:
            self.hear(text)
        except RecursionError:  # creatures that answer each other: the event ends, and is logged once
            raise
        except Exception:
            if self._world is None or self._world.clock.may_log(self, "hear"):
                logger.exception("hear of %r failed; others hear the text", self)

    def _is_present(self) -> bool:
        return True

    def _move(self, place: Any) -> None:
        tracker = self._tracker
        if place is not None:
            if not isinstance(place, Thing):
                raise TypeError(f"the place of {self!r} must be a thing, not {place!r}")
            at: Thing | None = place
            while at is not None:
                if at is self:
                    raise ValueError(f"{self!r} cannot be in {place!r}, which is inside it")
                at = at.place
            if tracker is not None and place._tracker is None and place._world is None:
                raise ValueError(f"{place!r} is not in the world: it was destroyed, or not added yet")
            if tracker is not None and place._tracker not in (None, tracker):
                raise ValueError(f"{place!r} is in another world than {self!r}: make a new thing there")
            if self._is_destroyed and tracker is None and self._world is None:
                raise ValueError(f"{self!r} was destroyed and cannot be moved: make a new one")
        old = self.__dict__.get("place")
        crosses, before = False, None
        if tracker is not None and not self._travels:
            before, after = self.owner, place.owner if place is not None else None
            crosses = before is not after
            if crosses:
                moved = list(self._with_it())
                if after is not None:
                    _check_portable(moved, after)
                for thing in moved:
                    if thing._tracker is not None:
                        thing._tracker.mark_dirty(thing)
        _record_setattr(self, "place", place)
        if old is not None:
            old._inside.pop(self, None)
        if place is not None and self._is_present():
            place._inside[self] = None
        if crosses:
            self._settle(before)

    def _settle(self, came_from: Thing | None = None) -> None:
        """Begin or end its time, after it has come to a traveller who is in the game, or to one who is not."""
        world = self._home()
        if world is None:
            return
        owner, now = self.owner, world.clock.now
        for thing in self._with_it():
            had_stopped = now if came_from is None or thing._world is not None else came_from._gone_since(world)
            if owner is None or owner._is_present():
                thing._shift(now - had_stopped)
                thing._come(world)
            else:
                thing._shift(owner._gone_since(world) - had_stopped)
                thing._world = None

    def _gone_since(self, world: World) -> float:
        return world.clock.now

    def _stop(self, now: float) -> None:
        """Note that a run of the world ends in order."""

    def _leave(self) -> None:
        self._world = None
        object.__setattr__(self, "_is_destroyed", True)
        if self.place is not None:
            self.place._inside.pop(self, None)
            _record_setattr(self, "place", None)

    def _fall(self) -> None:
        """Put its contents where it is."""
        place = self._place_of_contents()
        for thing in self.contents:
            thing.place = place

    def _place_of_contents(self) -> Thing | None:
        return self.place

    def _connection(self) -> Any:
        """Return the connection that reads what it hears, if that is all that hearing does."""
        return None


def _check_portable(things: Iterable[Thing], owner: Thing) -> None:
    """Raise for what cannot go away with a traveller."""
    for thing in things:
        if thing.key.startswith(PREFIX):
            raise ValueError(f"{thing!r} is a room or a door of a map: {owner!r} cannot carry it, and take it away")
