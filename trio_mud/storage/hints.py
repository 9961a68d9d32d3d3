"""The types of stored fields: what JSON has in place of records, which types can change in place, who is referred to.

It works on types as `typing.get_type_hints` returns them, and knows no values but through the functions it returns.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import sys
import types
import typing
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from .record import Record, is_live

__all__ = [
    "Find",
    "Resolver",
    "can_change_in_place",
    "has_records",
    "has_sets",
    "resolver",
    "stored_hints",
    "stored_type",
]

Find = Callable[[type[Record], str], Record | None]
"""Returns the record of this class, or one below it, with this key."""

Resolver = Callable[[Any, Find], Any]
"""Returns the value of a field with records in place of keys."""

_IMMUTABLE = (
    *(str, bytes, int, float, bool, type(None), decimal.Decimal, uuid.UUID, enum.Enum),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo),
)
_CONTAINERS = (list, set, frozenset, tuple)


def stored_hints(cls: type[Record]) -> dict[str, Any]:
    """Return the types of the stored fields by name.

    Raises:
        TypeError: A type is not defined, or cannot be stored.
    """
    hints: dict[str, Any] = {}
    live = {field.name for field in dataclasses.fields(cls) if is_live(field)}
    for base in reversed(cls.__mro__):
        # `live` fields may have types that are only there for type checkers, so each name is resolved by itself.
        mine = {name: hint for name, hint in inspect.get_annotations(base).items() if name not in live}
        mine = {name: hint for name, hint in mine.items() if name in cls._tracked}
        holder = SimpleNamespace(__annotations__=mine)
        module = sys.modules.get(base.__module__)
        local = {**{other.__name__: other for other in cls.__mro__}, **vars(base)}
        try:
            hints |= typing.get_type_hints(holder, vars(module) if module else {}, local, include_extras=True)
        except NameError as error:
            raise TypeError(
                f"{base.__name__}: {error}; the types of stored fields must be importable when the store is opened"
            ) from error
    for name, hint in hints.items():
        _check(f"{cls.__name__}.{name}", hint)
    return hints


def stored_type(hint: Any) -> Any:
    """Return the type with a key in place of every record."""
    if _is_record(hint):
        return str
    origin, arguments = get_origin(hint), get_args(hint)
    if not arguments or origin is Literal:
        return hint
    if origin in (Union, types.UnionType):
        return Union[tuple(stored_type(argument) for argument in arguments)]  # noqa: UP007  made of a list
    if origin is Annotated:
        return Annotated[(stored_type(arguments[0]), *arguments[1:])]
    return origin[tuple(argument if argument is Ellipsis else stored_type(argument) for argument in arguments)]


def has_records(hint: Any) -> bool:
    """Return True if a value of this type refers to records."""
    return _is_record(hint) or any(has_records(argument) for argument in get_args(hint))


def has_sets(hint: Any) -> bool:
    """Return True if a value of this type may hold a set, whose order is by chance."""
    origin = get_origin(hint) or hint
    return origin in (set, frozenset) or any(has_sets(argument) for argument in get_args(hint))


def can_change_in_place(hint: Any) -> bool:
    """Return True if a value of this type can change without an assignment."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal or hint is Ellipsis:
        return False
    if origin in (Union, types.UnionType, tuple, frozenset):
        return any(can_change_in_place(argument) for argument in arguments)
    if origin is Annotated:
        return can_change_in_place(arguments[0])
    if _is_record(hint) or hint in (tuple, frozenset, None):
        return False
    if isinstance(hint, type) and issubclass(hint, _IMMUTABLE):
        return False
    fields = _members(hint)
    return not (fields is not None and _is_frozen(hint) and not any(map(can_change_in_place, fields)))


def resolver(hint: Any) -> Resolver | None:
    """Return the function that puts records in the place of keys; None if there are none in this type."""
    if not has_records(hint):
        return None
    if _is_record(hint):
        return lambda key, find: find(hint, key)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return resolver(arguments[0])
    if origin in (Union, types.UnionType):
        (inner,) = (made for argument in arguments if (made := resolver(argument)) is not None)
        return lambda value, find: None if value is None else inner(value, find)
    if origin is dict:
        of_value = resolver(arguments[1])
        assert of_value is not None
        return lambda value, find: {
            key: found for key, inner in value.items() if (found := of_value(inner, find)) is not None
        }
    of_item = resolver(arguments[0])
    assert of_item is not None
    return lambda value, find: origin(found for item in value if (found := of_item(item, find)) is not None)


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Record)


def _check(where: str, hint: Any) -> None:
    """Raise TypeError for what could be stored and not be loaded again, or not as the same."""
    origin, arguments = get_origin(hint), get_args(hint)
    if _is_record(hint) and not hint._declaration.family:
        raise TypeError(f"{where}: {hint.__name__} has no family, so no record of it can be found again")
    if origin in (Union, types.UnionType):
        referring = [argument for argument in arguments if has_records(argument)]
        if len(referring) > 1 or (referring and str in arguments):
            raise TypeError(f"{where}: a key could be of any of {hint}; name one class that all of them have as a base")
    if origin is dict and has_records(arguments[0]):
        raise TypeError(f"{where}: a record cannot be the key of a dict; use its key")
    if origin is tuple and has_records(hint) and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        raise TypeError(f"{where}: of tuples only tuple[X, ...] can hold records; use fields of their own")
    if (
        origin is not None
        and has_records(hint)
        and origin not in (*_CONTAINERS, dict, Union, types.UnionType, Annotated)
    ):
        raise TypeError(f"{where}: {hint} cannot hold records; use a list, tuple, set or dict")
    for member in _members(hint) or ():
        if has_records(member):
            raise TypeError(f"{where}: only fields of a record can refer to records, and {hint.__name__} is none")
    for argument in arguments if origin is not Literal else ():
        _check(where, argument)


def _members(hint: Any) -> list[Any] | None:
    """Return the types inside a dataclass, a Struct or a tuple with names; None for any other type."""
    if not isinstance(hint, type) or _is_record(hint):
        return None
    if dataclasses.is_dataclass(hint) or issubclass(hint, msgspec.Struct) or hasattr(hint, "_fields"):
        return list(typing.get_type_hints(hint).values())
    return None


def _is_frozen(hint: Any) -> bool:
    if issubclass(hint, tuple):
        return True
    if issubclass(hint, msgspec.Struct):
        return bool(hint.__struct_config__.frozen)
    return bool(hint.__dataclass_params__.frozen)
