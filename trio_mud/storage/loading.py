"""Loading: rows become records, in two steps, so that references find records that are read later.

`revive` makes a record of a row, with keys in place of its references. `join` puts records in the place of keys.
A row that cannot be read is quarantined: it stays in the database as it is, and its key cannot be taken.
"""

from __future__ import annotations

import copy
import gc
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import trio

from trio_mud.errors import UnreadableRecord

from .contents import Contents
from .executor import Executor
from .record import Fields, Record
from .rows import Backend, Row
from .schema import Schema, schema_of
from .transaction import SLICE_RECORDS, Overlay

__all__ = ["Loader", "no_collections"]

logger = logging.getLogger("trio_mud")
_set = object.__setattr__


@contextmanager
def no_collections() -> Generator[None]:
    """Pause the garbage collector: what is loaded stays, so looking for garbage in it would double the start-up."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Loader:
    """Turns rows into records of the contents."""

    def __init__(self, contents: Contents, overlay: Overlay | None) -> None:
        self._contents = contents
        self._overlay = overlay

    async def load_residents(
        self, backend: Backend, execute: Executor, prepare: Callable[[], None] = lambda: None
    ) -> None:
        """Load every resident row, and the keys and unique values of the others.

        `prepare` is called when all records are made and none has its references yet.
        """
        contents = self._contents
        for (family, field), keys in contents.unique.keys.items():
            for key, value in await execute(backend.column, family, field):
                keys[value] = key
        for family in contents.catalog.roots:
            owned = contents.catalog.is_resident(family)
            contents.take_keys(family, await execute(partial(backend.keys, family, owned=owned)))
        for family in filter(contents.catalog.is_resident, contents.catalog.roots):
            chunks = backend.scan(family)
            while rows := await execute(next, chunks, None):
                for number, row in enumerate(rows, 1):
                    self.revive(row)
                    if number % SLICE_RECORDS == 0:
                        await trio.lowlevel.checkpoint()
        revived = [record for family in contents.catalog.roots for record in contents.pinned[family].values()]
        prepare()
        for number, record in enumerate(revived, 1):
            self.join(record)
            if number % SLICE_RECORDS == 0:
                await trio.lowlevel.checkpoint()

    def revive(self, row: Row) -> Record | None:
        """Make a record of a row and take it into the contents; None, and a log line, if the row is quarantined."""
        try:
            schema, fields = self._read(row)
            overlay = self._overlay(schema.cls, fields) if self._overlay is not None else None
            schema.check_complete(fields.keys() | (overlay or {}).keys())
        except UnreadableRecord as error:
            self.quarantine(row, str(error))
            return None
        record = object.__new__(schema.cls)
        state = record.__dict__
        state["key"] = row.key
        state.update(schema.live)
        state.update(schema.defaults)
        for name, make in schema.makers.items():
            state[name] = make()
        if overlay:
            state.update({name: copy.deepcopy(value) for name, value in overlay.items()})
        state.update(fields)
        self._contents.enter(record, row.owner)
        if row.version != schema.versions or row.kind != schema.kind:
            self._contents.mark_dirty(record)
        return record

    def join(self, record: Record) -> None:
        """Put records in the place of keys; a key that is not found leaves None."""
        schema = schema_of(type(record))
        if schema.resolvers:
            self._resolve(record, schema)
        if schema.mutable:
            overlay = self._overlay(schema.cls, record.__dict__) if self._overlay is not None else None
            _set(record, "_digest", hash(schema.encode(record, overlay)))
            if self._contents.watch is not None:
                self._contents.watch.look(record)
        record.on_attach()

    def quarantine(self, row: Row, reason: str) -> None:
        """Leave a row alone, and say so."""
        logger.error("%s %r cannot be loaded and stays in the database as it is: %s", row.family, row.key, reason)
        self._contents.quarantined[row.family, row.key] = reason
        self._contents.take_keys(row.family, (row.key,))

    def _read(self, row: Row) -> tuple[Schema, Fields]:
        if row.is_damaged:
            raise UnreadableRecord("its checksum does not match, so it was damaged on disk: restore a backup")
        cls = self._contents.catalog.find(row.family, row.kind)
        if cls is None:
            raise UnreadableRecord(
                f"there is no record class for the kind {row.kind!r}: import its module before the store is opened, or "
                "name its new class with was="
            )
        schema = schema_of(cls)
        return schema, schema.decode(row.data, row.version)

    def _resolve(self, record: Record, schema: Schema) -> None:
        state = record.__dict__
        for name, resolve in schema.resolvers.items():
            value = state[name]
            if value is None:
                continue
            state[name] = found = resolve(value, self._find)
            if found is None:  # stays stored as it is until it is assigned
                state["_dangling"] = {**(record._dangling or {}), name: value}
                state["_guarded"] = record._guarded | {name}

    def _find(self, cls: type[Record], key: Any) -> Record | None:
        found = self._contents.get(cls._declaration.family, key)
        return found if isinstance(found, cls) else None
