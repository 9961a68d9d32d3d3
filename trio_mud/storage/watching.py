"""The watch of strict stores: notes which fields were assigned, so that changes in place are found beside assignments.

The sweep compares whole rows, and finds nothing if another field of the record was assigned before the next save. In
tests, where time costs less, each list, dict and set is compared on its own each time its record is encoded.
`open_store(strict=True)` uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .record import Record
from .schema import schema_of

__all__ = ["InPlaceWatch"]

_set = object.__setattr__


class InPlaceWatch:
    """Reports fields that were changed in place, whatever else of their records was assigned.

    Args:
        report: Called with the record and the name of the field.
    """

    def __init__(self, report: Callable[[Record, str], object]) -> None:
        self._report = report

    def attach(self, record: Record) -> None:
        """Have each assignment of a list, dict or set noted from now on."""
        _set(record, "_looks", {})
        if mutable := schema_of(type(record)).mutable:
            _set(record, "_guarded", record._guarded.union(mutable))

    def assigned(self, record: Record, *names: str) -> None:
        """Note that these fields are about to be assigned; all, without names."""
        _set(record, "_assigned", record._assigned.union(names or schema_of(type(record)).mutable))

    def look(self, record: Record) -> None:
        """Report the fields that differ from their last look, and were not assigned since."""
        before, now = record._looks, {name: _look(getattr(record, name)) for name in schema_of(type(record)).mutable}
        for name in before.keys() - record._assigned:
            if before[name] != now[name]:
                self._report(record, name)
        _set(record, "_looks", now)
        _set(record, "_assigned", frozenset())


def _look(value: Any) -> bytes | None:
    """Return the value as text, with keys of records, also of those that were removed meanwhile."""
    try:
        return msgspec.json.encode(_plain(value))
    except (TypeError, ValueError, RecursionError):  # it cannot be saved either, which is reported there
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.key
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=repr)
    return value
