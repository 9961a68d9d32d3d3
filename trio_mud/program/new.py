"""`trio-mud new NAME`: a new game in a folder of its own, with tests, and with all that a service needs.

The files are those of the folder `template`: in their names and texts, the name of the game is filled in. They end in
`.template`, so that no tool takes them for modules of this package.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Annotated, Final

import cyclopts
from cyclopts import Parameter

from trio_mud import __version__

from ..errors import ConfigurationError

__all__ = ["add_new_command", "create"]

CLEAN = 0
NAME: Final = re.compile(r"[a-z](?:[a-z0-9_]{0,38}[a-z0-9])?")  # a project of Python must not end in _
# Packages that a new game needs, and which are perhaps not installed yet.
TOOLS: Final = frozenset({"hatchling", "mypy", "pytest", "pytest_trio", "ruff"})
FOLDERS: Final = frozenset({"data", "wheels"})  # made later beside the package
_SUFFIX = ".template"
_PLACE = "NAME"  # in the names of files
_NEXT = """Created the game {name} in the folder {name}. These commands test it, and serve it on ports 4000 and 4080:

    cd {name} && {programs}pip install --editable ".[test]"
    {programs}pytest
    {programs}trio-mud run --config mud.toml --watch

{name}/README.md says where everything is."""


def create(name: str, folder: Path) -> Path:
    """Write a new game into a new folder of its name below `folder`, and return that.

    Raises:
        ConfigurationError: The name cannot be used, or the folder exists or cannot be written.
    """
    game = folder / name
    template = files("trio_mud.program") / "template"
    _check(name, taken={entry.name for entry in template.iterdir()} | FOLDERS)
    words = {"name": name, "title": name.replace("_", " ").title(), "version": __version__}
    try:
        game.mkdir()
    except FileExistsError:
        raise ConfigurationError(f"{game} exists already: choose another name, or remove it") from None
    except OSError as error:
        raise ConfigurationError(f"cannot create {game}: {error.strerror}; change to another folder") from error
    try:
        for path, text in _fill(template, words):
            (game / path).parent.mkdir(parents=True, exist_ok=True)
            (game / path).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(game, ignore_errors=True)
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}; nothing is left of it") from error
    return game


def add_new_command(app: cyclopts.App) -> None:
    """Add `new` to the command line."""
    app.command(_new, name="new")


def _new(name: Annotated[str, Parameter(show_default=False)], /) -> int:
    """Create a game of your own in a new folder: a small world with accounts and a staff, tested and ready to serve.

    It is a Python package with a map, things and verbs, and players in its tests. The folder also has a configuration
    file, units for systemd, and a Dockerfile. An existing folder is never changed.

    Args:
        name: The name of the folder, of the package, and of the service: small letters, digits and _, such as old_inn.
    """
    create(name, Path())
    print(_NEXT.format(name=name, programs=_programs()))
    return CLEAN


def _programs() -> str:
    """Return the folder of this Python's programs; "" if a shell finds them by itself."""
    folder = Path(sys.executable).parent
    found = shutil.which("pip")
    return "" if found is not None and Path(found).parent == folder else f"{folder}/"


def _check(name: str, taken: set[str]) -> None:
    """Raise unless a package of this name can stand beside everything that the game imports.

    Raises:
        ConfigurationError: It cannot; the text has a name that can.
    """
    if not NAME.fullmatch(name):
        likely = re.sub(r"[^a-z0-9]+", "_", PurePath(name).name.lower()).lstrip("0123456789_").rstrip("_")[:40]
        where = f" in the folder {PurePath(name).parent}" if "/" in name.rstrip("/") else ""
        raise ConfigurationError(
            f"a game cannot be called {name!r}: write small letters, digits and _, such as {likely or 'inn'}{where}"
        )
    other = f"choose another name, such as {name}_mud"
    if keyword.iskeyword(name):
        raise ConfigurationError(f"{name!r} is a keyword of Python, and cannot be imported: {other}")
    if name in taken:
        raise ConfigurationError(f"the folder {name!r} of a game is for something else: {other}")
    if name in sys.stdlib_module_names:
        raise ConfigurationError(f"{name!r} is a module of Python, which the game would hide: {other}")
    if name in TOOLS or _is_installed(name):
        raise ConfigurationError(f"{name!r} is another package, which the game would hide: {other}")


def _is_installed(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # something of that name is there, and broken
        return True
    return spec is not None and spec.origin is not None  # a folder without code hides nothing


def _fill(folder: Traversable, words: Mapping[str, str], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every file."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = above + entry.name.removesuffix(_SUFFIX).replace(_PLACE, words["name"])
        if entry.is_dir():
            yield from _fill(entry, words, f"{path}/")
        elif entry.name.endswith(_SUFFIX):
            yield path, _filled(entry.read_text(encoding="utf-8"), words)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace("{{" + word + "}}", value)
    return text
