"""Maps: TOML files with rooms, templates of things, and resets.

    [rooms.hall]
    name = "The Hall"
    exits = { down = "cellar" }
    doors = { down = "trapdoor" }

    [things.trapdoor]
    class = "door"
    name = "oak trapdoor"

    [[resets]]
    make = "lamp"
    in = "hall"

A table below `rooms` or `things` is a template: the values of fields that differ from the defaults of the class. It
lies under the stored record at each load (`overlay`), and is never copied into it. So an edited text is that of every
lamp at the next start.

Rooms and doors exist once, from the first start on; their key is that of the map with `map:` in front. They are added
before stored references are followed (`add_fixtures`), so that a map may grow.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from trio_mud.errors import CannotOpenStorage, MapError, UnreadableRecord
from trio_mud.storage import Record, Store
from trio_mud.storage.catalog import Catalog
from trio_mud.storage.schema import kind_of, schema_of

from ..text.nearest import nearest
from .being import Traveller
from .map_files import MapFile, MapTables
from .room import Door, Room
from .thing import PREFIX, Thing

__all__ = ["OWN_FIELDS", "UNMADE", "Atlas", "Reset", "Template"]

OWN_FIELDS: Final = frozenset(  # no map sets them
    {"place", "template", "due", "account", "left_at", "run", "built_fields"}
)
UNMADE: Final = "trio_mud.unmade"  # a value of the store: keys of rooms and doors that builders have unmade

logger = logging.getLogger("trio_mud")


@dataclass(frozen=True, slots=True)
class Template:
    """One table of a map. `fields` are in stored form: a room is its key, a tuple is a tuple."""

    key: str
    cls: type[Thing]
    fields: Mapping[str, Any]
    where: str

    @property
    def is_fixture(self) -> bool:
        """True if there is one thing of it, from the first start on."""
        return issubclass(self.cls, Room | Door)

    def values(self, store: Store) -> dict[str, Any]:
        """Return values for a new thing, with records in the place of keys."""
        values = copy.deepcopy(dict(self.fields))
        for name, resolve in schema_of(self.cls).resolvers.items():
            if name in values:
                values[name] = resolve(values[name], store.get)
        return values


@dataclass(frozen=True, slots=True)
class Reset:
    """An entry of `resets`: fills a place up to a number of things, once or at intervals."""

    name: str
    make: str
    into: str
    most: int
    every: float | None
    contents: tuple[str, ...]


@dataclass(slots=True)
class Atlas:
    """All maps of a game.

    Attributes:
        start: The key of the room where players begin.
        limbo: The key of the room where lost things go.
    """

    templates: dict[str, Template] = field(default_factory=dict)
    resets: list[Reset] = field(default_factory=list)
    start: str = ""
    limbo: str = ""

    @classmethod
    def read(cls, maps: Iterable[MapFile], catalog: Catalog) -> Atlas:
        """Read and check all maps.

        Raises:
            MapError: A map cannot be read, or is wrong.
        """
        atlas, found = cls(), MapTables.read(maps)
        gone = {PREFIX + key for key in found.removed}
        for key, table in found.tables.items():
            default = Room if table.section == "rooms" else Thing
            atlas._add(table.where, key, dict(table.values), default, catalog, gone)
        for template in atlas.templates.values():
            atlas._check_references(template)
        for name, (where, key) in found.rooms.items():
            atlas._room_named(key, where)
            setattr(atlas, name, key)
        for where, entry in found.resets:
            atlas._add_reset(where, entry)
        rooms = [key for key, template in atlas.templates.items() if issubclass(template.cls, Room)]
        atlas.start = atlas.start or (rooms[0] if rooms else "")
        atlas.limbo = atlas.limbo or atlas.start
        return atlas

    def overlay(self, cls: type[Record], fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the values of a record's template, which take the place of defaults of its class."""
        template = self.templates.get(fields.get("template", ""))
        if template is None:
            return None
        if cls is template.cls:
            return template.fields
        return {name: value for name, value in template.fields.items() if name in cls._tracked}

    def add_fixtures(self, store: Store) -> None:
        """Add the rooms and doors that are new; give those of another class than before that class.

        Those that a builder has unmade stay away. A room that was dug in the game, and exported, becomes that of the
        map.
        """
        new: list[tuple[Thing, Template]] = []
        adopted: list[tuple[Thing, Template]] = []
        unmade = {*store.value(UNMADE, [])} - {self.start, self.limbo}
        for key, template in self.templates.items():
            if not template.is_fixture or key in unmade:
                continue
            known = store.get(Thing, PREFIX + key)
            if reason := store.quarantined.get(("thing", PREFIX + key)):
                raise CannotOpenStorage(
                    f"{template.where}: what is stored of it cannot be loaded: {reason}; correct that, or restore a "
                    "backup"
                )
            if known is None:
                plain = {name: template.fields[name] for name in schema_of(template.cls).required}
                new.append((store.add(template.cls(**plain, template=key), PREFIX + key), template))
                continue
            if type(known) is not template.cls:
                _exchange_class(known, template, store)
            if known.template != key:
                adopted.append((known, template))
        for thing, template in new:  # when all are there, because they refer to each other
            for name, value in template.values(store).items():
                setattr(thing, name, value)
        for thing, template in adopted:
            _adopt(thing, template, store)

    def pristine(self, thing: Thing, name: str) -> Any:
        """Return the value, in stored form, that a field has without any change: of its template, or of its class."""
        schema, template = schema_of(type(thing)), self.templates.get(thing.template)
        if template is not None and name in template.fields:
            return schema.stored_value(template.fields[name])
        made = schema.makers[name]() if name in schema.makers else schema.defaults.get(name)
        return schema.stored_value(made)

    def unmapped(self, thing: Thing) -> tuple[str, ...]:
        """Return the names of its fields that builders have set, and that differ from its template."""
        if thing.template not in self.templates:
            return thing.built_fields
        schema = schema_of(type(thing))
        return tuple(
            name
            for name in thing.built_fields
            if schema.stored_value(getattr(thing, name)) != self.pristine(thing, name)
        )

    def become(self, other: Atlas) -> None:
        """Take over the contents of another atlas; the store keeps this one for its overlays."""
        self.templates, self.resets = other.templates, other.resets
        self.start, self.limbo = other.start, other.limbo

    # Checks

    def _add(
        self, where: str, key: str, fields: dict[str, Any], default: type[Thing], catalog: Catalog, gone: set[str]
    ) -> None:
        kind = fields.pop("class", kind_of(default))
        cls = catalog.find("thing", kind) if isinstance(kind, str) else None
        if cls is None or not issubclass(cls, Thing):
            kinds = [kind_of(known) for known in catalog.kinds_below(Thing)]
            raise MapError(f"{where}.class: there is no class {kind!r}{nearest(str(kind), kinds)}")
        if issubclass(cls, Room) is not issubclass(default, Room):
            raise MapError(f"{where}.class: a room belongs below [rooms], and other things below [things]")
        if issubclass(cls, Traveller):
            raise MapError(f"{where}.class: a {kind} is played, and comes with its player; maps make no travellers")
        known = sorted(cls._tracked - OWN_FIELDS)
        for name in fields:
            if name not in known:
                raise MapError(f"{where}.{name}: a {kind} has no {name!r}{nearest(name, known)}")
        schema = schema_of(cls)
        if missing := schema.required - fields.keys():
            raise MapError(f"{where}: {min(missing)!r} has no default; write {min(missing)} = …")
        try:
            typed = schema.decode(msgspec.json.encode(fields), schema.versions)
        except (UnreadableRecord, TypeError, ValueError, OverflowError) as error:
            found = str(error).removeprefix("ValidationError: ")
            reason, _, path = found.partition(" - at `$")
            raise MapError(f"{where}{path.rstrip('`')}: {reason}") from None
        for name in schema.resolvers:
            if name in typed:
                typed[name] = _without(_with_prefix(typed[name]), gone)
                if _is_among(typed[name], gone):
                    del typed[name]
        if gone and "doors" in typed:
            typed["doors"] = {way: door for way, door in typed["doors"].items() if way in typed.get("exits", {})}
        self.templates[key] = Template(key, cls, typed, where)

    def _check_references(self, template: Template) -> None:
        for name, resolve in schema_of(template.cls).resolvers.items():
            where = f"{template.where}.{name}"

            def find(cls: type[Record], key: str, where: str = where) -> Record | None:
                target = self.templates.get(key.removeprefix(PREFIX))
                if target is None or not target.is_fixture or not issubclass(target.cls, cls):
                    fitting = [key for key, known in self.templates.items() if issubclass(known.cls, cls)]
                    wanted = key.removeprefix(PREFIX)
                    raise MapError(f"{where}: there is no {kind_of(cls)} {wanted!r}{nearest(wanted, fitting)}")
                return None

            if name in template.fields:
                resolve(template.fields[name], find)
        if issubclass(template.cls, Room):
            for way in template.fields.get("doors", {}):
                if way not in template.fields.get("exits", {}):
                    raise MapError(f"{template.where}.doors.{way}: there is no exit {way!r} that it could close")

    def _room_named(self, key: object, where: str) -> None:
        template = self.templates.get(key) if isinstance(key, str) else None
        if template is None or not issubclass(template.cls, Room):
            rooms = [key for key, known in self.templates.items() if issubclass(known.cls, Room)]
            raise MapError(f"{where}: there is no room {key!r}{nearest(str(key), rooms)}")

    def _add_reset(self, where: str, entry: Mapping[str, Any]) -> None:
        known = ("make", "in", "most", "every", "contents")
        for name in entry:
            if name not in known:
                raise MapError(f"{where}: there is no key {name!r}{nearest(name, known)}")
        self._room_named(entry.get("in"), f"{where}, in")
        made, most, every = entry.get("make"), entry.get("most", 1), entry.get("every")
        contents = entry.get("contents", [])
        if not isinstance(contents, list):
            raise MapError(f"{where}, contents: write a list of templates")
        for key, name in [(made, "make"), *((key, "contents") for key in contents)]:
            template = self.templates.get(key) if isinstance(key, str) else None
            if template is None or template.is_fixture:
                things = [key for key, known in self.templates.items() if not known.is_fixture]
                raise MapError(f"{where}, {name}: there is no thing {key!r}{nearest(str(key), things)}")
        if type(most) is not int or not 1 <= most <= 1000:
            raise MapError(f"{where}, most: write a number from 1 to 1000, not {most!r}")
        if every is not None and (isinstance(every, bool) or not isinstance(every, int | float) or not every >= 1):
            raise MapError(f"{where}, every: write a number of seconds, at least 1, not {every!r}")
        assert isinstance(made, str)
        name = f"{made} in {entry['in']}"
        if number := sum(other.make == made and other.into == entry["in"] for other in self.resets):
            name = f"{name}, {number + 1}"
        self.resets.append(Reset(name, made, entry["in"], most, every, tuple(contents)))


