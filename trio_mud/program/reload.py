"""Reload: the code of a game is imported again and takes over between two events, or nothing changes.

Theory of operation
-------------------
1. *Import.* The modules of the game leave `sys.modules` and are imported into new module objects. `importlib.reload`
   would run in the old namespace, and leave half of it behind after an error. Cached bytecode is removed first: Python
   takes it for current if the second and the size of the source agree, which two quick edits do.
2. *Check.* Every record class gets the successor of its module and name, living records of changed fields are
   converted aside, and maps are read (`world/exchange.py`, `storage/succession.py`).
3. *Exchange.* Records change their class and keep their identity. The function of a `Game` makes the new hooks and
   commands, in a world of the new classes, and the server gets them.

After a failure the old modules, classes and hooks are in place again, as they were. All of it is one step between two
events, so no code of the game sees a part of it.

Work that is under way finishes by the old functions: an event, a dialog, `start_soon`. State lives in records and in
`server.world`; the globals of a module are new. Modules outside the game's package are not imported again.

Used by the command line and the test kit.
"""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import trio

from ..driver.server.events import Reloaded
from ..driver.server.server import MasterServer
from ..errors import ConfigurationError, ReloadFailed
from ..world import World
from ..world.exchange import WorldExchange
from .loading import load_game

__all__ = ["enable_reload", "game_files", "reload_game", "watch"]

_OWN = "trio_mud"
_COUNTER = "reloads"
_WATCHED = ("*.py", "*.toml")
_WATCH_INTERVAL = 0.5  # seconds between two looks at the files

logger = logging.getLogger("trio_mud")


def enable_reload(server: MasterServer, name: str) -> None:
    """Let `server.reload()` reload the game of this name, `MODULE:NAME`, which the server serves."""
    server._reload = lambda: reload_game(server, name)


def reload_game(server: MasterServer, name: str) -> Reloaded:
    """Reload the game of this name, and post `Reloaded`.

    Raises:
        ReloadFailed: The new code cannot take over, and nothing has changed.
    """
    modules = _modules_of(name)
    world = server.world if isinstance(server.world, World) else None
    exchange = WorldExchange(modules, world)
    parent, _, attribute = _package_of(name).rpartition(".")
    for module in modules.values():
        _remove_bytecode(module)
    for imported in modules:
        del sys.modules[imported]
    try:
        importlib.invalidate_caches()
        linecache.checkcache()
        game = load_game(name)
        for imported in modules:
            if imported not in sys.modules and _exists(imported):
                importlib.import_module(imported)
        exchange.check(game)
        hooks = exchange.exchange()
    except BaseException as error:
        for module in _modules_of(name).values():
            _remove_bytecode(module)
        for imported in _modules_of(name):
            del sys.modules[imported]
        sys.modules.update(modules)
        if parent in sys.modules and _package_of(name) in modules:
            setattr(sys.modules[parent], attribute, modules[_package_of(name)])
        exchange.abandon()
        if not isinstance(error, Exception | SystemExit):
            raise
        raise ReloadFailed(_reason(error, modules)) from error
    server.hooks = hooks
    if not server.counters[_COUNTER]:
        _warn_of_globals(modules)
    server.counters[_COUNTER] += 1
    event = Reloaded(server, tuple(_modules_of(name)), exchange.records)
    server._posts.put(event)
    return event


async def watch(server: MasterServer, name: str, files: dict[str, int]) -> None:
    """Reload the game whenever one of its files changes, until cancelled; `files` are those of the running code."""
    while True:
        await trio.sleep(_WATCH_INTERVAL)
        if (changed := game_files(name)) != files:
            files = changed
            logger.info("files of the game have changed: it is reloaded")
            server._try_reload()
            files = game_files(name)


def game_files(name: str) -> dict[str, int]:
    """Return the files of the game with the time of their last change, in nanoseconds.

    These are the files of its modules, and all maps and modules in the folder of its package.
    """
    files: set[Path] = set()
    for module in _modules_of(name).values():
        if source := getattr(module, "__file__", None):
            path = Path(source)
            files.add(path)
            if path.name == "__init__.py":
                files.update(file for kind in _WATCHED for file in path.parent.glob(kind))
    times: dict[str, int] = {}
    for file in files:
        with suppress(OSError):
            times[str(file)] = file.stat().st_mtime_ns
    return times


def _package_of(name: str) -> str:
    """Return the package that is reloaded: the outermost one, but never the driver itself."""
    parts = name.partition(":")[0].split(".")
    return ".".join(parts[: 2 if parts[0] == _OWN else 1])


def _modules_of(name: str) -> dict[str, ModuleType]:
    package = _package_of(name)
    return {
        module: found
        for module, found in list(sys.modules.items())
        if module == package or module.startswith(f"{package}.")
    }


def _exists(module: str) -> bool:
    """Return True if the file of a module is still there."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is gone
        return False


def _remove_bytecode(module: ModuleType) -> None:
    cached = getattr(getattr(module, "__spec__", None), "cached", None)
    if cached:
        with suppress(OSError):  # a folder that cannot be written has no stale bytecode
            Path(cached).unlink(missing_ok=True)


def _reason(error: BaseException, modules: dict[str, ModuleType]) -> str:
    """Return what went wrong, with the last line of the game that was involved."""
    cause = error
    while isinstance(cause, ConfigurationError) and cause.__cause__ is not None:
        cause = cause.__cause__
    place = next(_places(cause, modules), "")
    text = str(cause)
    if not isinstance(cause, ReloadFailed | ConfigurationError):
        text = f"{type(cause).__name__}: {cause.msg if isinstance(cause, SyntaxError) else cause}"
    return f"{text}{f' at {place}' if place else ''}"


def _places(error: BaseException, modules: dict[str, ModuleType]) -> Iterator[str]:
    """Yield the lines of the game in the traceback of an error, the last one first."""
    if isinstance(error, SyntaxError) and error.filename:
        yield f"{error.filename}:{error.lineno}"
    files = {getattr(module, "__file__", None) for module in modules.values()}
    folders = tuple(f"{Path(file).parent}/" for file in files if file and Path(file).name == "__init__.py")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files or (folders and frame.filename.startswith(folders)):
            yield f"{frame.filename}:{frame.lineno}"


def _warn_of_globals(modules: dict[str, ModuleType]) -> None:
    """Name the globals whose contents the new modules do not have."""
    lost = [
        f"{name}.{variable}"
        for name, module in modules.items()
        for variable, value in vars(module).items()
        if isinstance(value, list | dict | set) and value and not variable.startswith("__") and not variable.isupper()
        if name in sys.modules and not _are_equal(value, getattr(sys.modules[name], variable, None))
    ]
    if lost:
        logger.warning(
            "the contents of %s are not carried over by a reload: keep them in records or in server.world",
            ", ".join(lost),
        )


def _are_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - a comparison of the game's own
        return False
