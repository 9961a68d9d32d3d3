"""Finding the game that a `MODULE:NAME` refers to.

It imports the module and looks up the name; it starts nothing.
The command line uses it. A misspelled name and a broken module have different error texts.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType, TracebackType

from ..driver.core.checks import accepts, article
from ..driver.core.describing import describe
from ..driver.core.hooks import Hooks
from ..errors import ConfigurationError
from ..text.nearest import nearest
from ..world import Game

__all__ = ["GameBroken", "find_game", "load_game"]


class GameBroken(ConfigurationError):
    """The game's code raised an exception while it was imported or called; the message is the traceback."""


def find_game(name: str) -> Hooks | Game:
    """Return the game that `name` refers to; modules are also imported from the current directory.

    Args:
        name: `MODULE:NAME`, where NAME is a `Hooks`, a `Game`, or a function without arguments that returns one.

    Raises:
        GameBroken: The module or the function raised an exception.
        ConfigurationError: There is no such module or name, or it is not a game.
    """
    return _checked(load_game(name), name)


def load_game(name: str) -> Hooks | Game:
    """Return the game as `find_game` does, without a check of its records and maps."""
    module_name, colon, attribute = name.partition(":")
    if module_name.endswith(".py") or "/" in module_name:
        module_name = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise ConfigurationError(f"game {name!r} is a path: write {module_name}:{attribute or 'hooks'}")
    if not (module_name and colon and attribute) or module_name.startswith("."):
        raise ConfigurationError(f"game {name!r}: write MODULE:NAME, such as tavern:hooks")
    module = _imported(module_name)
    try:
        found: object = getattr(module, attribute)
    except AttributeError:
        likely = [known for known, value in vars(module).items() if isinstance(value, Hooks | Game | FunctionType)]
        raise ConfigurationError(f"{module_name} has no {attribute!r}{nearest(attribute, likely)}") from None
    return _as_game(found, name, module)


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):  # the module itself; otherwise one that it imports
            raise ConfigurationError(
                f"there is no module {missing!r} in {here} or among the installed packages"
            ) from error
        raise GameBroken(_formatted(error)) from error
    except ConfigurationError:  # of a file that the module reads: the message names it
        raise
    except Exception as error:  # a boundary: the module is the game's code
        raise GameBroken(_formatted(error)) from error


def _checked(game: Hooks | Game, name: str) -> Hooks | Game:
    if isinstance(game, Game):
        try:
            game.check()
        except TypeError as error:
            raise ConfigurationError(f"{name}: {error}") from error
    return game


def _as_game(found: object, name: str, module: ModuleType) -> Hooks | Game:
    if isinstance(found, Hooks | Game):
        return found
    if not callable(found):
        raise ConfigurationError(
            f"{name} is {article(found)}, not a Hooks, a Game nor a function that returns one{_elsewhere(module)}"
        )
    if found is Hooks:
        raise ConfigurationError(
            f"{name} is the class Hooks, which has no functions: write `hooks = Hooks()` in {module.__name__}, "
            f"and name that{_elsewhere(module)}"
        )
    if not accepts(found, 0):
        raise ConfigurationError(
            f"{name} is {describe(found)}, which takes arguments {_signature(found)}: "
            f"name a Hooks, a Game, or a function without arguments that returns one{_elsewhere(module)}"
        )
    try:
        made: object = found()
    except Exception as error:  # a boundary: the function is the game's code
        raise GameBroken(_formatted(error)) from error
    if inspect.iscoroutine(made):
        made.close()  # or Python warns that it was never awaited
        raise ConfigurationError(f"{name} is an async function: write a plain `def` that returns a Hooks")
    if not isinstance(made, Hooks | Game):
        raise ConfigurationError(f"{name} returned {article(made)}, not a Hooks: end the function by `return hooks`")
    return made


def _elsewhere(module: ModuleType) -> str:
    """Return `; did you mean tavern:hooks?` if the module contains a game, or "" otherwise."""
    for kind in (Game, Hooks):  # a module with both has the hooks of its game
        for known, value in vars(module).items():
            if isinstance(value, kind):
                return f"; did you mean {module.__name__}:{known}?"
    return ""


def _signature(function: Callable[..., object]) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):  # some builtins have none
        return "(...)"


def _formatted(error: Exception) -> str:
    """Return the traceback of `error` from the first line of the game on, without frames of the import."""
    return "".join(traceback.format_exception(type(error), error, _within_game(error.__traceback__))).rstrip()


def _within_game(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file not in (__file__, importlib.__file__) and not file.startswith("<frozen importlib"):
            break
        trace = trace.tb_next
    return trace
