"""Check and export: read a database file as it is, beside a server that may be using it.

These functions block; the command line calls them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec

from trio_mud.errors import StorageError, UnreadableRecord

from .catalog import Catalog
from .database_file import integrity_problems, open_beside
from .record import Record
from .rows import Row
from .schema import schema_of
from .sqlite import rows_of

__all__ = ["Report", "check", "export"]


@dataclass
class Report:
    """The findings of a check."""

    rows: Counter[str] = field(default_factory=Counter)
    """Rows by family."""

    entries: int = 0
    problems: list[str] = field(default_factory=list)
    """One sentence each; empty if all is right."""


def check(path: Path, classes: Iterable[type[Record]] = ()) -> Report:
    """Check a database file as a whole, beside a server that may be using it.

    Args:
        path: The file.
        classes: Record classes, if it shall be checked that every row can be loaded as one of them.

    Raises:
        CannotOpenStorage: It cannot be read at all, or is no database of trio_mud.
    """
    report = Report()
    catalog = Catalog(classes)
    db = open_beside(path)
    try:
        report.problems += [f"SQLite: {problem}" for problem in integrity_problems(db)]
        for row in rows_of(db):
            report.rows[row.family] += 1
            if problem := _problem(row, catalog):
                report.problems.append(f"{row.family} {row.key!r}: {problem}")
        ((report.entries,),) = db.execute("select count(*) from entries")
    except apsw.Error as error:
        report.problems.append(f"SQLite: {error}")
    finally:
        db.close()
    return report


def export(path: Path, family: str = "", key: str = "") -> Iterator[str]:
    """Yield the records of a database file as lines of JSON, beside a server that may be using it.

    Args:
        path: The file.
        family: Only the records of this family.
        key: Only the record with this key, and those that are stored with it.

    Raises:
        CannotOpenStorage: It cannot be read.
    """
    db = open_beside(path)
    try:
        for row in rows_of(db):
            if (family and row.family != family) or (key and key not in (row.key, row.owner)):
                continue
            if row.is_damaged:
                raise StorageError(f"{row.family} {row.key!r} is damaged: run trio-mud check")
            line = {"family": row.family, "key": row.key, "kind": row.kind, "version": row.version, "owner": row.owner}
            yield msgspec.json.encode({**line, "fields": msgspec.Raw(row.data)}).decode()
    finally:
        db.close()


def _problem(row: Row, catalog: Catalog) -> str:
    """Return what is wrong with a row; an empty string if nothing is."""
    if row.is_damaged:
        return "damaged, its checksum does not match"
    try:
        fields: Any = msgspec.json.decode(row.data)
        if not isinstance(fields, dict):
            return "its data is no JSON object"
        if row.family in catalog.roots:
            cls = catalog.find(row.family, row.kind)
            if cls is None:
                return f"there is no record class for the kind {row.kind!r}"
            schema = schema_of(cls)
            schema.check_complete(schema.decode(row.data, row.version))
    except (UnreadableRecord, msgspec.DecodeError) as error:
        return str(error)
    return ""
