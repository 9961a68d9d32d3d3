"""Searches by an indexed field, over records in memory and rows on disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from .contents import Contents
from .record import Record
from .rows import Lookup
from .schema import family_of, schema_of

__all__ = ["find"]

COMPARED_RECORDS = 1000  # between two checkpoints


async def find(
    contents: Contents,
    search: Callable[[Lookup], Awaitable[list[str]]],
    cls: type[Record],
    name: str,
    value: str | float | bool | None,
) -> list[str]:
    """Return the keys of the records of this class whose field has this value now, sorted.

    Args:
        contents: Records in memory, whose values count more than their rows.
        search: Asks the database.
        cls, name, value: The class, its indexed field, and the value.
    """
    family = family_of(cls)
    below = [schema_of(other) for other in contents.catalog.kinds_below(cls)]
    is_default = [name in schema.defaults and schema.defaults[name] == value for schema in below]
    lookup = Lookup(
        *(family, name, value),
        tuple(schema.kind for schema, same in zip(below, is_default, strict=True) if not same),
        tuple(schema.kind for schema, same in zip(below, is_default, strict=True) if same),
    )
    held = list(contents.in_memory(family))  # so that none is forgotten while the database is read
    keys = set(await search(lookup))
    matching = []
    for number, record in enumerate([*held, *contents.in_memory(family)], 1):
        keys.discard(record.key)
        if isinstance(record, cls) and record.__dict__[name] == value:
            matching.append(record)
        if number % COMPARED_RECORDS == 0:
            await trio.lowlevel.checkpoint()
    keys |= {record.key for record in matching if record._tracker is not None and record.__dict__[name] == value}
    return sorted(keys & contents.keys[family])
