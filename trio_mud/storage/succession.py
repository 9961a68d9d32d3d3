"""The exchange of record classes for those of the same names that a new import has made.

Theory of operation
-------------------
`Succession` is made before the import, and knows the classes of the modules that are imported again. `check` pairs
each class with its successor, and does all that can fail: living records of changed fields are encoded by the old
class and decoded by the new one, with its migrations, as a restart would do it. The results are kept aside.

`exchange` gives each living record its new class and fields. The record keeps its identity, so every reference to it
holds. Nothing in it can fail. An old class that other objects still refer to forwards to its successor (`record.py`).
Then the function of the game that makes its hooks can run, which reads the world by its new classes. It is the last
that can fail: `undo` takes the exchange back, and removes records that were added since.

`abandon` hides the new classes again.
"""

from __future__ import annotations

import copy
import gc
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, get_args

from trio_mud.errors import ReloadFailed, StorageError, UnreadableRecord

from .catalog import Catalog
from .contents import Contents
from .record import Record, RecordType, SupersededType
from .schema import Schema, family_of, in_keys, schema_of
from .transaction import Overlay

__all__ = ["Succession"]

logger = logging.getLogger("trio_mud")
_set = object.__setattr__


_RULES = ("the families of records", "the unique fields", "the resident families")


class _Change(NamedTuple):
    """A record that gets new fields; references among them are still keys."""

    record: Record
    values: dict[str, Any]
    gone: frozenset[str]
    unresolved: tuple[str, ...]


