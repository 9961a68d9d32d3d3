"""Games in files of their own, which a test edits and reloads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trio_mud.storage import Record

_LIBRARIES = ("trio_mud.storage.", "trio_mud.world.", "trio_mud.accounts.", "trio_mud.operations.")


@contextmanager
def alone() -> Iterator[None]:
    """Hide the record classes of other games that this process has imported: their kinds may be the same."""
    others = [
        cls
        for cls in set(_subclasses(Record))
        if not cls.__module__.startswith(_LIBRARIES) and "_successor" not in vars(cls)
    ]
    for cls in others:
        cls._successor = None
    try:
        yield
    finally:
        for cls in others:
            del cls._successor


def forget(package: str) -> None:
    """Remove a game from the process; another test declares its classes again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    for cls in _subclasses(Record):
        if cls.__module__.partition(".")[0] == package:
            cls._successor = None


def _subclasses(cls: type[Record]) -> Iterator[type[Record]]:
    for below in type.__subclasses__(cls):
        yield below
        yield from _subclasses(below)
