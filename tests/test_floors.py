"""The layers of the package: an import only points down, and no module has an empty name such as `utils`.

The rules are tables: FLOORS for the packages, ORDER for the modules of a package. The first part of this file reads
them from any tree, the second checks the package, and the third shows on example trees that a violation would be
found.
"""

from __future__ import annotations

import ast
import math
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
GROUND = {"compiled", "errors", "limits", "renamed", "texts"}  # values without behaviour; every floor may name them
ALL = {"*"}


class Floor(NamedTuple):
    """The imports that modules of one package may make, besides itself and the standard library."""

    house: AbstractSet[str]
    others: AbstractSet[str] = frozenset()


FLOORS = {
    "build_hook": Floor(set(), {"hatchling", "mypyc", "setuptools"}),
    "compiled": Floor(set()),
    "coroutines": Floor(set()),
    "errors": Floor(set()),
    "interrupts": Floor(set(), {"trio"}),
    "renamed": Floor(set()),
    "limits": Floor({"renamed"}),
    "origins": Floor({"limits"}),
    "texts": Floor(set()),
    "telnet": Floor(GROUND, {"msgspec", "wcwidth"}),
    "text": Floor(GROUND, {"anyascii", "msgspec", "wcwidth"}),
    "transports": Floor(GROUND | {"coroutines", "interrupts"}, {"trio", "websockets"}),
    "driver": Floor(GROUND | {"coroutines", "interrupts", "origins", "telnet", "text", "transports"}, {"trio"}),
    "storage": Floor(GROUND | {"text"}, {"apsw", "msgspec", "psycopg", "trio"}),
    "web": Floor(GROUND | {FRONT_DOOR, "driver", "telnet", "transports"}, {"msgspec", "prometheus_client", "trio"}),
    "cluster": Floor(
        GROUND | {"driver", "storage", "telnet", "text", "transports"}, {"anyio", "coredis", "msgspec", "trio"}
    ),
    FRONT_DOOR: Floor(GROUND | {"driver", "telnet", "text", "transports"}),
    "commands": Floor({FRONT_DOOR}),
    "world": Floor(GROUND | {FRONT_DOOR, "commands", "storage", "text"}, {"msgspec", "trio"}),
    "accounts": Floor(
        GROUND | {FRONT_DOOR, "commands", "origins", "storage", "world"},
        {"anyascii", "argon2", "confusable_homoglyphs", "precis_i18n", "trio"},
    ),
    "operations": Floor(GROUND | {FRONT_DOOR, "accounts", "commands", "origins", "storage"}),
    "mudlib": Floor(
        {FRONT_DOOR, "accounts", "commands", "errors", "operations", "storage", "world"}, {"msgspec", "wcwidth"}
    ),
    "testing": Floor(
        GROUND
        | {
            FRONT_DOOR,
            "accounts",
            "cluster",
            "commands",
            "coroutines",
            "driver",
            "operations",
            "origins",
            "program",
            "storage",
            "telnet",
            "text",
            "transports",
            "web",
            "world",
        },
        {"cyclopts", "msgspec", "trio", "pytest", "pytest_trio", "websockets"},
    ),
    "bench": Floor(GROUND | {"telnet", "text"}, {"cyclopts", "msgspec", "trio"}),
    "program": Floor(ALL, {"cyclopts", "msgspec", "structlog", "trio"}),
    "__main__": Floor(ALL),
}


def inside(folder: str, *modules: str) -> list[str]:
    """Return the modules with the folder in front."""
    return [f"{folder}/{module}" for module in modules]


