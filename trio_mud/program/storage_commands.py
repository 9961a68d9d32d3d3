"""The databases of the command line: which one a game uses, and `trio-mud check`, `backup`, `restore` and `export`.

The commands but `restore` also work beside a running server.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from ..driver.server.log_lines import printable
from ..errors import ConfigurationError, StorageError
from ..storage import Backend, Memory, Postgres, Sqlite, backend_of
from ..storage.inspection import check, export
from ..storage.restoring import restore, restore_into
from .config import BUNDLED_WORLD, SWITCHED_OFF, Configuration
from .effective import find_configuration
from .options import Database, File
from .sources import OptionText

__all__ = ["add_commands", "data_folder", "database_of"]

CLEAN = 0
FAILED = 1

Named = Annotated[str | None, Parameter(metavar="FILE|URL", show_default=False)]


def database_of(configuration: Configuration) -> Backend:
    """Return the database of a stored game; it is not opened yet.

    It is that of `storage.url`, or else NAME.db in the data folder, where NAME is the last part of the game's module.
    The bundled world stores its records in memory unless a folder or a URL is set.
    """
    options = configuration.storage
    if options.url is None and configuration.data is None and configuration.game == BUNDLED_WORLD:
        return Memory()
    module = configuration.game.partition(":")[0]
    url = options.url or str(data_folder(configuration) / f"{module.rpartition('.')[2]}.db")
    backend = backend_of(url)
    backups = None if options.backups == SWITCHED_OFF else options.backups or ""
    if isinstance(backend, Sqlite):
        return Sqlite(url, backups=backups)
    return Postgres(url, backups=backups or None)


def add_commands(app: cyclopts.App) -> None:
    """Add the commands for databases to the command line."""
    app.command(_check, name="check")
    app.command(_back_up, name="backup")
    app.command(_restore, name="restore")
    app.command(_export, name="export")


def _check(file: Named = None, /, *, database: Database = None, config: File = None) -> int:
    """Check a whole database, and report what is damaged.

    Args:
        file: The same as --storage, such as a backup.
        database: The path of an SQLite file, or a URL, postgresql://…  Default: the only file *.db in the data folder.
        config: A TOML file that names the database or the data folder.
    """
    if file is not None and database is not None:
        raise ConfigurationError(f"check got two databases, {file} and {database}: name one of them")
    backend = _named(database if file is None else file, config)
    with _as_file(backend) as path:
        report = check(path)
    for family, count in sorted(report.rows.items()):
        print(f"{family}: {count}")
    print(f"log entries: {report.entries}")
    for problem in report.problems:
        print(printable(problem))
    count = len(report.problems)
    print(f"{backend.name}: {count} problem{'s' if count > 1 else ''}" if count else f"{backend.name} is undamaged")
    return FAILED if count else CLEAN


def _back_up(file: Path, /, *, database: Database = None, config: File = None) -> int:
    """Copy a database, as of one moment, into a new SQLite file.

    Args:
        file: The new file; an existing one is never overwritten.
        database: The path of an SQLite file, or a URL, postgresql://…  Default: the only file *.db in the data folder.
        config: A TOML file that names the database or the data folder.
    """
    _named(database, config).backup(file)
    print(f"wrote {file}")
    return CLEAN


def _restore(file: Path, /, *, database: Database = None, config: File = None) -> int:
    """Replace a database by a backup; no server may be using it.

    Args:
        file: The backup, which is checked first.
        database: The path of an SQLite file, which is kept under another name, or the URL of an empty database,
            postgresql://…  Default: the only file *.db in the data folder.
        config: A TOML file that names the database or the data folder.
    """
    backend = _named(database, config)
    if isinstance(backend, Sqlite):
        replaced = restore(file, backend.path)
        print(f"restored {file}" + (f"; the former database is {replaced}" if replaced else ""))
    else:
        print(f"restored {file}: {restore_into(backend, file)} records")
    return CLEAN


def _export(family: str = "", key: str = "", /, *, database: Database = None, config: File = None) -> int:
    """Print records as lines of JSON.

    The records of accounts hold hashes of passwords and of addresses: keep the output as secret as the database.

    Args:
        family: Only the records of this family.
        key: Only the record with this key, and those that are stored with it.
        database: The path of an SQLite file, or a URL, postgresql://…  Default: the only file *.db in the data folder.
        config: A TOML file that names the database or the data folder.
    """
    backend = _named(database, config)
    with _as_file(backend) as path:
        line = ""
        for line in export(path, family, key):
            print(line)
        if family and not line:
            raise StorageError(f"{backend.name} has no such record; `trio-mud check` lists its families")
    return CLEAN


def _named(database: str | None, config: Path | None) -> Backend:
    """Return the database that an operator means.

    Raises:
        ConfigurationError: None is named, and the data folder does not hold exactly one.
    """
    options = [OptionText("storage.url", "--storage", database)] if database is not None else []
    configuration = find_configuration(config, options, os.environ).configuration
    if configuration.storage.url is not None:
        return backend_of(configuration.storage.url)
    folder = data_folder(configuration)
    found = sorted(folder.glob("*.db"))
    if len(found) != 1:
        what = f"{len(found)} databases ({', '.join(path.name for path in found)})" if found else "no database"
        raise ConfigurationError(f"the folder {folder} holds {what}: name one with --storage")
    return Sqlite(found[0])


def data_folder(configuration: Configuration) -> Path:
    """Return the folder of databases: the configured one, that of systemd, or `data`."""
    return Path(configuration.data or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "data")


@contextmanager
def _as_file(backend: Backend) -> Generator[Path]:
    """Yield the path of an SQLite file with the content of any database."""
    if isinstance(backend, Sqlite):
        yield backend.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.db"
        backend.backup(path)
        yield path