class Succession:
    """One exchange of classes.

    Args:
        modules: The modules that are imported again.
        contents: The records of the game; None without a store.

    Attributes:
        records: The living records that get another class or other fields, after `check`.
    """

    def __init__(self, modules: Collection[str], contents: Contents | None) -> None:
        self._modules = frozenset(modules)
        self._contents = contents
        self._known = set(_subclasses(Record))
        self._old = [cls for cls in self._known if cls.__module__ in self._modules and "_successor" not in vars(cls)]
        # Now, because the types of fields are looked up in the modules, which the import replaces.
        self._rules = None if contents is None else _rules(contents.catalog)
        self._schemas = {cls: schema_of(cls) for cls in contents.catalog.classes()} if contents is not None else {}
        self._successors: dict[type[Record], type[Record] | None] = {}
        self._changes: list[_Change] = []
        self._catalog: Catalog | None = None
        self._before: list[tuple[Record, type[Record], dict[str, Any]]] = []  # the records as they were
        self._forwarded: list[tuple[type[Record], type[Record]]] = []  # superseded earlier, and where they forwarded
        self._catalog_before: Catalog | None = None
        self._keys_before: dict[str, set[str]] = {}
        self.records: list[Record] = []

    def pair(self) -> None:
        """Find the successors, after the import.

        Raises:
            ReloadFailed: A successor differs in what only a restart can change.
        """
        made = [cls for cls in _subclasses(Record) if cls not in self._known and "_declaration" in vars(cls)]
        by_name = {_name(cls): cls for cls in made}
        by_kind = {
            (family_of(cls), kind): cls for cls in made for kind in (cls._declaration.kind, *cls._declaration.was)
        }
        for cls in self._old:
            renamed = by_kind.get((family_of(cls), cls._declaration.kind))
            successor = self._successors[cls] = by_name.get(_name(cls), renamed)
            if successor is not None:
                self._check_pair(cls, successor)

    def successor(self, cls: type[Record]) -> type[Record] | None:
        """Return the class that records of this class get; None if there is none."""
        return self._successors.get(cls, cls)

    def catalog(self, roots: Collection[type[Record]], pause: Callable[[], None]) -> Catalog:
        """Return the catalog of the new classes; calls `pause` before each of them.

        Raises:
            ReloadFailed: It differs from the present one in what only a restart can change.
            TypeError: A class is declared wrongly.
        """
        families = {family_of(root) for root in roots}
        for successor in self._successors.values():
            if successor is not None and family_of(successor) in families:
                pause()
                schema_of(successor)  # most of the work, and kept for the catalog
        self._catalog = Catalog(roots, without=self._old)
        assert self._rules is not None
        for before, after, what in zip(self._rules, _rules(self._catalog), _RULES, strict=True):
            if before != after:
                changed = ", ".join(sorted(before ^ after))
                raise ReloadFailed(f"{what} changed ({changed}): restart the server")
        return self._catalog

    def check(
        self, overlay: Overlay | None, new_overlay: Overlay | None, has_changed: Callable[[Record], bool]
    ) -> None:
        """Convert every living record that needs it, aside.

        Args:
            overlay: Returns the present values that lie under a record's fields.
            new_overlay: Returns those to come.
            has_changed: Returns True if they differ for this record.

        Raises:
            ReloadFailed: A record cannot have its new class.
        """
        stored = list(dict.fromkeys(self._stored()))
        others = [record for record in self._unstored() if record._tracker is None]
        missing = Counter(type(record).__name__ for record in stored if self.successor(type(record)) is None)
        if missing:
            name, number = missing.most_common(1)[0]
            raise ReloadFailed(
                f"there is no class {name} any more, and {number} records of it are in memory: "
                "keep the class, name its new one with was=, or remove the records first"
            )
        if self._contents is not None:
            self._contents.check_open()
        kept: dict[type[Record], bool] = {}
        for record in (*stored, *others):
            cls = type(record)
            after = self.successor(cls)
            if after is None:
                continue
            if cls not in kept:
                kept[cls] = after is cls or not self._differ(cls, after)
            is_changed = has_changed(record)
            if not kept[cls] or is_changed:
                self._changes.append(self._converted(record, after, overlay, new_overlay))
            if after is not cls or is_changed:
                self.records.append(record)

    def exchange(self, prepare: Callable[[], None]) -> None:
        """Give all records their classes and fields; `prepare` is called before references are followed."""
        contents = self._contents
        if contents is not None:
            self._catalog_before = contents.catalog
            self._keys_before = {family: set(keys) for family, keys in contents.keys.items()}
        changed = {change.record for change in self._changes}
        for change in self._changes:
            if contents is not None and change.record._tracker is contents:
                contents.mark_dirty(change.record)  # first: an open transaction still gets it as it was
        for record in self.records:
            self._before.append((record, type(record), dict(record.__dict__) if record in changed else {}))
            _set(record, "__class__", self.successor(type(record)))
        for record, values, gone, _ in self._changes:
            for name in gone:
                record.__dict__.pop(name, None)
            record.__dict__.update(values)
            if "_looks" in record.__dict__:  # a strict store looks at all fields again
                _set(record, "_looks", {})
                _set(record, "_guarded", record._guarded.union(schema_of(type(record)).mutable))
        for cls, successor in self._successors.items():
            for earlier in self._known:  # not a chain, which would keep the classes of every reload in memory
                if vars(earlier).get("_successor") is cls:
                    self._forwarded.append((earlier, cls))
                    earlier._successor = successor
            cls._successor = successor
            if type(cls) is RecordType:
                cls.__class__ = SupersededType  # type: ignore[assignment]
        if contents is not None and self._catalog is not None:
            contents.catalog = self._catalog
        prepare()
        for record, values, _, unresolved in self._changes:
            for name in unresolved:
                resolve = schema_of(type(record)).resolvers[name]
                record.__dict__[name] = None if values[name] is None else resolve(values[name], self._find)

    def undo(self) -> None:
        """Take the exchange back, and remove the records that were added since."""
        for cls in self._successors:
            if type(cls) is SupersededType:
                cls.__class__ = RecordType  # type: ignore[assignment]
            del cls._successor
        for earlier, cls in self._forwarded:
            earlier._successor = cls
        for record, cls, state in self._before:
            _set(record, "__class__", cls)
            if state:
                record.__dict__.clear()
                record.__dict__.update(state)
        contents = self._contents
        if contents is None or self._catalog_before is None:
            return
        contents.catalog = self._catalog_before
        for family, before in self._keys_before.items():
            for key in contents.keys[family] - before:
                record_added = contents.get(family, key)
                if record_added is not None:
                    try:
                        contents.remove(record_added)
                    except Exception:
                        logger.exception(
                            "%r was added by code that was refused, and could not be removed", record_added
                        )

    def abandon(self, is_new: Callable[[str], bool]) -> None:
        """Hide the classes that the import has made, in modules for whose names `is_new` is True."""
        for cls in _subclasses(Record):
            if cls not in self._known and is_new(cls.__module__):
                cls._successor = None

    # Inside

    def _stored(self) -> Iterator[Record]:
        if self._contents is not None:
            for family in self._contents.catalog.roots:
                yield from self._contents.in_memory(family)

    def _unstored(self) -> Iterator[Record]:
        """Yield records of the old classes that live outside a store, such as the bodies of guests."""
        if self._old:
            old = set(self._old)
            for found in gc.get_referrers(*self._old):  # an instance refers to its class
                if type(found) in old:
                    yield found

    def _check_pair(self, before: type[Record], after: type[Record]) -> None:
        if family_of(before) != family_of(after):
            raise ReloadFailed(f"the family of {before.__name__} changed: restart the server")
        try:
            _set(object.__new__(before), "__class__", after)
        except TypeError as error:
            raise ReloadFailed(f"{before.__name__} cannot be exchanged: {error}; restart the server") from error

    def _differ(self, before: type[Record], after: type[Record]) -> bool:
        """Return True if the fields of a record need a conversion."""
        old, new = self._schema(before), schema_of(after)
        if (old.kind, old.versions, old.live, old.makers.keys()) != (
            new.kind,
            new.versions,
            new.live,
            new.makers.keys(),
        ):
            return True
        if [*map(repr, old.hints.items())] != [*map(repr, new.hints.items())]:
            return True
        if [(name, type(default), default) for name, default, _ in old.plan] != [
            (name, type(default), default) for name, default, _ in new.plan
        ]:
            return True
        return any(self._names_reloaded(hint) for hint in old.hints.values())

    def _names_reloaded(self, hint: Any) -> bool:
        """Return True if values of this type are of a class that was imported again and is no record class."""
        if isinstance(hint, type) and not issubclass(hint, Record) and hint.__module__ in self._modules:
            return True
        return any(self._names_reloaded(argument) for argument in get_args(hint))

    def _schema(self, cls: type[Record]) -> Schema:
        return self._schemas.get(cls) or schema_of(cls)

    def _converted(
        self, record: Record, after: type[Record], overlay: Overlay | None, new_overlay: Overlay | None
    ) -> _Change:
        old, new, state = self._schema(type(record)), schema_of(after), record.__dict__
        try:
            layer = None if overlay is None else overlay(type(record), state)
            fields = new.decode(old.encode(record, layer), old.versions)
            values = _fresh(new, [name for name, _, _ in new.plan])
            layer = None if new_overlay is None else new_overlay(after, {**values, **fields})
            values |= copy.deepcopy(dict(layer or {}))
            values |= fields
            for name, resolve in new.resolvers.items():
                if values[name] is not None:
                    resolve(values[name], self._find)  # what it finds may still come; that it does not raise is final
        except Exception as error:
            reason = (
                str(error) if isinstance(error, UnreadableRecord | StorageError) else f"{type(error).__name__}: {error}"
            )
            raise ReloadFailed(f"{record!r} cannot have its new class: {reason}; write a migration") from error
        unresolved = []
        for name in new.resolvers:
            if name in old.resolvers and in_keys(state[name]) == in_keys(values[name]):
                values[name] = state[name]  # also a record that is not stored, and so has no key
            else:
                unresolved.append(name)
        for name in after._declaration.unique:
            if values[name] != state.get(name):
                raise ReloadFailed(f"{record!r} would get another {name}, which is unique: restart the server")
        live = [name for name in (*new.live, *new.makers) if name not in values and name not in state]
        before = {name for name, _, _ in old.plan} | old.live.keys() | old.makers.keys()
        gone = before - {name for name, _, _ in new.plan} - new.live.keys() - new.makers.keys()
        return _Change(record, values | _fresh(new, live), frozenset(gone), tuple(unresolved))

    def _find(self, cls: type[Record], key: Any) -> Record | None:
        found = self._contents.get(family_of(cls), key) if self._contents is not None else None
        return found if isinstance(found, cls) else None


def _rules(catalog: Catalog) -> tuple[set[str], set[str], set[str]]:
    """Return what only a restart can change, in the order of `_RULES`."""
    return (
        set(catalog.roots),
        {".".join(place) for place in catalog.unique()},
        {family for family in catalog.roots if catalog.is_resident(family)},
    )


def _fresh(schema: Schema, names: Collection[str]) -> dict[str, Any]:
    """Return new default values of these fields; those without a default are left out."""
    values: dict[str, Any] = {}
    defaults: Mapping[str, Any] = {**schema.live, **schema.defaults}
    for name in names:
        if name in schema.makers:
            values[name] = schema.makers[name]()
        elif name in defaults:
            values[name] = defaults[name]
    return values


def _subclasses(cls: type[Record]) -> Iterator[type[Record]]:
    for below in type.__subclasses__(cls):
        yield below
        yield from _subclasses(below)


def _name(cls: type[Record]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
