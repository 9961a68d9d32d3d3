"""Which build this is."""

from __future__ import annotations

import platform

import trio_mud
from trio_mud.compiled import build, is_compiled
from trio_mud.driver.core import turns


def test_the_build_is_compiled_if_its_hot_modules_are() -> None:
    assert is_compiled() is not str(turns.__file__).endswith(".py")
    assert build().startswith("compiled, " if is_compiled() else "pure Python, ")
    assert build().endswith(platform.python_version())


def test_modules_for_games_are_never_compiled() -> None:
    assert not is_compiled("trio_mud.compiled")
    assert not any(is_compiled(getattr(trio_mud, name).__module__) for name in ("Connection", "MasterServer", "Hooks"))
