"""Unique fields: which record has which value, in memory and on disk.

One server owns the database, so memory decides. None and the default of a field are not unique values.
The contents use it when a record comes, goes or is about to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio_mud.errors import DuplicateKey

from .record import Record
from .schema import family_of, schema_of

if TYPE_CHECKING:
    from .catalog import Catalog

__all__ = ["UniqueValues"]


class UniqueValues:
    """The key of the record that has each value of a unique field.

    Attributes:
        keys: Keys by value, by family and field.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.keys: dict[tuple[str, str], dict[Any, str]] = {place: {} for place in catalog.unique()}

    def check_all(self, record: Record) -> None:
        """Raise DuplicateKey if another record has a unique value of this one."""
        for field in type(record)._declaration.unique:
            self._check(record, field, record.__dict__[field])

    def claim_all(self, record: Record) -> None:
        """Note the unique values of a new record, which were checked."""
        for field in type(record)._declaration.unique:
            self.claim(record, field, record.__dict__[field])

    def claim_loaded(self, record: Record) -> None:
        """Note the unique values of a loaded record; of two records with one value, the first loaded has it."""
        for field in type(record)._declaration.unique:
            if _is_claimable(type(record), field, value := record.__dict__[field]):
                self.keys[family_of(type(record)), field].setdefault(value, record.key)

    def claim(self, record: Record, field: str, value: object) -> None:
        """Note that the record is about to have this value; has no effect if the field is not unique.

        Raises:
            DuplicateKey: Another record has it.
        """
        place = (family_of(type(record)), field)
        if place not in self.keys:
            return
        self._check(record, field, value)
        if record._tracker is not None:
            self._release(record, field)
        if _is_claimable(type(record), field, value):
            self.keys[place][value] = record.key

    def release_all(self, record: Record) -> None:
        """Let other records have the values of a removed one."""
        for field in type(record)._declaration.unique:
            self._release(record, field)

    def _check(self, record: Record, field: str, value: object) -> None:
        if _is_claimable(type(record), field, value):
            family = family_of(type(record))
            key = self.keys[family, field].get(value)
            if key is not None and key != record.key:
                raise DuplicateKey(f"another {family} has the {field} {value!r} already; choose another one")

    def _release(self, record: Record, field: str) -> None:
        taken, value = self.keys[family_of(type(record)), field], record.__dict__[field]
        if taken.get(value) == record.key:
            del taken[value]


def _is_claimable(cls: type[Record], field: str, value: object) -> bool:
    schema = schema_of(cls)
    return value is not None and (field not in schema.defaults or value != schema.defaults[field])
