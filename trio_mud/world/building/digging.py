"""The verb `dig`: rooms, and the ways between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trio_mud.commands import Mistake
from trio_mud.commands.arguments import unquoted
from trio_mud.commands.matching import plain_quotes

from ..being import Traveller
from ..room import Room
from ..thing import PREFIX
from ..world import World
from .naming import checked_name, free_key, opposite_of, read_way
from .workshop import Workshop, shown_key

__all__ = ["Digging"]


class Digging:
    """Digs, joins and closes ways for builders."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._phrases = workshop.phrases

    def dig(self, who: Traveller, way: str, name: str) -> None:
        """Dig a way to a new room, or to one that is there.

        dig north The Cave                a new room, and the way back
        dig inside The Cave back outside  with the way back by its name
        dig north The Cave back nowhere   without a way back
        dig north to cave                 to the room with the key "cave"
        dig north nowhere                 close the way, and the way back

        Quotes around a name keep words such as "to" and "back" in it.
        """
        phrases, here = self._phrases, who.room
        if here is None:
            raise Mistake(phrases.is_gone.format(thing=phrases.here))
        verbs = {verb for command in self._shop.commands for verb in command.verbs}
        words, back = self._split_back(name, verbs)
        first, _, rest = words.partition(" ")
        if words.casefold() == phrases.nowhere:
            self._close(who, here, way.casefold() if way.casefold() in here.exits else read_way(way, verbs, phrases))
            return
        way = read_way(way, verbs, phrases)
        if way in here.exits:
            raise Mistake(phrases.way_taken.format(way=way, room=here.exits[way]))
        if back is None:
            back = opposite_of(way, phrases)
            if not back:
                raise Mistake(phrases.no_way_back)
        if first.casefold() == phrases.to and rest:
            self._join(who, here, way, self._shop.find_room(who, rest), back)
        else:
            self._dig(who, here, way, unquoted(words), back)

    def _split_back(self, words: str, verbs: set[str]) -> tuple[str, str | None]:
        """Return the words without the way back at their end, and that way: "" for none, None if it is not named."""
        rest, _, back = words.rpartition(" ")
        rest, _, word = rest.rpartition(" ")
        if not rest or word.casefold() != self._phrases.back or plain_quotes(words).endswith('"'):
            return words, None
        if back.casefold() == self._phrases.nowhere:
            return rest.rstrip(), ""
        return rest.rstrip(), read_way(back, verbs, self._phrases)

    def _dig(self, who: Traveller, here: Room, way: str, words: str, back: str) -> None:
        shop, phrases, world = self._shop, self._phrases, who.world
        name = checked_name(words, "name", phrases, shop.options)
        shop.check_room_for_things(world)
        count = sum(1 for _ in world.store.all(Room))
        if count >= shop.options.max_rooms:
            raise Mistake(phrases.too_many_rooms.format(count=count))
        with shop.act(who, f"dig {way} {name}") as act:
            room = shop.room(name=name, exits={back: here} if back else {}, built_fields=("name", "exits"))
            act.add(room, PREFIX + free_key(name, _TakenKeys(world)))
            act.set(here, "exits", {**here.exits, way: room})
        who.write(phrases.dug.format(way=way, room=room, key=shown_key(room)))
        who.act("", phrases.dug_others, way=way)

    def _join(self, who: Traveller, here: Room, way: str, room: Room, back: str) -> None:
        phrases, other = self._phrases, room.exits.get(back)
        if other is not None and other is not here:
            raise Mistake(phrases.back_taken.format(room=room, way=back, other=other))
        with self._shop.act(who, f"dig {way} {phrases.to} {shown_key(room)}") as act:
            act.set(here, "exits", {**here.exits, way: room})
            if back and back not in room.exits:
                act.set(room, "exits", {**room.exits, back: here})
        who.write(phrases.joined.format(way=way, room=room))
        who.act("", phrases.dug_others, way=way)

    def _close(self, who: Traveller, here: Room, way: str) -> None:
        phrases, room = self._phrases, here.exits.get(way)
        if room is None:
            raise Mistake(phrases.no_way.format(way=way))
        opposite = opposite_of(way, phrases)
        ways_back = [each for each, other in room.exits.items() if other is here and room is not here]
        back = opposite if opposite in ways_back else ways_back[0] if len(ways_back) == 1 and not opposite else None
        with self._shop.act(who, f"dig {way} {phrases.nowhere}") as act:
            for end, name in ((here, way), (room, back)):
                if name is not None:
                    act.drop(end, "exits", name)
                    if name in end.doors:
                        act.drop(end, "doors", name)
        who.write(phrases.closed.format(way=way, room=room))
        who.act("", phrases.closed_others, way=way)


class _TakenKeys:
    """The keys that no new room may have: those of the maps, and those in use."""

    def __init__(self, world: World) -> None:
        self._templates: Mapping[str, Any] = world._atlas.templates
        self._stored = world.store._contents.keys["thing"]

    def __contains__(self, key: object) -> bool:
        return key in self._templates or f"{PREFIX}{key}" in self._stored
