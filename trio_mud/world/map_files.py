"""The files of a map: TOML, read one after the other, and laid over each other.

A key may stand in one file only, so that two authors do not take the same one by accident. A file that begins with
`changes = true` is another kind: its tables change those of the files before it, field by field, or are new, and
`removed` lists keys whose tables it takes away. The export of what was built in a running game is such a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from trio_mud.errors import MapError
from trio_mud.text.nearest import nearest

__all__ = ["MapFile", "MapTables", "as_table"]

MapFile = str | Path | Traversable
"""A map: its path, or a file inside a package."""

_SECTIONS: Final = ("rooms", "things")
_KEYS: Final = (*_SECTIONS, "resets", "start", "limbo", "changes", "removed")


@dataclass(frozen=True, slots=True)
class MapTable:
    """One table below `rooms` or `things`."""

    section: str
    where: str  # its last file, and its place there
    values: Mapping[str, Any]


@dataclass(slots=True)
class MapTables:
    """The tables of all files together.

    Attributes:
        tables: Those below `rooms` and `things`, by key.
        resets: The entries of `resets`, each with its place.
        rooms: The keys `start` and `limbo` as far as they are given, each with its place.
        removed: Keys whose tables were taken away.
    """

    tables: dict[str, MapTable] = field(default_factory=dict)
    resets: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    rooms: dict[str, tuple[str, Any]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, maps: Iterable[MapFile]) -> MapTables:
        """Read all files, in their order.

        Raises:
            MapError: A file cannot be read, or its tables do not go together with those of the others.
        """
        made = cls()
        for file in maps:
            made._lay(file, _parse(file))
        return made

    def _lay(self, file: MapFile, found: Mapping[str, Any]) -> None:
        changes = found.get("changes", False)
        if not isinstance(changes, bool):
            raise MapError(f"{file}: changes: write true, or leave it out, not {changes!r}")
        for section in _SECTIONS:
            for key, values in as_table(found.get(section, {}), f"{file}: {section}").items():
                self._add(f"{file}: {section}.{key}", section, key, values, changes=changes)
        for name in ("start", "limbo"):
            if name in found:
                self.rooms[name] = f"{file}: {name}", found[name]
        entries = found.get("resets", [])
        if not isinstance(entries, list):
            raise MapError(f"{file}: resets: write [[resets]], with two brackets")
        for number, entry in enumerate(entries, 1):
            self.resets.append((f"{file}: resets, entry {number}", as_table(entry, f"{file}: resets")))
        if "removed" in found:
            self._remove(f"{file}: removed", found["removed"], changes=changes)

    def _add(self, where: str, section: str, key: str, values: object, *, changes: bool) -> None:
        values, known = as_table(values, where), self.tables.get(key)
        if known is not None:
            if not changes or known.section != section:
                raise MapError(f"{where}: {known.where} has that key already; choose another one")
            values = {**known.values, **values}
        self.tables[key] = MapTable(section, where, values)
        self.removed.discard(key)

    def _remove(self, where: str, keys: object, *, changes: bool) -> None:
        if not changes:
            raise MapError(f"{where}: only a file with changes = true can remove tables")
        if not isinstance(keys, list):
            raise MapError(f"{where}: write a list of keys, not {keys!r}")
        for key in keys:
            if not isinstance(key, str) or key not in self.tables:
                raise MapError(f"{where}: there is no table with the key {key!r}{nearest(str(key), self.tables)}")
            del self.tables[key]
            self.removed.add(key)
        self.resets = [
            (place, entry)
            for place, entry in self.resets
            if not self.removed.intersection(filter(_is_key, (entry.get("make"), entry.get("in"))))
        ]


def as_table(value: object, where: str) -> Mapping[str, Any]:
    """Return a value that is a table.

    Raises:
        MapError: It is none.
    """
    if not isinstance(value, dict):
        raise MapError(f"{where}: must be a table, not {value!r}")
    return value


def _is_key(value: object) -> bool:
    return isinstance(value, str)


def _parse(file: MapFile) -> Mapping[str, Any]:
    path = Path(file) if isinstance(file, str) else file
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MapError(
            f"{file}: cannot be read: {error.strerror}; name a file, relative to where the game runs"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MapError(f"{file}: no valid TOML: {error}") from None
    for name in tables:
        if name not in _KEYS:
            raise MapError(f"{file}: {name}: there is no such table{nearest(name, _KEYS)}")
    return tables