# The modules of a room from the first to the last: each may import only those above it, also for type checkers.
# An `__init__` is listed if it imports any of them.
ORDER = {
    "telnet": [
        *["codes", "charsets", "compression", "deadlines", "encoding", "events", "json_bounds", "scanner", "lines"],
        *["gmcp_messages", "msdp_messages", "negotiation", "outgoing"],
        *inside("options", "base", "charset", "echo", "mccp", "msdp", "gmcp", "msp", "mssp", "mxp", "naws"),
        *inside("options", "new_environ", "prompts", "ttype", "__init__"),
        *["subprotocols", "option_set", "interpreter", "clock", "initial_state", "first_answers", "engine", "client"],
        "__init__",
    ],
    "driver": [
        *inside("core", "events", "guard", "describing", "checks", "thread", "calendar", "timers", "durations"),
        *inside(
            "core", "schedule", "hooks", "scheduled", "turns", "dispatcher", "queue_source", "failures", "metering"
        ),
        *inside("core", "context", "service"),
        *inside(
            "link", "client", "tail", "traffic", "bans", "base", "guarded", "sniffing", "outgoing", "incoming", "telnet"
        ),
        *inside("connection", "events", "waiting", "line_taker", "guarded_taker", "tap", "idle", "inbox"),
        *inside("connection", "lifecycle", "editor", "questions", "question_taker", "secret", "dialog", "connection"),
        *inside("sessions", "events", "resume", "session", "restoring", "registry"),
        *inside("recording", "journal", "recording", "recorder"),
        *inside("server", "events", "mssp", "log_lines", "log_queue", "operator", "acceptor", "admission"),
        *inside(
            "server", "hook_host", "task_tree", "server", "figures", "stacks", "task_report", "watchdog", "console"
        ),
        *inside("server", "places", "running"),
    ],
    "cluster": [
        "wire",
        "frames",
        "numbering",
        "states",
        "ends",
        "shares",
        "silence",
        "recorded_lines",
        "forwarder",
        "gateway_peer",
        "gateway_output",
        "gateway_commands",
        "reports",
        "gateway",
        "pending",
        "held_input",
        "remote_input",
        "remote_output",
        "known_gateways",
        "wanted_tails",
        "remote_link",
        "world_listener",
        "gateway_settings",
        "held_sessions",
        "world",
        "redis_access",
        "redis_client",
        "redis_scripts",
        "redis_delivery",
        "redis_handover",
        "redis_link",
        "unix_channel",
        "unix_link",
    ],
    "storage": [
        *[
            "rows",
            "record",
            "hints",
            "schema",
            "catalog",
            "unique",
            "watching",
            "contents",
            "transaction",
            "executor",
            "loading",
        ],
        *["finding", "sweep", "succession", "store", "writer", "journal", "lock", "copies", "database_file"],
        *["sqlite", "memory"],
        *["postgres_session", "postgres", "backups", "inspection", "restoring", "opening"],
        "__init__",
    ],
    "world": [
        *["clock", "timed", "thing", "room", "phrases", "being", "map_files", "maps", "world", "game"],
        *["playing"],
        *["exchange", "verbs"],
        *inside("building", "options", "phrases", "naming", "fields", "history", "workshop", "digging", "making"),
        *inside("building", "setting", "toml_text", "export", "verbs", "__init__"),
        "__init__",
    ],
    "commands": ["errors", "matching", "phrases", "role", "arguments", "finding", "command", "commands", "__init__"],
    "accounts": [
        *["account", "names", "options", "passwords", "penalties", "attempts", "tokens", "stays", "removal"],
        *["registration", "login_gmcp", "accounts", "changes", "entry", "__init__"],
    ],
    "operations": [
        *["actors", "phrases", "sanctions", "snoops", "reports", "countdown", "office", "verbs", "operations"],
        "__init__",
    ],
    "program": [
        *["logs", "config", "settings", "toml_lines", "sources", "effective", "options", "loading", "game_code"],
        *["slices", "reload", "renewal", "storage_commands", "admin_command", "announcements", "watching", "serving"],
        *["links", "last_words", "supervision", "gateway_program", "world_program", "supervisor", "cluster_commands"],
        *["config_command", "connect", "new", "cli"],
    ],
}

# Imports of what stands below, which a public attribute or the subject of an event names: for type checkers only.
BACK_REFERENCES = {
    ("driver/connection/events", "driver/connection/connection"),
    ("driver/connection/dialog", "driver/connection/connection"),
    ("driver/connection/connection", "driver/sessions/session"),
    ("driver/connection/connection", "driver/server/server"),
    ("driver/sessions/events", "driver/sessions/session"),
    ("driver/sessions/session", "driver/server/server"),
    ("driver/server/events", "driver/server/server"),
    ("world/timed", "world/world"),
    ("world/thing", "world/room"),
    ("world/thing", "world/world"),
    ("world/being", "world/world"),
}

MODULES = {"argon2-cffi": "argon2"}  # distributions that are called otherwise than their module
STANDARD = sys.stdlib_module_names | {"_typeshed", "mypy_extensions"}  # the latter two are for type checkers only
SANS_IO = {"telnet", "text"}
OUTSIDE_WORLD = {"logging", "random", "selectors", "socket", "ssl", "threading", "time"}  # not for what is sans-IO
NAMELESS = {"common", "data", "helpers", "info", "manager", "managers", "misc", "process", "util", "utils"}


class Import(NamedTuple):
    """One imported module, by its full name, and where it is written."""

    name: str
    line: int


