"""Names of functions, typed lines and objects of a game in error texts and log lines.

Pure functions. Code of the game may run in `guarded` only.
Used by every module that reports a failure or rejects an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType, MethodType
from typing import Final

from ...text.cleaning import exact
from ...text.nearest import nearest_names
from .guard import attribute_of, traceback_of

MOST_TYPED: Final = 200  # characters of a typed line that are quoted

_OTHER_WORDS: Final = {  # the names that other servers use
    "ask": "start_dialog",
    "close": "quit",
    "disconnect": "quit",
    "message": "line",
    "msg": "write",
    "print": "write",
    "send": "write",
    "text": "line",
}
_MEANT: Final = {
    "no running event loop": "the server runs on trio: write trio.sleep() for asyncio.sleep(), and so on",
    "object NoneType can't be used in 'await' expression": "the function does not wait: leave out `await`",
    "Attempted to call run() from inside a run()": "trio runs already: write `await` in an `async def`, without run()",
}


def describe(function: object, error: BaseException | None = None) -> str:
    """Return the function's name, file and line: `talk at tavern.py:12`.

    The line is the one in the function that raised `error`, if it is in the traceback; otherwise the first line.
    """
    inner = unwrap(function)
    name = attribute_of(inner, "__qualname__")
    code = attribute_of(inner, "__code__")
    if not isinstance(code, CodeType):
        code = attribute_of(attribute_of(type(inner), "__call__"), "__code__")
    if not isinstance(name, str):
        name = type(inner).__qualname__
    if not isinstance(code, CodeType):
        return exact(name)
    line, trace = code.co_firstlineno, None if error is None else traceback_of(error)
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{exact(name).rpartition('<locals>.')[2]} at {code.co_filename}:{line}"


def unwrap(function: object) -> object:
    """Return the function inside a partial or a bound method."""
    while isinstance(function, partial | MethodType):
        function = function.func if isinstance(function, partial) else function.__func__
    return function


def typed(line: object) -> str:
    """Return a typed line as quoted in the log."""
    text = str(line)
    return repr(text) if len(text) <= MOST_TYPED else f"{text[:MOST_TYPED]!r} and {len(text) - MOST_TYPED} more"


def guarded(text: Callable[[], str]) -> str:
    """Return a text about objects of the game. If their `__repr__` or `__str__` raises, only the text is lost."""
    try:
        return text()
    except BaseException as error:  # noqa: BLE001 - code of the game
        return f" (its description raised {type(error).__name__})"


def innermost(error: BaseException) -> tuple[str, int] | None:
    """Return the file and the line at which an error was raised."""
    trace, place = traceback_of(error), None
    while trace is not None:
        place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place


def advice(error: BaseException) -> str:
    """Return `; …` with a correction for a common mistake that the error text does not explain. Never raises."""
    try:
        if type(error) is AttributeError and error.name and type(error.obj).__module__.startswith("trio_mud."):
            return _nearest_attribute(type(error.obj), error.name)
        meant = [meant for said, meant in _MEANT.items() if said in str(error)]
    except BaseException:  # noqa: BLE001 - code of the game
        return ""
    return f"; {meant[0]}" if meant else ""


def _nearest_attribute(kind: type, name: str) -> str:
    known = [name for name in dir(kind) if not name.startswith("_")]
    other = _OTHER_WORDS.get(name)
    close = [other] if other in known else nearest_names(name, known)
    return f"; did you mean {kind.__name__}.{close[0]}?" if close else ""
