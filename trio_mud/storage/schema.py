"""The schema of one record class: how its fields become JSON and are read from it.

A hidden TypedDict is made of the stored fields, with `str` in place of every record; msgspec decodes by it and names
the field that is wrong. A field that equals its default is not stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypedDict, cast

import msgspec

from trio_mud.errors import UnreadableRecord

from .hints import Resolver, can_change_in_place, has_records, has_sets, resolver, stored_hints, stored_type
from .record import Fields, Record, is_live

__all__ = ["Schema", "family_of", "in_keys", "kind_of", "schema_of", "versions_of"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def schema_of(cls: type[Record]) -> Schema:
    """Return the schema of a class, made at the first call, when all types it names are defined.

    Raises:
        TypeError: A field cannot be stored, or its default is not of its type.
    """
    schema: Schema | None = cls.__dict__.get("_schema")
    if schema is None:
        cls._schema = schema = Schema(cls)
    return schema


def family_of(cls: type[Record]) -> str:
    """Return the family of a class."""
    return cls._declaration.family


def kind_of(cls: type[Record]) -> str:
    """Return the stored name of a class."""
    return cls._declaration.kind


def versions_of(cls: type[Record]) -> str:
    """Return the versions of a class and its bases as they are stored: those that are not 1, base first."""
    return " ".join(
        f"{kind_of(base)}={base._declaration.version}" for base in _lineage(cls) if base._declaration.version > 1
    )


def _lineage(cls: type[Record]) -> list[type[Record]]:
    return [base for base in reversed(cls.__mro__) if issubclass(base, Record) and base is not Record]


class Schema:
    """How one class is stored.

    Attributes:
        family, kind, versions: The columns of its rows.
        defaults: Default values of the stored fields that have one; not to be changed, for they are shared.
        makers: Functions that make a new default, by field: those of lists, dicts and sets, of live fields too.
        live: Default values of the live fields.
        resolvers: Functions that put records in the place of keys, by field.
        mutable: Fields whose value can change in place.
        required: Fields without a default.
        hints: Types of the stored fields by name.
        plan: For each field its name, its default in stored form, and what puts its values into stored form.
    """

    def __init__(self, cls: type[Record]) -> None:
        self.cls = cls
        self.hints: dict[str, Any] = stored_hints(cls)
        self.family, self.kind, self.versions = family_of(cls), kind_of(cls), versions_of(cls)
        hints = self.hints
        fields = {field.name: field for field in dataclasses.fields(cls) if field.name in hints}
        lively = [field for field in dataclasses.fields(cls) if is_live(field)]
        self.live = {field.name: field.default for field in lively if field.default is not dataclasses.MISSING}
        self.makers: dict[str, Callable[[], Any]] = {
            field.name: field.default_factory
            for field in (*fields.values(), *lively)
            if field.default_factory is not dataclasses.MISSING
        }
        self.defaults = {
            name: field.default for name, field in fields.items() if field.default is not dataclasses.MISSING
        }
        self.resolvers: dict[str, Resolver] = {
            name: made for name, hint in hints.items() if (made := resolver(hint)) is not None
        }
        self.mutable = tuple(name for name, hint in hints.items() if can_change_in_place(hint))
        self.required = frozenset(fields) - self.defaults.keys() - self.makers.keys()
        stored = {name: stored_type(hint) for name, hint in hints.items()}
        try:
            typed: Any = cast("Any", TypedDict)(f"Stored{cls.__name__}", stored, total=False)
            self._decoder = msgspec.json.Decoder(typed)
        except TypeError as error:
            raise TypeError(f"{cls.__name__} cannot be stored: {error}") from error
        self.plan = [_step(name, hint, self) for name, hint in hints.items()]
        self._check_defaults()

    def encode(self, record: Record, overlay: Mapping[str, Any] | None = None) -> bytes:
        """Return the fields that differ from their defaults, or from `overlay`, which replaces defaults.

        Raises:
            TypeError, ValueError: A value cannot be stored.
        """
        state = record.__dict__
        fields = {}
        for name, default, convert in self.plan:
            value = state[name]
            if overlay is not None and name in overlay:
                default = overlay[name] if convert is None else convert(overlay[name])
            if value is default:
                continue
            if convert is not None:
                value = convert(value)
            if value != default or type(value) is not type(default):
                fields[name] = value
        if record._dangling:
            fields |= {name: key for name, key in record._dangling.items() if state[name] is None}
        return _encode(fields)

    def check(self, data: bytes) -> str:
        """Return why these stored fields could not be loaded again; an empty string if they could."""
        try:
            self._decoder.decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            return str(error)
        return ""

    def check_value(self, name: str, value: Any) -> str:
        """Return why a field could not be stored, or loaded again, with this value; an empty string if it could."""
        try:
            return self.check(_encode({name: in_keys(value)}))
        except (TypeError, ValueError) as error:
            return str(error)

    def stored_value(self, value: Any) -> Any:
        """Return the value of a field in stored form: keys in place of records, and types of JSON.

        Raises:
            TypeError, ValueError: It cannot be stored.
        """
        return _decode(_encode(in_keys(value)))

    def decode(self, data: bytes, versions: str) -> Fields:
        """Return the stored fields, brought to the versions of the class; references are still keys.

        Fields without a default may be missing, because a template has them: see `check_complete`.

        Raises:
            UnreadableRecord: They do not fit, or a migration failed.
        """
        try:
            if versions == self.versions:
                fields: Fields = self._decoder.decode(data)
            else:
                fields = self._decoder.decode(_encode(self._migrated(_decode(data), versions)))
        except UnreadableRecord:
            raise
        except Exception as error:
            raise UnreadableRecord(f"{type(error).__name__}: {error}") from error
        return fields

    def check_complete(self, names: Collection[str]) -> None:
        """Check that every field without a default is among these.

        Raises:
            UnreadableRecord: One is missing.
        """
        if missing := self.required.difference(names):
            raise UnreadableRecord(f"the field {min(missing)!r} has no default and was not stored")

    def _migrated(self, fields: Fields, versions: str) -> Fields:
        stored = {kind: int(version) for kind, _, version in (part.partition("=") for part in versions.split())}
        for base in _lineage(self.cls):
            declared = base._declaration
            since = max(stored.get(kind, 1) for kind in (declared.kind, *declared.was))
            if since > declared.version:
                raise UnreadableRecord(
                    f"it was written by newer code, with version {since} of {declared.kind!r}; this code has version "
                    f"{declared.version}: run the newer code"
                )
            for version in range(since, declared.version):
                fields = dict(declared.migrations[version](fields))
        return fields

    def _check_defaults(self) -> None:
        for name, default, _ in self.plan:
            if default is not msgspec.UNSET and (wrong := self.check(_encode({name: default}))):
                raise TypeError(f"{self.cls.__name__}.{name}: the default {default!r} does not fit: {wrong}")


def _step(name: str, hint: Any, schema: Schema) -> tuple[str, Any, Callable[[Any], Any] | None]:
    """Return a field's name, its default in stored form, and what puts its values into stored form."""
    convert = in_keys if has_records(hint) or has_sets(hint) else None
    default = schema.makers[name]() if name in schema.makers else schema.defaults.get(name, msgspec.UNSET)
    return name, default if convert is None else convert(default), convert


def in_keys(value: Any) -> Any:
    """Return the value with keys in place of records, and sets in a fixed order."""
    if isinstance(value, Record):
        return None if _is_gone(value) else value.key
    if isinstance(value, dict):
        return {key: in_keys(inner) for key, inner in value.items() if not _is_gone(inner)}
    if isinstance(value, list | tuple):
        return [in_keys(item) for item in value if not _is_gone(item)]
    if isinstance(value, set | frozenset):
        return sorted((in_keys(item) for item in value if not _is_gone(item)), key=repr)
    return value


def _is_gone(value: Any) -> bool:
    return isinstance(value, Record) and value._tracker is None and not value._is_leaving
