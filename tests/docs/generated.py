"""The parts of pages that are copied from elsewhere: programs, lists of public names, and a session on a terminal.

    python -m tests.docs.generated            list the pages that are out of date
    python -m tests.docs.generated --write    bring them up to date

A comment before a code block names the program, and the part of it that is shown:

    <!-- code: tavern.py -->
    <!-- code: tavern.py, function come_in -->
    <!-- code: questions.py, from "# start" to "# hidden" -->

A comment before a table names the module whose public names it lists, or the class whose
members, or fields with their defaults:

    <!-- names: trio_mud.errors -->
    <!-- members: trio_mud.testing:Player -->
    <!-- fields: trio_mud.texts:Texts -->

A comment before a block of TOML stands for all settings of the configuration:

    <!-- settings: all -->

A comment before a table stands for all metrics of the watch:

    <!-- metrics: all -->

Used by `test_generated.py`, which compares.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Literal, get_origin

from trio_mud import HookEvent, Rate
from trio_mud.program.config import Configuration, PathKind
from trio_mud.program.settings import SETTINGS, TABLES, shown
from trio_mud.web.metrics import METRICS
from trio_mud.world.building.toml_text import toml_value

from .pages import CHECKOUT, DOCS

BLOCK = re.compile(
    r"(?P<mark><!-- (?P<kind>code|names|members|fields|settings|metrics): (?P<argument>[^>]+?) -->\n)"
    r"(?P<copy>```[\s\S]*?\n```\n|(?:\|.*\n)*)"
)
EXAMPLES = {  # of settings without a default that could be written
    "tls_certificate": "fullchain.pem",
    "tls_key": "privkey.pem",
    "unix": "tavern.door",
    "data": "data",
    "record": "recordings",
    "storage.url": "data/tavern.db",
    "storage.backups": "data/backups",
    "operations.socket": "data/tavern.sock",
    "watch.token": "write-a-secret-here",
    "cluster.link": "tavern.link",
    "cluster.password_file": "link-password",
    "cluster.ca_file": "ca.pem",
    "cluster.certificate_file": "gateway.pem",
    "cluster.name": "gateway-1",
    "log.file": "tavern.log",
}
LANGUAGES = {".py": "python", ".toml": "toml", ".txt": "text", ".nginx": "nginx", ".caddy": "text"}
CODE = re.compile(
    r'(?P<file>[\w./-]+)(?:, function (?P<function>\w+))?(?:, from "(?P<start>.+?)")?(?: to "(?P<end>.+?)")?'
)


def pages() -> list[Path]:
    """Every page that may hold a copy, the README included."""
    return [CHECKOUT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts)]


def render(page: Path) -> str:
    """A page with each of its copies made again."""
    makers: dict[str, Callable[[Path, str], str]] = {
        "code": _code,
        "names": _names,
        "members": _members,
        "fields": _fields,
        "settings": _settings,
        "metrics": _metrics,
    }

    def make(block: re.Match[str]) -> str:
        return block["mark"] + makers[block["kind"]](page, block["argument"])

    return BLOCK.sub(make, page.read_text(encoding="utf-8"))


def copied_programs(page: Path) -> Iterator[Path]:
    """The files of which a page shows a part."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["kind"] == "code" and (found := CODE.fullmatch(block["argument"])):
            yield page.parent / found["file"]


# Programs


def _code(page: Path, argument: str) -> str:
    found = CODE.fullmatch(argument)
    assert found, f"{page.name}: {argument!r} names no part of a program"
    program = page.parent / found["file"]
    text = program.read_text(encoding="utf-8")
    if found["function"]:
        text = _function(text, found["function"])
    if found["start"]:
        text = _lines_after(text, found["start"])
    if found["end"]:
        text = _lines_before(text, found["end"])
    return f"```{LANGUAGES[program.suffix]}\n{text.strip(chr(10))}\n```\n"


def _function(text: str, name: str) -> str:
    (node,) = [node for node in ast.parse(text).body if getattr(node, "name", None) == name]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _lines_after(text: str, mark: str) -> str:
    return text[text.index("\n", text.index(mark)) :]


