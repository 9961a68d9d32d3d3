"""Writing TOML: the values of an export as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_key", "toml_value"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_key(key: str) -> str:
    """Return a key as TOML has it, in quotes if it needs them."""
    return key if _BARE.fullmatch(key) else _string(key)


def toml_value(value: Any) -> str:
    """Return a value of JSON's types, other than None, as TOML; a text of several lines stands in several lines.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        if "\n" not in value:
            return _string(value)
        return '"""\n' + "\n".join(_string(line)[1:-1] for line in value.split("\n")) + '"""'
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        entries = (f"{toml_key(key)} = {toml_value(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(entries)} }}" if value else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _string(text: str) -> str:
    """Return a basic string; JSON's escapes are TOML's, but for two kinds of characters."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
