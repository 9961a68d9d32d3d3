"""Reading of TOML files that a game brings along: every fault is an error with file, table and key.

Used by `socials.py` and `channels.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec

from trio_mud.errors import ConfigurationError

__all__ = ["DataFile", "read_table", "read_text", "read_toml"]

DataFile = Path | Traversable
"""A file on disk, or inside a package."""

KindT = TypeVar("KindT")


def read_text(file: DataFile) -> str:
    """Return the text of a file.

    Raises:
        ConfigurationError: It cannot be read, or is not in UTF-8; the message has the name of the file.
    """
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file.name}: cannot be read: {error.strerror}; looked for {file}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file.name}: not in UTF-8: {error}; save it in that encoding") from None


def read_toml(text: str, file: str) -> Mapping[str, object]:
    """Return the tables of a TOML text.

    Args:
        text: The TOML.
        file: Its name in messages.

    Raises:
        ConfigurationError: It is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not valid TOML: {error}") from None


def read_table(table: object, kind: type[KindT], where: str) -> KindT:
    """Return one table as a `kind`; `where` is its place in messages.

    Raises:
        ConfigurationError: A key is missing, unknown, or has a wrong value; the message names it.
    """
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        reason, _, key = str(error).partition(" - at `$")
        raise ConfigurationError(f"{where}{key.rstrip('`')}: {reason}") from None
