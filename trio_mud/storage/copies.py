"""The names of backups in their folder, and how many stay: `inn-daily-20261127-040000.db`."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

__all__ = ["copies", "made_at", "make_room", "new_name"]

_STAMP = "%Y%m%d-%H%M%S"


def new_name(folder: Path, stem: str, reason: str, at: dt.datetime | None = None) -> Path:
    """Return the path of a new backup, made at this local time; now by default."""
    stamp = (at or dt.datetime.now()).strftime(_STAMP)
    path = folder / f"{stem}-{reason}-{stamp}.db"
    number = 2
    while path.exists():
        path = folder / f"{stem}-{reason}-{stamp}-{number}.db"
        number += 1
    return path


def copies(folder: Path, stem: str, reason: str) -> list[Path]:
    """Return the backups made for this reason, oldest first."""
    named = re.compile(rf"{re.escape(stem)}-{reason}-\d{{8}}-\d{{6}}(-\d+)?\.db")
    return sorted(path for path in folder.glob("*.db") if named.fullmatch(path.name))


def made_at(path: Path) -> dt.datetime:
    """Return the local time in the name of a backup."""
    found = re.search(r"\d{8}-\d{6}", path.name)
    assert found is not None
    return dt.datetime.strptime(found[0], _STAMP)


def make_room(folder: Path, stem: str, reason: str, keep: int) -> None:
    """Remove all but the newest of these backups."""
    for path in copies(folder, stem, reason)[:-keep]:
        path.unlink(missing_ok=True)
