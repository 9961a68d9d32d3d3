"""The compiled build: whether this is it, and what its modules need that the pure Python build does not have.

`TRIO_MUD_COMPILED=1 pip install` compiles the hot modules with mypyc; docs/project/design.md lists them.
This module is never compiled, and imports nothing that a pure Python install lacks.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, TypeVar

__all__ = ["build", "is_compiled", "mypyc_attr"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr  # mypyc recognises it by its origin
else:
    T = TypeVar("T")

    def mypyc_attr(**_: object) -> Callable[[T], T]:
        """Return a decorator that does nothing: only mypyc reads these attributes of a class."""
        return lambda cls: cls


_FIRST = "trio_mud.driver.core.turns"  # all hot modules are compiled, or none


def is_compiled(module: str = _FIRST) -> bool:
    """Return True if this module is compiled; without a name, whether this is the compiled build."""
    found = importlib.util.find_spec(module)
    return found is not None and str(found.origin).endswith(tuple(EXTENSION_SUFFIXES))


def build() -> str:
    """Return a description of this build: `compiled, CPython 3.11.7` or `pure Python, CPython 3.11.7`."""
    kind = "compiled" if is_compiled() else "pure Python"
    return f"{kind}, {platform.python_implementation()} {platform.python_version()}"
