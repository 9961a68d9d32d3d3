"""The verbs `make` and `unmake`."""

from __future__ import annotations

from typing import Annotated

from trio_mud import markup
from trio_mud.commands import Mistake, Preposition, listing
from trio_mud.commands.arguments import unquoted
from trio_mud.commands.matching import similar
from trio_mud.storage.schema import kind_of, schema_of

from ..being import Traveller
from ..room import Door, Room
from ..thing import PREFIX, Thing
from ..world import World
from .workshop import Workshop, shown_key

__all__ = ["Making"]


class Making:
    """Makes and unmakes things for builders."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._phrases = workshop.phrases

    def make(self, who: Traveller, what: str, into: Annotated[str, Preposition("in", "into")] = "") -> None:
        """Make a thing from a template of the map, or a plain one of a class; here, or in something.

        make lamp
        make lamp in chest
        make lamp in me
        """
        phrases, world = self._phrases, who.world
        place = self._place(who, into)
        word = unquoted(what).casefold()
        template = world._atlas.templates.get(word)
        cls = template.cls if template is not None else self._class(world, word)
        kind = kind_of(cls)
        if issubclass(cls, Room | Door | Traveller):
            raise Mistake(phrases.made_otherwise.format(kind=kind))
        if template is None and (missing := schema_of(cls).required):
            raise Mistake(phrases.needs_template.format(kind=kind, fields=", ".join(sorted(missing))))
        self._shop.check_room_for_things(world)
        with self._shop.act(who, f"make {word}" + (f" in {into}" if into else "")) as act:
            if template is not None:
                thing = world.make(word, place)
            else:
                thing = cls(place=place, built_fields=("name",))
                thing.name = thing.name or kind
            act.add(thing)
        who.write(phrases.made.format(thing=thing, place=place))

    def _place(self, who: Traveller, words: str) -> Thing:
        if words.casefold() == self._phrases.me:
            return who
        return self._shop.find(who, words or self._phrases.here)

    def _class(self, world: World, word: str) -> type[Thing]:
        catalog = world.store._contents.catalog
        kinds = {kind_of(cls): cls for cls in catalog.kinds_below(Thing)}
        found = kinds.get(word)
        if found is not None and issubclass(found, Thing):
            return found
        unknown = self._phrases.no_template.format(word=word)
        names = [*(key for key, known in world._atlas.templates.items() if not known.is_fixture), *kinds]
        if likely := similar(word, dict.fromkeys(names)):
            commands = self._shop.commands.phrases
            unknown = f"{unknown} {commands.did_you_mean.format(choices=listing(likely, commands.either))}"
        raise Mistake(unknown)

    def unmake(self, who: Traveller, thing: str) -> None:
        """Destroy a thing, the room (here), or the room with a key; its contents fall to where it was.

        The contents of a room go to the room where lost things go, players among them. A room or a door of the map
        stays away until the map changes.
        """
        target = self._target(who, thing)
        refuge = self._refuge(who.world, target)
        travellers = [each for each in target.all_inside if isinstance(each, Traveller)]
        with self._shop.act(who, f"unmake {shown_key(target)}") as act:
            for each in target.contents:
                if refuge is not None:
                    act.move(each, refuge)
            act.remove(target)
        for each in travellers:
            each.hear(markup(self._phrases.unmade_others, room=target, limbo=each.room))
        who.write(self._phrases.unmade.format(thing=target))

    def _target(self, who: Traveller, words: str) -> Thing:
        try:
            return self._shop.find(who, words)
        except Mistake:
            if who.world.store.get(Room, PREFIX + unquoted(words).casefold()) is None:
                raise
            return self._shop.find_room(who, words)

    def _refuge(self, world: World, target: Thing) -> Thing | None:
        """Return the place for the contents of what is unmade."""
        if not isinstance(target, Room):
            return target.place
        try:
            start, limbo = world.start, world.limbo
        except LookupError:
            raise Mistake(self._phrases.no_limbo) from None
        if target in (start, limbo):
            raise Mistake(self._phrases.is_kept.format(room=target))
        return limbo
