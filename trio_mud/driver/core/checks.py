"""Checks of what a game hands to the driver, made where it is handed over: the traceback then ends in the game's line.

Each raises TypeError or ValueError with one sentence: the fact, then what to write.
Who uses it: the public methods of the driver, before they change anything.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Final

from ...text import Markup, Text
from ...text.cleaning import exact
from .describing import describe, unwrap

MOST_QUOTED: Final = 40  # characters of a text that is quoted in an error
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def article(thing: object) -> str:
    """Return the type of a thing with its article, and the value too if that is a number or a short text."""
    if thing is None:
        return "None"
    name = type(thing).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    is_short = type(thing) in (int, float, bool) or (type(thing) is str and len(thing) <= MOST_QUOTED)
    return f"{article} {name} ({thing!r})" if is_short else f"{article} {name}"


def check_text(text: object, where: str) -> Text:
    """Return a text that a client can be sent, as an exact `str` unless it is `Markup`.

    Raises:
        TypeError: It is neither a `str` nor `Markup`.
    """
    if isinstance(text, Markup):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{where} takes a str or Markup, not {article(text)}: {_how_to_make_text(text)}")
    return exact(text)


def check_words(text: object, where: str) -> str:
    """Return a text that is also logged or handed on, as an exact `str`.

    A subclass of `str` has methods of the game, which may raise whenever the driver uses the text.

    Raises:
        TypeError: It is no `str`.
    """
    if not isinstance(text, str):
        raise TypeError(f"{where} takes a str, not {article(text)}: {_how_to_make_text(text)}")
    return exact(text)


def _how_to_make_text(thing: object) -> str:
    if inspect.iscoroutine(thing):
        thing.close()  # or Python warns that it was never awaited
        return "write `await` in front of the call, in an `async def`"
    return "use str() or an f-string"


def check_number(number: object, where: str, wanted: str = "a number") -> None:
    """Raise unless this is a number that can be compared with others; infinity is one.

    Raises:
        TypeError: It is none.
        ValueError: It is "not a number", NaN.
    """
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{where} takes {wanted}, not {article(number)}")
    if number != number:
        raise ValueError(f"{where} takes {wanted}, not NaN")


def check_seconds(seconds: object, where: str, *, at_least: float = 0.0, may_be_infinite: bool = False) -> None:
    """Raise unless this is a sensible number of seconds.

    Raises:
        TypeError: It is no number.
        ValueError: It is smaller than `at_least`, not a number, or infinite where it must not be.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{where} takes a number of seconds, such as 2.5, not {article(seconds)}")
    if not seconds >= at_least or (seconds == math.inf and not may_be_infinite):
        finite = "" if may_be_infinite else " and finite"
        raise ValueError(f"{where} takes a number of seconds, {at_least:g} or more{finite}, not {seconds!r}")


def check_function(function: object, where: str, *arguments: str, waits: bool = False) -> None:
    """Raise unless this is a function that can be called with these arguments.

    Args:
        function: Of the game: a function, a method, a partial, any callable.
        where: What it was given to, such as "every()".
        arguments: The names of the positional arguments it will get.
        waits: Only an async function, or a callable that may return an awaitable, will do.

    Raises:
        TypeError: It cannot be called so, is a generator, or is a plain function where an async one is wanted.
    """
    call = f"({', '.join(arguments)})"
    kind = "async function" if waits else "function"
    if inspect.iscoroutine(function):
        name = getattr(function, "__name__", "function")
        function.close()  # or Python warns that it was never awaited
        raise TypeError(f"{where} takes the function itself, not what it returned: write {name}, without the call")
    if not callable(function):
        raise TypeError(f"{where} takes a function, not {article(function)}: write its name, without the call")
    inner = unwrap(function)
    if not isinstance(inner, FunctionType | type) and not inspect.isbuiltin(inner):
        inner = getattr(type(inner), "__call__", inner)  # noqa: B004 - the function that is called
    code = getattr(inner, "__code__", None)
    if isinstance(code, CodeType) and code.co_flags & _GENERATOR and not code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        raise TypeError(
            f"{where} takes {'an' if waits else 'a'} {kind}, but {describe(function)} contains `yield`, so calling it "
            f"runs nothing: remove the yield"
        )
    if not accepts(function, len(arguments)):
        wanted = f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}" if arguments else "no arguments"
        word = "async def" if waits or inspect.iscoroutinefunction(inner) else "def"
        other = "" if arguments else ", or give it its arguments by functools.partial"
        raise TypeError(
            f"{where} calls its function with {wanted}, which {describe(function)} does not accept: "
            f"write `{word} {_word(inner)}{call}`{other}"
        )
    if waits and _never_waits(inner):
        raise TypeError(
            f"{where} takes an async function, but {describe(function)} is a plain one: "
            f"write `async def {_word(inner)}{call}`"
        )


def _word(function: object) -> str:
    """The name of a function as it can stand behind `def`."""
    name = getattr(function, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() and name != "__call__" else "function"


def accepts(function: Callable[..., object], count: int) -> bool:
    """Whether the function itself takes so many positional arguments; a wrapper counts, not what it wraps."""
    if isinstance(function, MethodType):
        return accepts(function.__func__, count + 1)
    if isinstance(function, FunctionType):  # timers are started often, and inspect.signature takes 20 us
        code, defaults = function.__code__, function.__kwdefaults__ or {}
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        most = math.inf if code.co_flags & inspect.CO_VARARGS else code.co_argcount
        fewest = code.co_argcount - len(function.__defaults__ or ())
        return fewest <= count <= most and all(name in defaults for name in keywords)
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some builtins have none
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _never_waits(function: object) -> bool:
    """Whether this is a plain `def` that does not say that it returns an awaitable.

    A lambda and a callable object may return one, which only calling them shows. So may a plain function whose
    annotation says it, or which wraps an async one by `functools.wraps`.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        return False
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return False
    return function.__annotations__.get("return") in (None, "None")
