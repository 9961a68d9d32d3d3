"""Rows: the stored form of records, and the interface of a backend that stores them.

A backend knows rows, log entries and values, and no classes. Its calls are plain functions: the store runs them in one
thread, one at a time. The contract is `tests/storage/test_contract.py`, which runs on every backend.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from trio_mud.errors import Superseded

__all__ = ["FENCE", "Backend", "Changes", "Entry", "Fence", "Lookup", "Row", "check_fence", "checksum"]

FENCE = "trio_mud.fence"  # the value that has the fence of the last fenced write


class Row(NamedTuple):
    """One stored record."""

    family: str
    key: str
    kind: str  # which class of the family
    version: str  # of that class and its bases, such as "thing=2 lamp=3"; empty while all are 1
    owner: str  # the key of the record it is loaded with; empty if it is always in memory, or loaded by its own key
    data: bytes  # JSON, UTF-8: an object with the fields that differ from their defaults
    is_damaged: bool = False  # the checksum does not match; the other fields are what was found


class Entry(NamedTuple):
    """One entry of a log."""

    number: int  # counts over all logs, so that a repeated write adds nothing twice
    log: str
    at: float  # seconds since 1970
    data: bytes  # JSON, an object


class Fence(NamedTuple):
    """A place in the order of writes of several servers, of which only the last may write.

    A database keeps the greatest fence that it has seen and refuses a write with a lesser one. So a server that was
    paused, or is cut off, cannot overwrite what its successor has written.
    """

    epoch: int  # greater for each server
    number: int  # of the last commit of that server whose changes are in the write


class Changes(NamedTuple):
    """The content of one transaction."""

    rows: Collection[Row] = ()
    removed: Collection[tuple[str, str]] = ()  # family, key; never one of `rows`
    entries: Collection[Entry] = ()
    values: Collection[tuple[str, bytes]] = ()  # name, JSON
    fence: Fence | None = None  # None for a server that has the database to itself


class Lookup(NamedTuple):
    """A search by an indexed field."""

    family: str
    field: str
    value: str | int | float | bool | None
    kinds: tuple[str, ...]  # kinds whose default differs from the value: the field must be stored with it
    default_kinds: tuple[str, ...]  # kinds whose default is the value: the field may also be absent


def checksum(row: Row) -> int:
    """Return the CRC-32 of a row. SQLite does not notice a flipped bit in a value; this does."""
    return zlib.crc32(row.data, zlib.crc32("\0".join(row[:5]).encode()))


def check_fence(stored: bytes | None, fence: Fence) -> bytes:
    """Return the value of the fence that is to be stored.

    Args:
        stored: The stored value; None without one.
        fence: That of the write.

    Raises:
        Superseded: The stored one is greater.
    """
    if stored is not None and msgspec.json.decode(stored, type=Fence) > fence:
        raise Superseded("another server has taken over the database: nothing was written; stop this server")
    return msgspec.json.encode(fence)


class Backend(Protocol):
    """A database. Each call raises what its library raises, and the store decides what that means."""

    name: str
    """What log lines and errors call it, such as a path; never a password."""

    backup_folder: Path | None
    """Where scheduled backups and those before an upgrade go; None for none."""

    def open(self, *, shared: bool = False) -> None:
        """Open it, create what is missing, and keep a second process out.

        Args:
            shared: True for a server whose writes are all fenced. Further servers of that kind may open it. Without
                it the fence is removed, since what is written is in no order with earlier fenced writes.

        Raises:
            CannotOpenStorage: It cannot be used. Nothing was changed, and nothing stays open.
        """

    def close(self) -> None:
        """Close it and let the next process in; has no effect if it is not open."""

    def index(self, family: str, field: str) -> None:
        """Make searches by this field fast. Called after every opening, for every declared index."""

    def write(self, changes: Changes) -> None:
        """Store all of it durably, or raise and store none. Repeating it must change nothing more.

        Raises:
            Superseded: Its fence is less than a stored one.
        """

    def scan(self, family: str) -> Iterator[list[Row]]:
        """Yield the rows that have no owner, by chunks of at most 500."""

    def read(self, family: str, key: str) -> list[Row]:
        """Return the row with this key and those that have it as their owner."""

    def keys(self, family: str, *, owned: bool = False) -> list[str]:
        """Return the keys of all rows of the family, or only of those that have an owner."""

    def column(self, family: str, field: str) -> list[tuple[str, str | int | float]]:
        """Return key and value of every row of the family that stores this field."""

    def find(self, lookup: Lookup) -> list[str]:
        """Return the keys of the rows that match."""

    def values(self) -> dict[str, bytes]:
        """Return all values by name."""

    def entries(self, log: str, last: int) -> list[Entry]:
        """Return the newest entries of a log, oldest first."""

    def last_entry(self) -> int:
        """Return the highest number of an entry; 0 if there is none."""

    def backup(self, path: Path) -> None:
        """Write a copy of the whole database into a new SQLite file, as of one moment.

        It needs not be open, and may be called from another thread while it is written to.

        Raises:
            CannotOpenStorage: The file exists or cannot be written, or the database cannot be read.
        """