def _with_prefix(value: Any) -> Any:
    """Return the value with each reference as the key of a room or door."""
    if isinstance(value, str):
        return PREFIX + value
    if isinstance(value, dict):
        return {key: _with_prefix(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_with_prefix(item) for item in value)
    return value


def _without(value: Any, gone: set[str]) -> Any:
    """Return the value without the references to what was taken away, as far as it holds several."""
    if isinstance(value, dict):
        return {key: _without(inner, gone) for key, inner in value.items() if not _is_among(inner, gone)}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_without(item, gone) for item in value if not _is_among(item, gone))
    return value


def _is_among(value: Any, keys: set[str]) -> bool:
    return isinstance(value, str) and value in keys


def _adopt(thing: Thing, template: Template, store: Store) -> None:
    """Lay a template under a room that was dug in the game; before the room is in the world, references are keys."""
    schema, state = schema_of(template.cls), thing.__dict__
    values = copy.deepcopy(dict(template.fields)) if thing._world is None else template.values(store)
    for name, value in values.items():
        made = schema.makers[name]() if name in schema.makers else schema.defaults.get(name)
        if name not in thing.built_fields and state[name] == made:
            setattr(thing, name, value)
    thing.template = template.key
    logger.info("%r was dug in the game, and is that of %s from now on", thing, template.where)


def _exchange_class(thing: Thing, template: Template, store: Store) -> None:
    """Make a room or door one of another class; fields that both have keep their values."""
    schema = schema_of(template.cls)
    state = thing.__dict__
    for name, value in (*copy.deepcopy(dict(template.fields)).items(), *schema.defaults.items(), *schema.live.items()):
        state.setdefault(name, value)
    for name, make in schema.makers.items():
        if name not in state:
            state[name] = make()
    thing.__class__ = template.cls
    store.changed(thing)
