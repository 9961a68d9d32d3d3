"""Which build this is, and the modules that a compiled build compiles."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import platform
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import trio_mud
from tests import builds
from trio_mud.compiled import build, is_compiled
from trio_mud.transports.poller import Poller

ROOT = Path(__file__).parent.parent
HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
    "wheel"
]["hooks"]["custom"]
HOT = [f"trio_mud.{module.replace('/', '.')}" for module in HOOK["modules"]]


@pytest.mark.parametrize("module", HOT)
def test_each_hot_module_is_compiled_or_none_is(module: str) -> None:
    """An object with a dict would take more memory, and its weak references crash in mypyc 2.4. Protocols have none."""
    assert is_compiled(module) is is_compiled()
    classes = [each for each in vars(importlib.import_module(module)).values() if isinstance(each, type)]
    if is_compiled():
        own = [each for each in classes if each.__module__ == module and not getattr(each, "_is_protocol", False)]
        assert not [each for each in own if "__dict__" in vars(each)]


@pytest.mark.parametrize("module", HOT)
def test_no_hot_module_raises_from_a_cause(module: str) -> None:
    """mypyc leaves the cause out, without a word."""
    source = ROOT / f"{module.replace('.', '/')}.py"
    raised = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Raise)]
    assert [node.lineno for node in raised if node.cause is not None] == []


def test_a_protected_task_has_the_same_name_in_both_builds() -> None:
    """Reports show it, and it is part of a simulation's digest."""
    assert Poller.run.__name__ == "run"


def test_the_build_is_named_with_the_interpreter() -> None:
    kind = "compiled" if is_compiled() else "pure Python"

    assert build() == f"{kind}, {platform.python_implementation()} {platform.python_version()}"


@pytest.mark.slow
@pytest.mark.parametrize("split", [False, True])
def test_seeds_are_played_alike_by_this_build_and_by_its_sources_alone(tmp_path: Path, split: bool) -> None:
    """`nox -s compiled` compares hundreds of them."""
    alone = builds.copy_sources(tmp_path)
    kind, *pure = builds.played(alone, 0, 8, split=split)
    ours, *rows = builds.played(builds.PACKAGE.parent, 0, 8, split=split)
    assert kind.startswith("pure Python")
    assert ours == build()
    assert rows == pure


def test_modules_for_games_are_never_compiled() -> None:
    assert not any(is_compiled(getattr(trio_mud, name).__module__) for name in ("Connection", "MasterServer", "Hooks"))


def test_the_hook_is_in_no_wheel_and_the_list_of_modules_is_in_the_design() -> None:
    design = (ROOT / "docs/project/design.md").read_text(encoding="utf-8")

    assert (ROOT / HOOK["path"]).is_file()
    assert [module for module in HOOK["modules"] if f"`{module}`" not in design] == []


# The hook


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook as hatchling makes it, which is not installed where tests run; one that aborts exits."""

    class Interface:
        root = str(ROOT)
        config = HOOK
        metadata = SimpleNamespace(core=SimpleNamespace(dependencies=["trio"]))
        app = SimpleNamespace(abort=sys.exit)

    interface = "hatchling.builders.hooks.plugin.interface"
    monkeypatch.setitem(sys.modules, interface, SimpleNamespace(BuildHookInterface=Interface))
    monkeypatch.delenv("TRIO_MUD_COMPILED", raising=False)
    spec = importlib.util.spec_from_file_location("build_hook", ROOT / HOOK["path"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CompilingHook()


@pytest.mark.parametrize("value", [None, "", "0"])
def test_a_wheel_is_pure_python_and_needs_no_compiler_by_default(
    hook: Any, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    if value is not None:
        monkeypatch.setenv("TRIO_MUD_COMPILED", value)
    data: dict[str, Any] = {}
    hook.initialize("standard", data)
    hook.finalize("standard", data, "")
    assert data == {}
    assert hook.dependencies() == []


def test_a_compiled_wheel_needs_mypyc_and_the_dependencies_whose_types_it_reads(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIO_MUD_COMPILED", "1")
    assert [needed.split(">")[0] for needed in hook.dependencies()] == ["mypy", "setuptools", "trio"]


@pytest.mark.parametrize(
    ("version", "compiler", "problem"),
    [
        ("standard", "no-such-compiler -pthread", "needs a C compiler, and 'no-such-compiler' is not installed"),
        ("editable", "cc", "makes no editable install"),
    ],
)
def test_a_build_that_cannot_be_compiled_says_why(
    hook: Any, monkeypatch: pytest.MonkeyPatch, version: str, compiler: str, problem: str
) -> None:
    monkeypatch.setenv("TRIO_MUD_COMPILED", "1")
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(SystemExit, match=problem):
        hook.initialize(version, {})
