"""The house keeps its floors: an import only points down, and no room is called after nothing.

The rules are a table; the first part of this file reads them off any tree, the second holds the package to them,
and the third shows on made-up trees that a violation would be found.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "trio_mud"
HERE = Path(__file__).resolve().parent.parent / PACKAGE

FRONT_DOOR = PACKAGE  # `from trio_mud import …`: the public names
GROUND = {"errors", "limits", "texts"}  # values without behaviour; every floor may name them
ALL = {"*"}


class Floor(NamedTuple):
    """What the modules of one room may import, beside themselves and the standard library."""

    house: AbstractSet[str]
    others: AbstractSet[str] = frozenset()


FLOORS = {
    "errors": Floor(set()),
    "limits": Floor(set()),
    "texts": Floor(set()),
    "telnet": Floor(GROUND, {"msgspec", "wcwidth"}),
    "text": Floor(GROUND, {"anyascii", "msgspec", "wcwidth"}),
    "transports": Floor(GROUND, {"trio"}),
    "driver": Floor(GROUND | {"telnet", "text", "transports"}, {"trio"}),
    FRONT_DOOR: Floor(GROUND | {"driver", "telnet", "text", "transports"}),
    "mudlib": Floor({FRONT_DOOR}, {"anyascii", "confusable_homoglyphs", "msgspec", "precis_i18n", "wcwidth"}),
    "testing": Floor(
        GROUND | {FRONT_DOOR, "driver", "game", "telnet", "text", "transports"},
        {"cyclopts", "trio", "pytest", "pytest_trio"},
    ),
    "config": Floor(GROUND | {"transports"}, {"msgspec"}),
    "game": Floor(GROUND | {"config", "driver"}),
    "logs": Floor({"driver"}, {"structlog"}),
    "bench": Floor(GROUND | {"config", "telnet"}, {"cyclopts", "msgspec", "trio"}),
    "cli": Floor(ALL, {"cyclopts", "trio"}),
    "__main__": Floor(ALL),
}
STANDARD = sys.stdlib_module_names | {"_typeshed"}  # the latter exists for type checkers only
SANS_IO = {"telnet", "text"}
OUTSIDE_WORLD = {"logging", "random", "selectors", "socket", "ssl", "threading", "time"}  # not for what is sans-IO
NAMELESS = {"common", "data", "helpers", "info", "manager", "managers", "misc", "process", "util", "utils"}


class Import(NamedTuple):
    """One imported module, by its full name, and where it is written."""

    name: str
    line: int


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Yield every import of the module at `path`, also those inside functions and for type checkers."""
    package = (root.name, *path.relative_to(root).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                yield Import(_module_or_name(module, alias.name, root), node.lineno)


def _module_or_name(module: str, name: str, root: Path) -> str:
    """Return `module.name` if that is a module of the house, else `module`: a name in it."""
    inner = root.parent.joinpath(*module.split("."), name)
    is_module = module.split(".")[0] == root.name and (inner.is_dir() or inner.with_suffix(".py").is_file())
    return f"{module}.{name}" if is_module else module


def room(parts: tuple[str, ...]) -> str:
    """Return the room of a module of the house: the folder or file at the top, or the front door."""
    return parts[1] if len(parts) > 1 else FRONT_DOOR


def violations(root: Path) -> list[str]:
    """Return one line for each rule broken in the tree at `root`, which is the package's folder."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        here = room(parts[:-1] if parts[-1] == "__init__" else parts)
        where = path.relative_to(root.parent).as_posix()
        if NAMELESS.intersection(path.stem.strip("_").split("_")) or NAMELESS.intersection(parts):
            found.append(f"{where}: a name that says nothing")
        if here not in FLOORS:
            found.append(f"{where}: a room without a floor; give {here!r} one in {Path(__file__).name}")
            continue
        found += [
            f"{where}:{line}: {here} imports {name}"
            for name, line in imports_of(path, root)
            if not may_import(here, name, root)
        ]
    return found


def may_import(here: str, name: str, root: Path) -> bool:
    """Whether a module in the room `here` may import the module `name`."""
    floor, parts = FLOORS[here], tuple(name.split("."))
    if parts[0] == root.name:
        there = room(parts)
        return there == here or (there != "testing" and (floor.house == ALL or there in floor.house))
    if parts[0] in STANDARD:
        return not (here in SANS_IO and parts[0] in OUTSIDE_WORLD)
    return parts[0] in floor.others


# The package


@pytest.mark.unmeasured
def test_every_import_points_down_a_floor_and_every_name_says_something() -> None:
    assert violations(HERE) == []


@pytest.mark.unmeasured
def test_the_package_declares_what_it_imports_and_nothing_else() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}

    outside_the_kit = [
        path for path in HERE.rglob("*.py") if "testing" not in path.parts
    ]  # that has an extra of its own
    imported = {name.split(".")[0] for path in outside_the_kit for name, _ in imports_of(path, HERE)}

    assert {name.replace("-", "_") for name in declared} == imported - STANDARD - {PACKAGE}


# The checker


def tree(tmp_path: Path, files: dict[str, str]) -> Path:
    """Write a package of these files and return its folder."""
    root = tmp_path / PACKAGE
    for name, text in {"__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("telnet/engine.py", "import trio"),
        ("telnet/engine.py", "import logging"),
        ("telnet/engine.py", "from time import monotonic"),
        ("telnet/options/naws.py", "from ...driver import events"),
        ("telnet/options/naws.py", "from ...driver.events import Input"),
        ("telnet/engine.py", "from trio_mud import Input"),
        ("text/markup.py", "import socket"),
        ("transports/tcp.py", "from trio_mud.driver.connection import Connection"),
        ("transports/tcp.py", "from trio_mud.telnet import TelnetEngine"),
        ("driver/server.py", "import trio_mud.mudlib"),
        ("driver/server.py", "from trio_mud import run"),
        ("driver/server.py", "import structlog"),
        ("driver/server.py", "def late():\n    from trio_mud.cli import main"),
        ("driver/server.py", "if TYPE_CHECKING:\n    from ..mudlib import world"),
        ("mudlib/rooms.py", "from trio_mud.driver.events import Input"),
        ("mudlib/rooms.py", "from ..driver import events"),
        ("mudlib/rooms.py", "import trio"),
        ("cli.py", "from trio_mud.testing import simulate"),
        ("__init__.py", "from .testing import Mud"),
        ("__init__.py", "from .mudlib import world"),
        ("errors.py", "from .driver.events import Reason"),
        ("logs.py", "import requests"),
        ("text/utils.py", ""),
        ("driver/session_manager.py", ""),
        ("driver/helpers/text.py", ""),
        ("attic/old.py", ""),
    ],
)
def test_one_violation_is_found_and_told_by_file(tmp_path: Path, module: str, text: str) -> None:
    inhabited = dict.fromkeys(
        ["driver/events.py", "telnet/__init__.py", "mudlib/__init__.py", "testing/simulate.py"], ""
    )
    root = tree(tmp_path, {**inhabited, module: text})

    found = violations(root)

    assert [f"{PACKAGE}/{module}"] == [line.split(":")[0] for line in found]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("telnet/engine.py", "import zlib\nfrom .lines import LineReader\nfrom ..errors import LocalProtocolError"),
        ("text/markup.py", "import wcwidth"),
        ("transports/tcp.py", "import socket\nimport trio\nfrom trio_mud.limits import Limits"),
        (
            "driver/server.py",
            "import time\nfrom ..telnet import TelnetEngine\nfrom . import events\nimport trio.lowlevel",
        ),
        (
            "mudlib/rooms.py",
            "from trio_mud import Hooks, Input\nfrom .doors import Door\nfrom . import phrases\nimport msgspec",
        ),
        (
            "testing/plugin.py",
            "import pytest\nfrom trio_mud import Hooks\nfrom trio_mud.driver.server import MasterServer",
        ),
        ("cli.py", "import cyclopts\nfrom trio_mud import mudlib\nfrom trio_mud.driver import running"),
        ("__init__.py", "from .driver.hooks import Hooks\nfrom trio_mud.limits import Limits"),
    ],
)
def test_what_points_down_passes(tmp_path: Path, module: str, text: str) -> None:
    inhabited = dict.fromkeys(["driver/events.py", "driver/running.py", "mudlib/phrases.py"], "")

    assert violations(tree(tmp_path, {**inhabited, module: text})) == []


def test_an_empty_house_breaks_no_rule(tmp_path: Path) -> None:
    assert violations(tmp_path / PACKAGE) == []
