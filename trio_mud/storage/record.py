"""Records: classes whose fields are stored.

    class Account(Record, family="account", unique=("email",)):    # loaded when asked for
        name: str
        email: str = ""

    class Thing(Record, family="thing", resident=True):            # loaded at the start
        name: str = ""
        place: Thing | None = None           # another record: stored as its key
        flame: Flame | None = live()         # not stored, and no argument of the class

A record is declared as a dataclass is; all fields are keyword arguments. A list, dict or set as a default is copied
for each record. Assigning a field marks the record as changed; changing a list in place does not, so assign a new one
or call `store.changed(record)`.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Protocol

from ..text.nearest import nearest_names

__all__ = ["Declaration", "Fields", "Migration", "Record", "Tracker", "is_live", "live"]

Fields = dict[str, Any]
"""The stored fields of a row, as JSON has them: a record is its key, a tuple is a list."""

Migration = Callable[[Fields], Mapping[str, Any]]

_LIVE = "trio_mud.live"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLAIN = (str, bytes, int, float, list, dict, set, frozenset, tuple)  # values that fields have
_INTERNAL = frozenset(
    {"key", "_tracker", "_guarded", "_owner", "_group", "_digest", "_dangling", "_is_leaving", "_looks", "_assigned"}
)

_set = object.__setattr__


def live(*, default: Any = None, default_factory: Any = dataclasses.MISSING, init: Literal[False] = False) -> Any:
    """Declare a field that is not stored; after a load it has its default."""
    made = {"default": default} if default_factory is dataclasses.MISSING else {"default_factory": default_factory}
    return dataclasses.field(**made, init=init, metadata={_LIVE: True})


def is_live(field: dataclasses.Field[Any]) -> bool:
    """Return True if the field was declared with `live`."""
    return _LIVE in field.metadata


class Tracker(Protocol):
    """The part of a store that a record reports to."""

    dirty: dict[Record, int]
    world: Any

    def mark_dirty(self, record: Record) -> None:
        """Called before a stored field of a clean record changes."""

    def check_assignment(self, record: Record, name: str, value: object) -> None:
        """Called before a guarded field changes; raises to forbid it."""


@dataclasses.dataclass(slots=True)
class Declaration:
    """The class arguments of a record class, and its migrations."""

    family: str
    kind: str
    was: tuple[str, ...]
    version: int
    is_resident: bool
    index: frozenset[str]  # fields that `find` searches by; unique ones included
    unique: frozenset[str]
    migrations: dict[int, Migration]


class RecordType(type):
    """The type of record classes. It has no methods, so that making a record costs what any object costs."""


class SupersededType(RecordType):
    """The type of a record class that a reload has superseded: it forwards to its successor.

    Closures and other modules may still refer to such a class. Calling it makes a record of its successor, and
    `isinstance` accepts records of its successor. `type(record) is Old` is False.
    """

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        newest = _newest(cls)
        return super().__call__(*args, **fields) if newest is cls else newest(*args, **fields)

    def __instancecheck__(cls, instance: object) -> bool:
        newest = _newest(cls)
        return super().__instancecheck__(instance) or (newest is not cls and isinstance(instance, newest))

    def __subclasscheck__(cls, subclass: type) -> bool:
        newest = _newest(cls)
        return super().__subclasscheck__(subclass) or (newest is not cls and issubclass(subclass, newest))


def _newest(cls: Any) -> Any:
    """Return the class that has taken the place of this one; itself if there is none."""
    while (successor := vars(cls).get("_successor")) is not None:
        cls = successor
    return cls


@typing.dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(dataclasses.field, live))
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Record(metaclass=RecordType):
    """The base of all classes whose instances are stored. A subclass names its family and the like as class arguments.

    Args:
        family: The space of keys, lower case. Subclasses share their base's, so a reference is one key whichever
            class the record has.
        resident: True if all records of the family are loaded at the start; otherwise each is loaded when asked for.
        version: Of this class's own fields; 1 at first. Raise it when they change so that stored rows no longer fit,
            and register a `migration` for each step.
        kind: The stored name of the class; its own name in lower case if not given.
        was: Former kinds, after a class was renamed.
        index: Fields that `store.find` searches by.
        unique: Fields in which no two records of the family may have the same value, unless it is the default.

    Attributes:
        key: The key, unique in its family; set by `store.add`, and fixed from then on.

    A subclass may override `stored_with` and the four `on_…` methods, and calls its base's there. They are plain
    functions and run between two events.
    """

    key: str = ""

    _declaration: ClassVar[Declaration] = Declaration("", "", (), 1, False, frozenset(), frozenset(), {})
    _tracked: ClassVar[frozenset[str]] = frozenset()  # names of the stored fields
    _declared: ClassVar[frozenset[str]] = frozenset({"key"})  # names of all fields
    _schema: ClassVar[Any] = None  # made by schema.py at first need, for each class its own
    # These are overridden by instances. They are class variables so that they are no fields.
    _tracker: ClassVar[Tracker | None] = None
    _guarded: ClassVar[frozenset[str]] = frozenset({"key"})
    _owner: ClassVar[str] = ""  # as last encoded or loaded
    _dangling: ClassVar[Mapping[str, str] | None] = None  # keys of references that were not found, by field
    _looks: ClassVar[Mapping[str, bytes | None]] = {}  # noted by the watch of a strict store
    _assigned: ClassVar[frozenset[str]] = frozenset()  # likewise
    _successor: ClassVar[type[Record] | None]  # of a superseded class; None if it has no successor or was abandoned
    _is_leaving: ClassVar[bool] = False  # removed after the moment of a transaction that is still open

    def __init_subclass__(
        cls,
        *,
        family: str = "",
        resident: bool | None = None,
        version: int = 1,
        kind: str = "",
        was: tuple[str, ...] = (),
        index: tuple[str, ...] = (),
        unique: tuple[str, ...] = (),
    ) -> None:
        super().__init_subclass__()
        _check_names(cls)
        _copy_mutable_defaults(cls)
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        base = cls._declaration
        made = Declaration(
            family or base.family,
            kind or cls.__name__.lower(),
            was,
            version,
            base.is_resident if resident is None else resident,
            base.index | {*index, *unique},
            base.unique | {*unique},
            {},
        )
        fields = {field.name for field in dataclasses.fields(cls) if not is_live(field)}
        cls._tracked = frozenset(fields - {"key"})
        cls._declared = frozenset(field.name for field in dataclasses.fields(cls))
        cls._guarded = frozenset({"key"}) | made.unique
        _check_declaration(cls, made)
        cls._declaration = made  # last: a class without one of its own was refused, and the catalog skips it

    @classmethod
    def migration(cls, version: int) -> Callable[[Migration], Migration]:
        """Register the function that turns stored fields of this version into those of the next one.

        The function gets a dict of what was stored, with keys in place of records, and returns the new one. Fields
        that equalled their default are absent. If it raises, that row is quarantined and the others load.
        """

        def register(function: Migration) -> Migration:
            cls._declaration.migrations[version] = function
            return function

        return register

    def stored_with(self) -> str:
        """Return the key of the record of the same family that this one is loaded and released with.

        A record that returns its own key is not resident: it is in memory while `store.hold` holds it, together with
        all that return its key. An empty string, the default, makes it resident if its family is.
        """
        return ""

    def on_attach(self) -> None:
        """Called when the record is in memory and its references are set: after `add`, and after a load."""

    def on_detach(self) -> None:
        """Called after the record was removed from the store."""

    def on_hold(self) -> None:
        """Called when the first `hold` of this record returns."""

    def on_release(self) -> None:
        """Called when the last `hold` was released."""

    def __setattr__(self, name: str, value: object) -> None:
        tracker = self._tracker
        if tracker is not None:
            if name in self._guarded:
                tracker.check_assignment(self, name, value)
            # Before the change: a transaction that is being encoded still gets the old value.
            if self not in tracker.dirty and name in self._tracked:
                tracker.mark_dirty(self)
        if name not in self._declared:
            _check_new_attribute(self, name)
        _set(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._tracked or name == "key":
            raise AttributeError(f"{type(self).__name__}.{name} is stored and cannot be deleted: assign its default")
        object.__delattr__(self, name)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what ties the record to its store: a copy is a new record without a key."""
        return {name: value for name, value in self.__dict__.items() if name not in _INTERNAL}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}>"


