"""The effective configuration: command line over environment over configuration file over defaults.

It knows where each value comes from. Used by all commands that need a configuration, and by a reload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from ..errors import ConfigurationError
from .config import BUNDLED_WORLD, PORTS, SWITCHED_OFF, WEB_PORT, Configuration, PathKind
from .settings import CONFIG_VARIABLE, DOTS, SETTINGS, TABLES, WITH_URL, without_password
from .sources import Given, OptionText, from_environment, from_file, from_options, from_table

__all__ = ["DEFAULT", "Effective", "decode", "find_configuration"]

DEFAULT = "default"  # the source of a value that no source sets


@dataclass(frozen=True, slots=True)
class Effective:
    """A configuration with the sources of its values."""

    configuration: Configuration
    given: Mapping[str, Given]

    def value(self, key: str) -> object:
        """Return the value of a setting, such as `limits.max_line`."""
        return reduce(getattr, key.split("."), self.configuration)

    def source(self, key: str) -> str:
        """Return where a setting is set, such as `mud.toml:3`, or `default`."""
        return self.given[key].source if key in self.given else DEFAULT

    @property
    def web_port(self) -> int | None:
        """The port for browsers; the bundled world has one unless a port is set."""
        if self.configuration.game == BUNDLED_WORLD and not self.given.keys() & set(PORTS):
            return WEB_PORT
        return self.configuration.web_port

    def error(self, key: str, problem: object) -> ConfigurationError:
        """Return an error about the value of a setting that names its source."""
        return ConfigurationError(f"{self.given[key].source}: {problem}" if key in self.given else str(problem))


def find_configuration(config: Path | None, options: Iterable[OptionText], environment: Mapping[str, str]) -> Effective:
    """Return the configuration of a program that is started so.

    Args:
        config: The configuration file; None for the one that `TRIO_MUD_CONFIG` names, or none.
        options: The settings of the command line.
        environment: The variables of the process.

    Raises:
        ConfigurationError: A source has an unknown key or a wrong value; the message is one line with the source, the
            key and what to write.
    """
    if config is None and (named := environment.get(CONFIG_VARIABLE, "").strip()):
        config = Path(named)
    in_file = from_file(config) if config is not None else {}
    return _together({**in_file, **from_environment(environment), **from_options(options)})


def decode(table: Mapping[str, object], name: str) -> Configuration:
    """Return the configuration in a table as TOML has it, alone.

    Raises:
        ConfigurationError: A key or a value is wrong; the message begins with `name`.
    """
    return _together(from_table(table, name)).configuration


def _together(given: Mapping[str, Given]) -> Effective:
    """Return the configuration of these values.

    Raises:
        ConfigurationError: They do not fit together.
    """
    for key, (value, source) in given.items():
        if SETTINGS[key].path in (*WITH_URL, PathKind.SECRET) and DOTS in str(value):
            secret = "token" if SETTINGS[key].path is PathKind.SECRET else "password"
            raise ConfigurationError(
                f"{source}: {key} has the dots of `trio-mud config` in place of its {secret}: "
                f"write the {secret}, or name a file that holds the value in {SETTINGS[key].variable}_FILE"
            )
    values: dict[str, object] = {}
    for table, cls in TABLES.items():
        try:
            values[table] = cls(**_of_table(given, table))
        except ValueError as error:
            raise _invalid(error, given, table) from error
    try:
        configuration = Configuration(**_of_table(given, ""), **values)  # type: ignore[arg-type]
    except ValueError as error:
        raise _invalid(error, given, "") from error
    return Effective(configuration, given)


def _of_table(given: Mapping[str, Given], table: str) -> dict[str, object]:
    return {SETTINGS[key].name: value for key, (value, _) in given.items() if SETTINGS[key].table == table}


def _invalid(error: ValueError, given: Mapping[str, Given], table: str) -> ConfigurationError:
    """Return the error of a table, whose text begins with the name of a field, with the source of the value.

    If the value is a default, it contradicts another one that the text names.
    """
    text = without_password(str(error)).replace("None for no limit", f'"{SWITCHED_OFF}" for no limit')
    named = [f"{table}.{word}" if table else word for word in re.findall(r"\w+", text)]
    sources = [given[key].source for key in named if key in given]
    where = f"{sources[0]}: " if sources else ""
    return ConfigurationError(f"{where}{table}.{text}" if table else f"{where}{text}")
