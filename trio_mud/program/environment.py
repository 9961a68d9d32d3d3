"""Settings of a table from the environment: `TRIO_MUD_ACCOUNTS_GUESTS=false` is `guests` of the table `[accounts]`.

For tables with more keys than the command line has options for. Used by `trio_mud.program.cli`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigurationError
from ..text.nearest import nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["override"]

T = TypeVar("T", bound="DataclassInstance")
_WORDS = {"true": True, "false": False}


def override(settings: T, prefix: str, environment: Mapping[str, str]) -> T:
    """Return the settings, overridden by the variables that begin with the prefix.

    Args:
        settings: A table, whose `ValueError` begins with the name of the field.
        prefix: Such as `TRIO_MUD_ACCOUNTS_`.
        environment: The variables; an empty one overrides nothing.

    Raises:
        ConfigurationError: A variable has an unknown name, or its value does not fit; the text names the variable.
    """
    known = {f"{prefix}{field.name.upper()}": field.name for field in fields(settings)}
    for variable, text in environment.items():
        if not variable.startswith(prefix) or not text.strip():
            continue
        if variable not in known:
            key = variable.removeprefix(prefix).lower()
            raise ConfigurationError(f"{variable}: there is no setting {key!r}{nearest(key, known.values())}")
        try:
            settings = replace(settings, **{known[variable]: _value(text.strip())})
        except ValueError as error:
            raise ConfigurationError(f"{variable}: {error}") from error
    return settings


def _value(text: str) -> bool | float | str:
    """Return the value that TOML would have for this text."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
