"""The sources of settings: the configuration file, the environment and the command line.

Each function reads one source and returns its values, checked one by one, with the place that each comes from.
`effective` puts the sources together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ConfigurationError
from ..text.nearest import nearest
from .config import PathKind
from .settings import CONFIG_VARIABLE, PREFIX, SETTINGS, TABLES, WITH_URL, ConfigSetting, misnamed, without_password
from .toml_lines import lines_of

__all__ = ["Given", "OptionText", "from_environment", "from_file", "from_options", "from_table"]

MOST_BYTES: Final = 1024 * 1024  # of a configuration file
MOST_SECRET_BYTES: Final = 64 * 1024  # of a file that holds one value
FROM_FILE: Final = "_FILE"  # the end of a variable that names a file with the value


class Given(NamedTuple):
    """A value that a source sets."""

    value: object
    """As the configuration has it."""

    source: str
    """Where it is set: `mud.toml:3`, `TRIO_MUD_PORT`, `--port`."""


class OptionText(NamedTuple):
    """An option of the command line that sets a setting."""

    key: str
    option: str
    text: str


def from_file(path: Path) -> dict[str, Given]:
    """Return the settings in the TOML file at `path`; its relative paths start at its folder.

    Raises:
        ConfigurationError: The file cannot be read or is not TOML, or a key or a value is wrong.
    """
    text = _read(path, MOST_BYTES, "name a TOML file")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, and a list in a list in a list
        hint = "; write texts in quotes" if "Invalid value" in str(error) else ""
        raise ConfigurationError(f"{path} is not TOML: {error}{hint}") from error
    return from_table(table, str(path), path.parent, lines_of(text))


def from_table(
    table: Mapping[str, object], name: str, folder: Path | None = None, lines: Mapping[str, int] | None = None
) -> dict[str, Given]:
    """Return the settings in a table as TOML has it.

    Args:
        table: The parsed TOML.
        name: The name of the table in an error text, such as the file's path.
        folder: The folder where relative paths start; None for the working directory.
        lines: The lines of the keys.

    Raises:
        ConfigurationError: A key or a value is wrong; the message is one line with the place and the key.
    """
    lines = lines or {}
    found: dict[str, Given] = {}

    def place(key: str) -> str:
        return f"{name}:{lines[key]}" if key in lines else name

    def gather(level: Mapping[str, object], above: str) -> None:
        for word, value in level.items():
            key = f"{above}.{word}" if above else word
            if key in SETTINGS:
                found[key] = _given(SETTINGS[key], value, place(key), folder)
            elif above or word not in TABLES:
                raise ConfigurationError(f"{place(key)}: {misnamed(above, word)}")
            elif not isinstance(value, Mapping):
                raise ConfigurationError(f"{place(key)}: {word} is a table: write its keys below a line [{word}]")
            else:
                gather(value, word)

    gather(table, "")
    return found


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """Return the settings in the variables `TRIO_MUD_…`; an empty variable sets nothing.

    `TRIO_MUD_PORT_FILE` names a file whose text is the value; relative paths in it start at its folder.

    Raises:
        ConfigurationError: A variable has an unknown name, or its value does not fit; the text names the variable.
    """
    known = {setting.variable: setting for setting in SETTINGS.values()}
    in_files = {f"{variable}{FROM_FILE}": setting for variable, setting in known.items()}
    found: dict[str, Given] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        setting = known.get(variable) or in_files.get(variable)
        if setting is None:
            raise ConfigurationError(f"{variable}: {_unknown(variable, [*known, CONFIG_VARIABLE])}")
        if not text.strip():
            continue
        if setting.key in found:
            raise ConfigurationError(f"{setting.variable} and {setting.variable}{FROM_FILE} are both set: keep one")
        folder = None
        if variable not in known:
            path = Path(text.strip())
            folder = path.parent
            try:
                text = _read(path, MOST_SECRET_BYTES, "name a file with one value")
            except ConfigurationError as error:
                raise ConfigurationError(f"{variable}: {error}") from error
        found[setting.key] = _parsed(setting, text, variable, folder)
    return found


def from_options(options: Iterable[OptionText]) -> dict[str, Given]:
    """Return the settings of the command line; the last option for a setting counts.

    Raises:
        ConfigurationError: A key is unknown, or a value does not fit, or is a password, which other users could read.
    """
    found: dict[str, Given] = {}
    for key, option, text in options:
        if key not in SETTINGS:
            table, _, name = key.rpartition(".")
            raise ConfigurationError(f"{option} {key}: {misnamed(table, name)}")
        setting = SETTINGS[key]
        secret = "token" if setting.path is PathKind.SECRET else ""
        if setting.path in WITH_URL and without_password(text) != text:
            secret = "password"  # noqa: S105 - the word
        if secret:
            raise ConfigurationError(
                f"{option}: every user of this machine can read a {secret} on the command line: "
                f"write it into a file, and name that in {setting.variable}{FROM_FILE}"
            )
        found[key] = _parsed(setting, text, option, None)
    return found


def _parsed(setting: ConfigSetting, text: str, source: str, folder: Path | None) -> Given:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of the environment that Python could not decode
        raise ConfigurationError(f"{source} is not UTF-8: write it in UTF-8") from error
    return _given(setting, setting.parse(text), source, folder)


def _given(setting: ConfigSetting, value: object, source: str, folder: Path | None) -> Given:
    try:
        return Given(setting.convert(value, folder), source)
    except ValueError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def _unknown(variable: str, known: Iterable[str]) -> str:
    """Return a sentence about a variable that is no setting."""
    for table in TABLES:
        start = f"{PREFIX}{table.upper()}_"
        if variable.startswith(start):
            return misnamed(table, variable.removeprefix(start).lower())
    return f"there is no such setting{nearest(variable, known)}"


def _read(path: Path, most: int, remedy: str) -> str:
    """Return the text of a small file.

    Raises:
        ConfigurationError: It cannot be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > most:
        raise ConfigurationError(f"{path} holds more than {most} bytes: {remedy}")
    try:
        return data.decode("utf-8-sig")  # Windows editors begin with a BOM
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