def _check_new_attribute(record: Record, name: str) -> None:
    """Raise AttributeError for a name that is no field, for it would not be stored, in silence.

    A name with an underscore is the author's own, and one that the class has is a property, or a class variable.
    """
    cls = type(record)
    if name.startswith("_") or hasattr(cls, name):
        return
    near = nearest_names(name, sorted(cls._declared))
    hint = f"did you mean {near[0]!r}? If not, declare it" if near else "declare it"
    raise AttributeError(
        f"{cls.__name__} has no field {name!r}, so it would not be stored: {hint} in the class, with live() if it is "
        "not to be stored",
        name=name,
        obj=record,
    )


def _check_names(cls: type[Record]) -> None:
    annotations = inspect.get_annotations(cls)
    for name in annotations:
        if name in vars(Record) and "ClassVar" not in str(cls.__annotations__[name]):
            raise TypeError(f"{cls.__name__}.{name} hides an attribute of Record: give the field another name")
    for name, value in vars(cls).items():
        # Without a type it is no field: it would not be stored, and a base's default would hide it in each record.
        if name[0] != "_" and not name.isupper() and name not in annotations and isinstance(value, _PLAIN):
            kind = type(value).__name__
            raise TypeError(f"{cls.__name__}.{name} has no type, so it is not stored: write {name}: {kind} = {value!r}")


def _copy_mutable_defaults(cls: type[Record]) -> None:
    """Give each record its own list, dict or set, as msgspec does; dataclasses would refuse them."""
    for name in inspect.get_annotations(cls):
        default = cls.__dict__.get(name)
        if isinstance(default, list | dict | set):
            make = partial(copy.deepcopy, default) if default else type(default)
            setattr(cls, name, dataclasses.field(default_factory=make))


def _check_declaration(cls: type[Record], made: Declaration) -> None:
    name = cls.__name__
    if made.family and not _NAME.fullmatch(made.family):
        raise TypeError(f"{name}: the family {made.family!r} must be lower-case letters, digits and underscores")
    for kind in (made.kind, *made.was):
        if not kind or not kind.replace("-", "_").replace(".", "_").isidentifier():
            raise TypeError(f"{name}: the kind {kind!r} must be a name")
    if made.version < 1:
        raise TypeError(f"{name}: the version is {made.version}; the first one is 1")
    if unknown := made.index - cls._tracked:
        raise TypeError(f"{name} has no stored field {', '.join(sorted(unknown))} to index")
