"""The catalog: which class a stored kind is loaded as, checked as a whole when the store is opened."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

from .record import Record
from .schema import family_of, kind_of, schema_of, versions_of

__all__ = ["Catalog"]


class Catalog:
    """The record classes of one store: those it was opened with, and all their subclasses.

    Args:
        roots: The classes it is opened with.
        without: Classes that are not part of it, because they are about to be superseded.

    Attributes:
        roots: The classes it was opened with, by family.

    Raises:
        TypeError: Two classes have one kind, a migration is missing, or a field cannot be stored.
    """

    def __init__(self, roots: Iterable[type[Record]], *, without: Iterable[type[Record]] = ()) -> None:
        self._without = weakref.WeakSet(without)
        self.roots: dict[str, list[type[Record]]] = {}
        for root in roots:
            if not family_of(root):
                raise TypeError(f'{root.__name__} has no family: class {root.__name__}(Record, family="…")')
            self.roots.setdefault(family_of(root), []).append(root)
        self._resident = {
            family for family, roots in self.roots.items() if any(root._declaration.is_resident for root in roots)
        }
        self._classes: dict[tuple[str, str], type[Record]] = {}
        for cls in self.classes():
            self._check(cls)

    def classes(self) -> Iterator[type[Record]]:
        """Yield every class once, bases first."""
        seen: set[type[Record]] = set()
        waiting = [root for roots in self.roots.values() for root in roots]
        while waiting:
            cls = waiting.pop(0)
            if cls not in seen and "_declaration" in vars(cls):  # a refused class is listed until it is collected
                seen.add(cls)
                if "_successor" not in vars(cls) and cls not in self._without:
                    yield cls
                waiting += type.__subclasses__(cls)

    def find(self, family: str, kind: str) -> type[Record] | None:
        """Return the class of a stored kind, also of one that was defined after the store was opened."""
        found = self._classes.get((family, kind))
        if found is None:
            for cls in self.classes():
                if cls._declaration.family == family and kind in (kind_of(cls), *cls._declaration.was):
                    self._check(cls)
            found = self._classes.get((family, kind))
        return found

    def kinds_below(self, cls: type[Record]) -> list[type[Record]]:
        """Return the class and its subclasses."""
        return [other for other in self.classes() if issubclass(other, cls)]

    def is_resident(self, family: str) -> bool:
        """Return True if records of the family are loaded at the start."""
        return family in self._resident

    def indexed(self) -> set[tuple[str, str]]:
        """Return family and field of every declared index."""
        return {(family_of(cls), field) for cls in self.classes() for field in cls._declaration.index}

    def unique(self) -> set[tuple[str, str]]:
        """Return family and field of every field with unique values."""
        return {(family_of(cls), field) for cls in self.classes() for field in cls._declaration.unique}

    def versions(self) -> dict[str, str]:
        """Return the versions of every class that has others than 1."""
        return {f"{family_of(cls)}/{kind_of(cls)}": found for cls in self.classes() if (found := versions_of(cls))}

    def _check(self, cls: type[Record]) -> None:
        declared = cls._declaration
        for kind in (declared.kind, *declared.was):
            other = self._classes.get((declared.family, kind))
            # A module that was imported again defines its classes again; the newest stand for the others.
            if other is not None and _name(other) != _name(cls):
                raise TypeError(
                    f"{_name(other)} and {_name(cls)} are both stored as the kind {kind!r}: give one of them another "
                    "kind="
                )
            self._classes[declared.family, kind] = cls
        for version in range(1, declared.version):
            if version not in declared.migrations:
                raise TypeError(
                    f"{cls.__name__} has version {declared.version} and no migration of version {version}: write "
                    f"@{cls.__name__}.migration({version})"
                )
        schema_of(cls)


def _name(cls: type[Record]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
