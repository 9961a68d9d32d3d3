"""The modules of a game, as they can be imported again: their files, their compiled code, and their places in Python.

`importlib.reload` would run in the old namespace, and leave half of it behind after an error. Here the modules leave
`sys.modules` and are imported into new module objects; either set can be put there.

The code of each file is kept with its source and compiled again only if that has changed, which is half of the cost of
an import. Python's own cache of bytecode is removed and not used: it is taken for current if the second and the size of
the source agree, which two quick edits do.

Used by the reload, and by the command line to watch the files.
"""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["GameCode", "Modules", "game_files"]

_OWN = "trio_mud"
_WATCHED = ("*.py", "*.toml")

Modules = dict[str, ModuleType]


class GameCode:
    """The modules of the package to which a game belongs.

    Args:
        name: The name of the game, `MODULE:NAME`.

    Attributes:
        package: The package that is imported again: the outermost one, but never the driver itself.
        pause: Called before each module that is imported. It is here and not in the loaders, which the modules keep.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        parts = name.partition(":")[0].split(".")
        self.package = ".".join(parts[: 2 if parts[0] == _OWN else 1])
        self.pause: Callable[[], None] = _go_on
        self._compiled: dict[str, tuple[bytes, CodeType]] = {}  # by file

    def modules(self) -> Modules:
        """Return the modules that are imported now."""
        begins = (self.package, f"{self.package}.")
        return {
            name: module
            for name, module in list(sys.modules.items())
            if name.startswith(begins[0]) and (name == begins[0] or name.startswith(begins[1]))
        }

    def has(self, module: str) -> bool:
        """Return True if a module of this name belongs to the game."""
        return module == self.package or module.startswith(f"{self.package}.")

    def put(self, modules: Modules) -> None:
        """Make these the modules of the game in `sys.modules`, and in the package that has them."""
        for imported in self.modules():
            del sys.modules[imported]
        sys.modules.update(modules)
        parent, _, attribute = self.package.rpartition(".")
        if parent in sys.modules and self.package in modules:
            setattr(sys.modules[parent], attribute, modules[self.package])

    def compile(self, modules: Modules) -> None:
        """Compile the files that have changed, so that the import need not do it; may run in a thread.

        A file that cannot be read or compiled is left to the import, which reports it.
        """
        for module in modules.values():
            spec = getattr(module, "__spec__", None)
            if spec is None or not isinstance(spec.loader, SourceFileLoader):
                continue
            _remove_bytecode(spec)
            with suppress(OSError, SyntaxError, ValueError):
                self.code_of(spec.loader, Path(spec.loader.path).read_bytes())

    def code_of(self, loader: SourceFileLoader, source: bytes) -> CodeType:
        """Return the code of a file."""
        known, code = self._compiled.get(loader.path, (None, None))
        if code is None or known != source:
            # By the class, because a loader of this module asks here.
            code = SourceFileLoader.source_to_code(loader, source, loader.path)
            self._compiled[loader.path] = source, code
        return code

    @contextmanager
    def importing(self, pause: Callable[[], None]) -> Iterator[None]:
        """Import modules of the game from their files as they are now, for the length of the block.

        Args:
            pause: Called before each module.
        """
        importlib.invalidate_caches()
        linecache.checkcache()
        finder = _Finder(self)
        sys.meta_path.insert(0, finder)
        self.pause = pause
        try:
            yield
        finally:
            self.pause = _go_on
            sys.meta_path.remove(finder)

    def import_all(self, modules: Modules) -> None:
        """Import those of the modules that no other one has imported, and whose files are still there."""
        for module in modules:
            if module not in sys.modules and _exists(module):
                importlib.import_module(module)


def game_files(name: str) -> dict[str, int]:
    """Return the files of the game with the time of their last change, in nanoseconds.

    These are the files of its modules, and all maps and modules in the folder of its package.
    """
    files: set[Path] = set()
    for module in GameCode(name).modules().values():
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


class _Finder:
    """Finds the modules of the game as Python does, and gives those with a source the loader of this module."""

    def __init__(self, code: GameCode) -> None:
        self._code = code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module; part of Python's import protocol."""
        if not self._code.has(name):
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if type(spec.loader) is SourceFileLoader:
                    _remove_bytecode(spec)
                    spec.loader = _Loader(spec.loader.name, spec.loader.path, self._code)
                return spec
        return None


class _Loader(SourceFileLoader):
    """Loads a module from its source and the code that is kept for it."""

    def __init__(self, fullname: str, path: str, code: GameCode) -> None:
        super().__init__(fullname, path)
        self._code = code

    def create_module(self, spec: ModuleSpec) -> None:
        """Pause, and let Python make the module; part of Python's import protocol.

        A finder must not pause: Python calls it with a lock that the first import of any module needs in any thread.
        """
        self._code.pause()

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module; part of Python's import protocol."""
        return self._code.code_of(self, self.get_data(self.path))


def _go_on() -> None:
    """Do not pause."""


def _exists(module: str) -> bool:
    """Return True if the file of a module is still there."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is gone
        return False


def _remove_bytecode(spec: ModuleSpec) -> None:
    if spec.cached:
        with suppress(OSError):  # a folder that cannot be written has no stale bytecode
            Path(spec.cached).unlink(missing_ok=True)