def imports_of(path: Path, root: Path, *, at_run_time: bool = False) -> Iterator[Import]:
    """Yield every import of the module at `path`, also those inside functions and for type checkers.

    With `at_run_time` the latter are left out.
    """
    package = (root.name, *path.relative_to(root).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if at_run_time:
        tree = _Untyped().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                yield Import(_module_or_name(module, alias.name, root), node.lineno)


class _Untyped(ast.NodeTransformer):
    """Leaves out what only type checkers read."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node


def _module_or_name(module: str, name: str, root: Path) -> str:
    """Return `module.name` if that is a module of the package, else `module`, which contains the name."""
    inner = root.parent.joinpath(*module.split("."), name)
    is_module = module.split(".")[0] == root.name and (inner.is_dir() or inner.with_suffix(".py").is_file())
    return f"{module}.{name}" if is_module else module


def room(parts: tuple[str, ...]) -> str:
    """Return the sub-package of a module: the folder or file at the top, or the front door."""
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


class Arrow(NamedTuple):
    """One module of the package imports another; both as paths in it, without the suffix."""

    importer: str
    imported: str
    line: int


def arrows(root: Path, package: str) -> list[Arrow]:
    """Return every import inside the room `package`."""
    found = []
    for path in sorted((root / package).rglob("*.py")):
        here = path.relative_to(root).with_suffix("").as_posix()
        for name, line in imports_of(path, root):
            there = "/".join(name.split(".")[1:])
            if name.split(".")[0] == root.name and there.split("/")[0] == package:
                found.append(Arrow(here, f"{there}/__init__" if (root / there).is_dir() else there, line))
    return found


def misplaced(root: Path) -> list[str]:
    """Return one line for each module of a room with an order that is not in its list, or imports one below it."""
    found = []
    for package, modules in ORDER.items():
        places = {f"{package}/{module}": place for place, module in enumerate(modules)}
        inner = arrows(root, package)
        importers = {arrow.importer for arrow in inner}
        for path in sorted((root / package).rglob("*.py")):
            here = path.relative_to(root).with_suffix("").as_posix()
            if here not in places and (path.stem != "__init__" or here in importers):
                above = [arrow.imported for arrow in inner if arrow.importer == here]
                found.append(f"{root.name}/{here}.py: {_where_to_put(package, here, above, places)}")
        found += [
            f"{root.name}/{importer}.py:{line}: imports {imported}, which stands below it in ORDER"
            for importer, imported, line in inner
            if places.get(importer, math.inf) <= places.get(imported, -1)
            and (importer, imported) not in BACK_REFERENCES
        ]
    return found


def _where_to_put(package: str, module: str, above: list[str], places: dict[str, int]) -> str:
    listed = [other for other in above if other in places]
    where = f"below {max(listed, key=places.__getitem__)!r}" if listed else "above the modules that import it"
    return f"no place in the order; put {module!r} into ORDER[{package!r}] in {Path(__file__).name}, {where}"


# The package


@pytest.mark.unmeasured
def test_every_import_points_down_a_floor_and_every_name_says_something() -> None:
    assert violations(HERE) == []


def test_every_module_imports_only_those_above_it() -> None:
    assert misplaced(HERE) == []


def test_the_order_lists_no_module_twice_and_none_that_is_gone() -> None:
    listed = [f"{package}/{module}" for package, modules in ORDER.items() for module in modules]

    assert sorted(set(listed)) == sorted(listed)
    assert [name for name in listed if not (HERE / f"{name}.py").is_file()] == []


def test_every_back_reference_is_needed_and_only_for_type_checkers() -> None:
    inner = {(arrow.importer, arrow.imported) for package in ORDER for arrow in arrows(HERE, package)}

    assert BACK_REFERENCES - inner == set()
    loaded = [
        (importer, imported)
        for importer, imported in sorted(BACK_REFERENCES)
        for name, _ in imports_of(HERE / f"{importer}.py", HERE, at_run_time=True)
        if name == f"{PACKAGE}/{imported}".replace("/", ".")
    ]
    assert loaded == []


@pytest.mark.unmeasured
def test_the_package_declares_what_it_imports_and_nothing_else() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {
        re.split(r"[^\w-]", wanted)[0]
        for wanted in [*project["dependencies"], *extras["cluster"], *extras["postgres"], *extras["metrics"]]
    }

    # The kit has an extra of its own, and the build hook is no part of a wheel.
    shipped = [path for path in HERE.rglob("*.py") if "testing" not in path.parts and path.stem != "build_hook"]
    imported = {name.split(".")[0] for path in shipped for name, _ in imports_of(path, HERE)}

    modules = {MODULES.get(name, name.replace("-", "_")) for name in declared}
    assert modules == imported - STANDARD - {PACKAGE}


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
        ("driver/server.py", "def late():\n    from trio_mud.program.cli import main"),
        ("driver/server.py", "if TYPE_CHECKING:\n    from ..mudlib import world"),
        ("mudlib/rooms.py", "from trio_mud.driver.events import Input"),
        ("mudlib/rooms.py", "from ..driver import events"),
        ("mudlib/rooms.py", "import trio"),
        ("commands/commands.py", "from ..mudlib import world"),
        ("commands/commands.py", "from trio_mud.driver.events import Input"),
        ("program/cli.py", "from trio_mud.testing import simulate"),
        ("__init__.py", "from .testing import Mud"),
        ("__init__.py", "from .mudlib import world"),
        ("errors.py", "from .driver.events import Reason"),
        ("program/logs.py", "import requests"),
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
            "from trio_mud import Hooks, Input\nfrom trio_mud.commands import Commands\nfrom .doors import Door\n"
            "from . import phrases\nimport msgspec",
        ),
        (
            "testing/plugin.py",
            "import pytest\nfrom trio_mud import Hooks\nfrom trio_mud.driver.server import MasterServer",
        ),
        ("program/cli.py", "import cyclopts\nfrom trio_mud import mudlib\nfrom trio_mud.driver import running"),
        ("__init__.py", "from .driver.hooks import Hooks\nfrom trio_mud.limits import Limits"),
    ],
)
def test_what_points_down_passes(tmp_path: Path, module: str, text: str) -> None:
    inhabited = dict.fromkeys(["driver/events.py", "driver/running.py", "mudlib/phrases.py"], "")

    assert violations(tree(tmp_path, {**inhabited, module: text})) == []


def test_an_empty_house_breaks_no_rule(tmp_path: Path) -> None:
    assert violations(tmp_path / PACKAGE) == []


ROOM = {"telnet/codes.py": "", "telnet/lines.py": "", "driver/core/__init__.py": "", "driver/server/server.py": ""}


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("telnet/codes.py", "from . import lines", "imports telnet/lines, which"),
        ("telnet/codes.py", "from .lines import LineReader", "imports telnet/lines, which"),
        ("telnet/codes.py", "import trio_mud.telnet.lines", "imports telnet/lines, which"),
        ("telnet/codes.py", "def late():\n    from .lines import LineReader", "imports telnet/lines, which"),
        ("telnet/codes.py", "if TYPE_CHECKING:\n    from .lines import LineReader", "imports telnet/lines, which"),
        ("telnet/lines.py", "from . import __version__", "imports telnet/__init__, which"),
        ("telnet/lines.py", "from .options import Option", "imports telnet/options/__init__, which"),
        ("telnet/options/base.py", "from ..engine import TelnetEngine", "imports telnet/engine, which"),
        ("driver/core/timers.py", "from ..server.server import MasterServer", "imports driver/server/server, which"),
        ("driver/link/base.py", "from ..server import server", "imports driver/server/server, which"),
        ("driver/server/events.py", "from .acceptor import Acceptor", "imports driver/server/acceptor, which"),
        ("telnet/sounds.py", "", "put 'telnet/sounds' into ORDER['telnet'] in test_floors.py, above the modules that"),
        ("telnet/sounds.py", "from . import codes, lines", "in test_floors.py, below 'telnet/lines'"),
        ("driver/core/__init__.py", "from ..server import server", "put 'driver/core/__init__' into ORDER['driver']"),
    ],
)
def test_a_module_that_stands_in_the_wrong_place_is_found(tmp_path: Path, module: str, text: str, said: str) -> None:
    others = {"telnet/engine.py": "", "telnet/options/__init__.py": "", "driver/server/acceptor.py": ""}

    (found,) = misplaced(tree(tmp_path, {**ROOM, **others, module: text}))

    assert found.startswith(f"{PACKAGE}/{module}:")
    assert said in found


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            "telnet/lines.py",
            "import zlib\nfrom . import codes\nfrom .codes import IAC\nfrom ..errors import InvalidToken",
        ),
        ("telnet/__init__.py", "from .lines import LineReader"),
        ("driver/server/running.py", "from .server import MasterServer\nfrom ..core.events import Reason"),
        ("driver/server/events.py", "if TYPE_CHECKING:\n    from .server import MasterServer"),
        ("driver/server/server.py", "from ...telnet import engine\nfrom ...transports.tcp import listen"),
        ("transports/tcp.py", "from .base import Transport"),
    ],
)
def test_a_module_that_imports_what_stands_above_it_passes(tmp_path: Path, module: str, text: str) -> None:
    assert misplaced(tree(tmp_path, {**ROOM, "driver/core/events.py": "", module: text})) == []