def _lines_before(text: str, mark: str) -> str:
    return text[: text.rindex("\n", 0, text.index(mark)) + 1]


# Public names


def _names(_page: Path, argument: str) -> str:
    """The public names of a module, in groups, with the first line of each docstring."""
    module = importlib.import_module(argument)
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(_public(module), key=str.lower):
        value = getattr(module, name)
        groups.setdefault(_group(value), []).append((name, _promise(value) or _comment(module, name)))
    order = ["class", "event", "function", "exception", "enumeration", "constant"]
    rows = [(name, group, promise) for group in order for name, promise in groups.get(group, [])]
    return _table(("name", "kind", "promise"), rows)


def _members(_page: Path, argument: str) -> str:
    """The public methods and attributes of a class, in the order of its source; those of a listed base are there."""
    rows = list(members(_named(argument), listed=_listed_classes()))
    return _table(("name", "promise"), rows)


@cache
def _listed_classes() -> frozenset[type]:
    """The classes whose members stand in a table of their own."""
    blocks = (block for page in pages() for block in BLOCK.finditer(page.read_text(encoding="utf-8")))
    return frozenset(_named(block["argument"]) for block in blocks if block["kind"] == "members")


def _named(argument: str) -> type:
    module, _, name = argument.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def documented(path: Path) -> set[ModuleType]:
    """The modules of the driver whose functions and comments a page shows."""
    shown: set[str] = set()
    for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if block["kind"] == "names":
            module = importlib.import_module(block["argument"])
            shown |= {getattr(getattr(module, name), "__module__", module.__name__) for name in _public(module)}
            shown |= {name for name in sys.modules if name.startswith(f"{module.__name__}.")}  # for `_comment`
        elif block["kind"] == "members":
            shown |= {base.__module__ for base in _named(block["argument"]).__mro__}
    return {sys.modules[name] for name in shown if name.startswith("trio_mud.")}


def _fields(_page: Path, argument: str) -> str:
    """The fields of a dataclass with their defaults, and the first clause of the docstring below each."""
    cls = _named(argument)
    meanings = _docstrings_of_fields(cls)
    rows = [(field.name, _shown(field), meanings.get(field.name, "")) for field in dataclasses.fields(cls)]
    if any(meaning for *_, meaning in rows):
        return _table(("name", "default", "meaning"), rows)
    return _table(("name", "default"), [row[:2] for row in rows])


