"""The common ground of all verbs of building: who builds, what is meant, and the beginning and end of an act."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from trio_mud.commands import Commands, Mistake, Role, the_one
from trio_mud.commands.arguments import unquoted

from ..being import Traveller
from ..room import Room
from ..thing import PREFIX, Thing
from ..world import World
from .fields import Fields, find_room
from .history import Act, Histories
from .options import BuildingOptions
from .phrases import BuildingPhrases

__all__ = ["Workshop"]

AUDIT: Final = "audit"  # the log


@dataclass(frozen=True, slots=True)
class Workshop:
    """The parts that all verbs of building share.

    Attributes:
        commands: The table that has the verbs; it knows the role of a builder.
        room: The class of new rooms.
    """

    commands: Commands[Any]
    phrases: BuildingPhrases
    options: BuildingOptions
    room: type[Room]

    def check_role(self, who: Traveller) -> None:
        """Raise `Mistake` unless this player is a builder at this moment."""
        if self.commands.role_of(who) < Role.BUILDER:
            raise Mistake(self.phrases.not_builder)

    def fields(self, who: Traveller) -> Fields:
        """Return what reads and shows values for this builder."""
        return Fields(who, self.phrases, self.options, self.commands.phrases)

    def find(self, who: Traveller, words: str) -> Thing:
        """Return the thing in reach that the words mean, or the room for `here`.

        Raises:
            Mistake: There is none, or it is a player.
        """
        found: Thing
        if unquoted(words).casefold() == self.phrases.here and who.room is not None:
            found = who.room
        else:
            found = the_one(who, words, Thing, phrases=self.commands.phrases)
        self.check_buildable(found)
        return found

    def find_room(self, who: Traveller, key: str) -> Room:
        """Return the room with this key.

        Raises:
            Mistake: There is none.
        """
        found = find_room(who, unquoted(key), Room, self.commands.phrases, self.phrases)
        assert isinstance(found, Room)
        return found

    def check_buildable(self, thing: Thing) -> None:
        """Raise `Mistake` for a player, and for what is no longer there."""
        if isinstance(thing, Traveller):
            raise Mistake(self.phrases.is_player.format(thing=thing))
        if thing._tracker is None:
            raise Mistake(self.phrases.is_gone.format(thing=thing))

    def check_room_for_things(self, world: World) -> None:
        """Raise `Mistake` if the world has as many things as it may have."""
        count = len(world.store._contents.keys["thing"])
        if count >= self.options.max_things:
            raise Mistake(self.phrases.too_many_things.format(count=count))

    @contextmanager
    def act(self, who: Traveller, text: str) -> Generator[Act]:
        """Log an act before it is done, and remember it afterwards; all that could refuse it is checked before.

        Raises:
            Mistake: The player is no builder.
        """
        self.check_role(who)
        world = who.world
        self.log(who, text)
        act = Act(world, self.phrases, text)
        yield act
        act.finish()
        self.histories(world).append(builder_of(who), act)

    def log(self, who: Traveller, text: str) -> None:
        """Write an entry to the audit."""
        who.world.store.log(AUDIT, event="building", by=who.key or str(who), line=text)

    def histories(self, world: World) -> Histories:
        """Return the last acts of all builders of a world."""
        if world._histories is None:
            world._histories = Histories(self.options.max_undo)
        found: Histories = world._histories
        return found

    def undo(self, who: Traveller) -> None:
        """Take back what you have built last; the last ten acts can be undone, until the server restarts."""
        histories = self.histories(who.world)
        act = histories.last(builder_of(who))
        if act is None:
            raise Mistake(self.phrases.nothing_to_undo)
        act.check()
        self.log(who, f"undo: {act.text}")
        act.undo()
        histories.drop(builder_of(who))
        who.write(self.phrases.undone.format(act=act.text))


def builder_of(who: Traveller) -> Hashable:
    """Return what identifies a builder also after the next login; the body itself for a guest."""
    return who.key or who


def shown_key(thing: Thing) -> str:
    """Return the key as builders type it."""
    return thing.key.removeprefix(PREFIX)
