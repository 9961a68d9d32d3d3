"""Replacing methods of the driver, for tests that count or break what happens inside it.

Compiled classes call their own methods directly, so such a replacement would have no effect there. Those tests are
skipped on the compiled build, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from trio_mud.compiled import is_compiled


def skip_if_compiled(owner: type | ModuleType) -> None:
    """Skip the running test if this class or module is compiled."""
    name = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    if is_compiled(name):
        pytest.skip(f"{name} is compiled, and calls its own functions directly: none can be replaced")


def replace_method(patch: pytest.MonkeyPatch, owner: type, name: str, function: Callable[..., Any]) -> None:
    """Replace a method until the end of the test, which is skipped if the class is compiled."""
    skip_if_compiled(owner)
    patch.setattr(owner, name, function)