def _shown(field: dataclasses.Field[object]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    if isinstance(field.default, tuple(TABLES.values())):
        return "a table of its own"
    if isinstance(field.default, Rate):
        return f"{field.default.per_second} a second, burst {field.default.burst}"
    return '""' if field.default == "" else str(field.default).replace("\n", " ")


def _settings(_page: Path, _argument: str) -> str:
    """A configuration file with the default of each setting, and an example for those that are not set."""
    meanings = {table: _docstrings_of_fields(cls) for table, cls in {"": Configuration, **TABLES}.items()}
    lines, table = [], ""
    for key, setting in SETTINGS.items():
        if setting.table != table:
            table = setting.table
            lines += ["", f"[{table}]"]
        if meaning := meanings[table].get(setting.name):
            words = f": {setting.wanted}" if get_origin(setting.hint) is Literal else ""
            lines.append(f"# {meaning.rstrip('.')}{words or '.'}")
        is_set = setting.default is not None or setting.can_be_none
        is_secret = setting.path is PathKind.SECRET  # and would be dots
        value = toml_value(EXAMPLES[key]) if is_secret else shown(setting, setting.default if is_set else EXAMPLES[key])
        lines.append(f"{'' if is_set else '#'}{setting.name} = {value}")
    return "\n".join(["```toml", *lines, "```", ""])


def _metrics(_page: Path, _argument: str) -> str:
    """The metrics of the watch, with their types, labels and meanings."""
    rows = [(name, metric.kind, ", ".join(metric.labels), metric.help) for name, metric in METRICS.items()]
    return _table(("metric", "type", "labels", "meaning"), rows)


def _docstrings_of_fields(cls: type) -> dict[str, str]:
    (node,) = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for above, below in itertools.pairwise(node.body):
        if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            found[above.target.id] = re.split(r"(?<=[.;]) ", " ".join(text.split()))[0].rstrip(";")
    return found


def members(cls: type, *, listed: AbstractSet[type] = frozenset()) -> Iterator[tuple[str, str]]:
    """Each public attribute and method of a class as it is written in code, and the first line of its docstring.

    Members of bases that are `listed` elsewhere are left out.
    """
    elsewhere = {base for above in cls.__mro__[1:] if above in listed for base in above.__mro__}
    attributes = dict(_attributes(cls))
    yield from attributes.items()
    seen = set(attributes)
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != "trio_mud" or base in elsewhere:
            continue
        for name, value in vars(base).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if not inspect.isfunction(function) or not (promise := _promise(function)):
                continue
            waits = "await " if inspect.iscoroutinefunction(function) else ""
            yield (name if isinstance(value, property) else f"{waits}{name}{_parameters(function)}"), promise


def _attributes(cls: type) -> Iterator[tuple[str, str]]:
    """The attributes that the docstring of a class lists."""
    _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")
    for entry in re.findall(r"^    (?! )(.+(?:\n {8}.+)*)", listed.split("\n\n")[0], re.M):
        name, _, promise = " ".join(entry.split()).partition(": ")
        yield name, promise


def _parameters(function: Callable[..., object]) -> str:
    _, *parameters = inspect.signature(function).parameters.values()
    marks: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    shown: list[str] = []
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in "".join(shown):
            shown.append("*")
        shown.append(marks.get(parameter.kind, "") + parameter.name + ("=…" if _has_default(parameter) else ""))
    return f"({', '.join(shown)})"


def _has_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is not inspect.Parameter.empty


def _public(module: ModuleType) -> list[str]:
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return listed
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    return [name for name in own if not name.startswith("_")]


def _group(value: object) -> str:
    if not inspect.isclass(value):
        return "function" if callable(value) and not isinstance(value, GenericAlias) else "constant"
    for base, group in ((BaseException, "exception"), (HookEvent, "event"), (enum.Enum, "enumeration")):
        if issubclass(value, base):
            return group
    return "class"


def _promise(value: object) -> str:
    """The first paragraph's first sentence; a class without a docstring of its own has none."""
    if isinstance(value, GenericAlias):
        return ""
    text = getattr(value, "__doc__", None) if callable(value) or inspect.isclass(value) else None
    if not text or (dataclasses.is_dataclass(value) and text.startswith(f"{getattr(value, '__name__', '')}(")):
        return ""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _comment(module: ModuleType, name: str) -> str:
    """Return the docstring below a constant, or the comment behind it, in the module or in the one that defines it."""
    for source in {module, *(m for m in sys.modules.values() if (m.__name__ or "").startswith(module.__name__))}:
        if getattr(source, "__file__", None):
            text = Path(str(source.__file__)).read_text(encoding="utf-8")
            if found := re.search(rf'^{name}\b[^#\n]*=[^#\n]*(?:#\s*(.+)$|\n"""(.+?)""")', text, re.M):
                return found[1] or found[2]
    return ""


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, *others in rows:
        cells = [f"`{name}`", *(_escape(other) for other in others)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


def main() -> None:
    """Write the pages, or list those that are out of date."""
    parser = argparse.ArgumentParser(description="The copied parts of pages.")
    parser.add_argument("--write", action="store_true", help="bring the pages up to date")
    write: bool = parser.parse_args().write
    stale = [page for page in pages() if page.read_text(encoding="utf-8") != render(page)]
    for page in stale:
        if write:
            page.write_text(render(page), encoding="utf-8")
    if stale and not write:
        names = ", ".join(page.relative_to(CHECKOUT).as_posix() for page in stale)
        sys.exit(f"not up to date: {names}; python -m tests.docs.generated --write brings them up to date")


if __name__ == "__main__":
    main()
