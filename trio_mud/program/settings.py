"""The settings: every field of `Configuration`, with its key in TOML, its environment variable and its values.

They are derived from the types, so a new field is at once read, checked, printed and suggested everywhere.
Used by `sources`, which reads values, and by `trio-mud config`, which prints them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from ..limits import Rate
from ..renamed import new_name_of
from ..text.nearest import nearest
from ..world.building.toml_text import toml_value
from .config import SWITCHED_OFF, Configuration, PathKind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "CONFIG_VARIABLE",
    "DOTS",
    "PREFIX",
    "RELOADABLE",
    "SETTINGS",
    "TABLES",
    "WITH_URL",
    "ConfigSetting",
    "misnamed",
    "shown",
    "without_password",
]

PREFIX: Final = "TRIO_MUD_"
CONFIG_VARIABLE: Final = "TRIO_MUD_CONFIG"  # names the configuration file
DOTS: Final = "••••"  # in place of a password
RELOADABLE: Final = frozenset({"log.level"})  # all that a reload takes over
MOST_SHOWN: Final = 80  # characters of a wrong value in an error text
_EXAMPLES: Final[Mapping[object, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Rate: "a rate, such as { per_second = 20, burst = 60 }",
}
_LISTED: Final = {"web_origins": "https://mud.example", "names": "mud.internal"}  # examples for lists
WITH_URL: Final = (PathKind.DATABASE, PathKind.LINK)  # which may have a password
_PASSWORD = re.compile(r"(?<=://)([^:/?#]*:).*(?=@)|(?<=password=)[^&]+")


@dataclass(frozen=True, slots=True)
class ConfigSetting:
    """One field of the configuration."""

    table: str
    """The table in the file; "" for a key above all tables."""

    name: str
    default: object
    hint: Any
    """The type, without the mark of a path."""

    path: PathKind | None

    @property
    def key(self) -> str:
        """The key with its table: `limits.max_line`."""
        return f"{self.table}.{self.name}" if self.table else self.name

    @property
    def variable(self) -> str:
        """The environment variable: `TRIO_MUD_LIMITS_MAX_LINE`."""
        return PREFIX + self.key.replace(".", "_").upper()

    @property
    def can_be_none(self) -> bool:
        """True if the word "none" stands for no value."""
        return NoneType in self._kinds and str not in self._kinds

    @property
    def wanted(self) -> str:
        """The values that may be written, in words."""
        if self.path is not None:
            return self.path.value
        kind = self._kinds[0]
        if get_origin(kind) is Literal:
            return _any_of([f'"{word}"' for word in get_args(kind)])
        if get_origin(kind) is tuple:
            return f'a list of texts, such as ["{_LISTED.get(self.name, "10.0.0.0/8")}"]'
        example = f", such as {self.default}" if kind in (int, float) and self.default is not None else ""
        return _EXAMPLES[kind] + example + (f', or "{SWITCHED_OFF}"' if self.can_be_none else "")

    def parse(self, text: str) -> object:
        """Return the value that TOML would have for a text of the environment or the command line.

        A text needs no quotes there, and the members of a list are separated by spaces or commas.
        """
        text = text.strip()
        kind = self._kinds[0]
        if kind is str or get_origin(kind) is Literal:
            return text
        if get_origin(kind) is tuple and not text.startswith("["):
            return re.split(r"[\s,]+", text)
        try:
            found = tomllib.loads(f"value = {text.lower() if kind is bool else text}")
        except ValueError:
            return text
        return found["value"] if len(found) == 1 else text

    def convert(self, value: object, folder: Path | None) -> object:
        """Return a value of TOML as the configuration has it.

        Args:
            value: The value.
            folder: The folder where a relative path starts; None for the working directory.

        Raises:
            ValueError: It does not fit; the text begins with the key.
        """
        if value == SWITCHED_OFF and self.can_be_none:
            return None
        try:
            if Rate in self._kinds and isinstance(value, Mapping):
                self._check_rate(value)
            converted = msgspec.convert(value, self.hint)
        except msgspec.ValidationError as error:
            if isinstance(error.__cause__, ValueError):  # of the rate itself, which names its field
                raise ValueError(f"{self.key}.{error}") from None
            given = DOTS if self.path is PathKind.SECRET else _abridged(value)
            raise ValueError(f"{self.key} = {given}: write {self.wanted}{self._remark(value)}") from None
        if self.path in (None, PathKind.SECRET) or not isinstance(converted, str):
            return converted
        is_url = "://" in converted and self.path not in WITH_URL
        if not converted or "\0" in converted or is_url:
            raise ValueError(f"{self.key} = {_abridged(value)}: write {self.wanted}")
        if folder is None or not self._is_file(converted):
            return converted
        return str(folder / converted)

    def absolute(self, value: object) -> object:
        """Return the value with an absolute path, if it is one."""
        return str(Path(value).absolute()) if isinstance(value, str) and self._is_file(value) else value

    def _is_file(self, value: str) -> bool:
        if self.path is PathKind.SWITCHABLE:
            return value != SWITCHED_OFF
        if self.path in WITH_URL:
            return "://" not in value
        return self.path is PathKind.FILE

    def _check_rate(self, value: Mapping[str, object]) -> None:
        known = [field.name for field in fields(Rate)]
        for name in value:
            if name not in known:
                raise ValueError(f"there is no {name!r} in {self.key}{nearest(name, known)}")

    def _remark(self, value: object) -> str:
        if value == SWITCHED_OFF:
            return "; it cannot be switched off, but may be larger"
        if isinstance(value, str) and type(self.parse(value)) in (int, float, bool):
            return ", without quotes"
        return ""

    @property
    def _kinds(self) -> tuple[Any, ...]:
        """The types without None, and then None if it is allowed: `int | None` is `(int, NoneType)`."""
        return get_args(self.hint) if NoneType in get_args(self.hint) else (self.hint,)


def _settings(cls: type[DataclassInstance], table: str = "") -> Iterator[ConfigSetting]:
    """Yield the settings of a dataclass, and of the tables in it."""
    hints = get_type_hints(cls, include_extras=True)
    for field in fields(cls):
        hint, path = hints[field.name], None
        if get_origin(hint) is Annotated:
            hint, path = get_args(hint)
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _settings(hint, field.name)
        else:
            assert field.default is not MISSING
            yield ConfigSetting(table, field.name, field.default, hint, path)


SETTINGS: Final[Mapping[str, ConfigSetting]] = {setting.key: setting for setting in _settings(Configuration)}
"""All settings by their keys; those above all tables come first."""

TABLES: Final[Mapping[str, type]] = {
    field.name: type(field.default) for field in fields(Configuration) if is_dataclass(field.default)
}
"""The dataclasses of the tables."""


def misnamed(table: str, name: str) -> str:
    """Return a sentence about a key that does not exist, with a suggestion."""
    if sentence := new_name_of(f"{table}.{name}"):
        return sentence
    if not table and name in TABLES:
        return (
            f"{name} is a table: write one of its keys, such as {next(key for key in SETTINGS if key.startswith(name))}"
        )
    if table in SETTINGS:
        return f"{table} is set as a whole: write {SETTINGS[table].wanted}"
    elsewhere = next((setting.table for setting in SETTINGS.values() if setting.name == name), None)
    if elsewhere is not None:
        hint = f"; write it below [{elsewhere}]" if elsewhere else "; write it above the first [table]"
    else:
        known = [setting.name for setting in SETTINGS.values() if setting.table == table]
        hint = nearest(name, known if table else [*known, *TABLES])
    return f"there is no {name!r}{f' in {table}' if table else ''}{hint}"


def without_password(text: str) -> str:
    """Return the text with dots in place of the password of a URL."""
    return _PASSWORD.sub(lambda found: (found[1] or "") + DOTS, text)


def shown(setting: ConfigSetting, value: object) -> str:
    """Return a value of a setting as TOML has it, its password hidden."""
    if value is None:
        return f'"{SWITCHED_OFF}"' if setting.can_be_none else "not set"
    if setting.path is PathKind.SECRET:
        return toml_value(DOTS)
    if isinstance(value, str) and setting.path in WITH_URL:
        return toml_value(without_password(value))
    if isinstance(value, Rate):
        return toml_value({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, tuple):
        return toml_value(list(value))
    return toml_value(value)


def _abridged(value: object) -> str:
    """Return a wrong value in one short line."""
    try:
        text = toml_value(value)
    except TypeError:  # a date
        text = str(value)
    text = without_password(text).replace("\n", " ")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _any_of(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
