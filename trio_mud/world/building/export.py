"""The export: what builders have changed, as a map to be named behind the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trio_mud.storage.schema import kind_of, schema_of

from ..maps import UNMADE, Template
from ..room import Room
from ..thing import PREFIX, Thing
from ..world import World
from .fields import is_secret
from .naming import free_key
from .toml_text import toml_key, toml_value

__all__ = ["export"]


def export(world: World) -> str:
    """Return what builders have changed, as TOML; an empty string if the maps have all of it.

    It is a map with `changes = true`: named behind the others in `Game(maps=…)`, or merged into them by hand, it makes
    the same rooms. Rooms that were dug are new tables, and changed ones have the changed fields; keys of rooms and
    doors that were unmade stand in `removed`. A thing that a builder has changed is a new template, without a reset.
    Belongings of travellers who are away, and secret fields of templates, are left out.
    """
    tables = list(_tables(world))
    removed = world.store.value(UNMADE, [])
    if not tables and not removed:
        return ""
    head = ["# Changes by builders.", "changes = true", *([f"removed = {toml_value(removed)}"] if removed else [])]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


def _tables(world: World) -> Iterator[str]:
    atlas = world._atlas
    built = {thing: names for thing in world.store.all(Thing) if (names := atlas.unmapped(thing))}
    keys = {*atlas.templates, *(thing.key.removeprefix(PREFIX) for thing in built if thing.key.startswith(PREFIX))}
    known = {(kind_of(template.cls), toml_value(_of_template(template))) for template in atlas.templates.values()}
    for thing, names in built.items():
        kind, template = kind_of(type(thing)), atlas.templates.get(thing.template)
        section = "rooms" if isinstance(thing, Room) else "things"
        fields = _fields(type(thing), {name: getattr(thing, name) for name in names})
        head = {} if kind == section[:-1] else {"class": kind}
        if thing.key.startswith(PREFIX):
            yield _table(section, thing.key.removeprefix(PREFIX), fields if template is not None else head | fields)
            continue
        if template is not None:
            fields = dict(sorted((_of_template(template) | fields).items()))
        content = kind, toml_value(_writable(fields))
        if content not in known:
            known.add(content)
            key = free_key(str(thing), keys)
            keys.add(key)
            yield _table(section, key, head | fields)


def _of_template(template: Template) -> dict[str, Any]:
    return _writable(
        _fields(template.cls, {name: value for name, value in template.fields.items() if not is_secret(name)})
    )


def _fields(cls: type[Thing], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as a map has them, sorted; None for one that no map can have."""
    schema = schema_of(cls)
    stored = {name: schema.stored_value(values[name]) for name in sorted(values)}
    return {name: _as_keys(value) if name in schema.resolvers else value for name, value in stored.items()}


def _as_keys(value: Any) -> Any:
    """Return references as a map has them; None if one of them is to something that no map names."""
    if isinstance(value, str):
        return value.removeprefix(PREFIX) if value.startswith(PREFIX) else None
    if isinstance(value, list):
        items = [_as_keys(item) for item in value]
        return None if None in items else items
    if isinstance(value, dict):
        entries = {key: _as_keys(inner) for key, inner in value.items()}
        return None if None in entries.values() else entries
    return value


def _writable(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _table(section: str, key: str, fields: Mapping[str, Any]) -> str:
    return "\n".join([f"[{section}.{toml_key(key)}]", *_lines(fields)])


def _lines(fields: Mapping[str, Any]) -> Iterable[str]:
    for name, value in fields.items():
        yield f"# {name} has no value that a map could have" if value is None else f"{name} = {toml_value(value)}"
