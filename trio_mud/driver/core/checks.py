"""Checks of the arguments of public methods, made on entry, so that the traceback ends in the game's own line.

Each raises TypeError or ValueError with one sentence: the fact, then the correction.
Used by the public methods of the driver, before they change anything.
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
    """Return the type of a thing with its article, and its value if that is a number or a short text."""
    if thing is None:
        return "None"
    name = type(thing).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    is_short = type(thing) in (int, float, bool) or (type(thing) is str and len(thing) <= MOST_QUOTED)
    return f"{article} {name} ({thing!r})" if is_short else f"{article} {name}"


def check_text(text: object, where: str) -> Text:
    """Return a text that can be sent to a client, as an exact `str` unless it is `Markup`.

    Raises:
        TypeError: It is neither a `str` nor `Markup`.
    """
    if isinstance(text, Markup):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{where} takes a str or Markup, not {article(text)}: {_how_to_make_text(text)}")
    return exact(text)


def check_words(text: object, where: str) -> str:
    """Return a text that is also logged or passed on, as an exact `str`.

    A subclass of `str` has methods of the game, which may raise when the driver uses the text.

    Raises:
        TypeError: It is not a `str`.
    """
    if not isinstance(text, str):
        raise TypeError(f"{where} takes a str, not {article(text)}: {_how_to_make_text(text)}")
    return exact(text)


def _how_to_make_text(thing: object) -> str:
    if inspect.iscoroutine(thing):
        thing.close()  # otherwise Python warns that it was never awaited
        return "write `await` in front of the call, in an `async def`"
    return "use str() or an f-string"


def check_number(number: object, where: str, wanted: str = "a number") -> float:
    """Return a number that can be compared with others, as an exact `float`; infinity is allowed.

    Raises:
        TypeError: It is not a number.
        ValueError: It is NaN, or an integer that no `float` can be.
    """
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{where} takes {wanted}, not {article(number)}")
    if number != number:
        raise ValueError(f"{where} takes {wanted}, not NaN")
    return _as_float(number, where, wanted)


def check_seconds(seconds: object, where: str, *, at_least: float = 0.0, may_be_infinite: bool = False) -> float:
    """Return a valid number of seconds as an exact `float`.

    Raises:
        TypeError: It is not a number.
        ValueError: It is smaller than `at_least`, NaN, an integer that no `float` can be, or infinite without
            `may_be_infinite`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{where} takes a number of seconds, such as 2.5, not {article(seconds)}")
    if not seconds >= at_least or (seconds == math.inf and not may_be_infinite):
        finite = "" if may_be_infinite else " and finite"
        raise ValueError(f"{where} takes a number of seconds, {at_least:g} or more{finite}, not {seconds!r}")
    return _as_float(seconds, where, "a number of seconds")


def _as_float(number: float, where: str, wanted: str) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{where} takes {wanted}, not an integer of over 300 digits") from None


def check_function(function: object, where: str, *arguments: str, waits: bool = False, plain: bool = False) -> None:
    """Raise unless this is a function that can be called with these arguments.

    Args:
        function: The game's function, method, partial or other callable.
        where: The call that it was passed to, such as "every()".
        arguments: The names of the positional arguments that it will receive.
        waits: True if it must be an async function, or a callable that may return an awaitable.
        plain: True if it must not be an async function, since nothing would await what it returns.

    Raises:
        TypeError: It cannot be called with these arguments, is a generator, a plain function although `waits`, or an
            async one although `plain`.
    """
    call = f"({', '.join(arguments)})"
    kind = "async function" if waits else "function"
    if inspect.iscoroutine(function):
        name = getattr(function, "__name__", "function")
        function.close()  # otherwise Python warns that it was never awaited
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
    if plain and inspect.iscoroutinefunction(inner):
        raise TypeError(
            f"{where} takes a plain function, and {describe(function)} is async, so calling it runs nothing: "
            f"write `def {_word(inner)}{call}`, and start what waits by start_soon()"
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


def check_work(function: object, where: str, args: tuple[object, ...]) -> None:
    """Raise unless this is an async function that can be called with these arguments; for `start_soon`.

    Raises:
        TypeError: As `check_function` does.
    """
    check_function(function, where, *(f"argument_{number}" for number, _ in enumerate(args, 1)), waits=True)


def _word(function: object) -> str:
    """Return the name of a function as it can be written after `def`."""
    name = getattr(function, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() and name != "__call__" else "function"


def accepts(function: Callable[..., object], count: int) -> bool:
    """Return True if the function takes `count` positional arguments; a wrapper counts, not the wrapped function."""
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
    """Return True if this is a plain `def` that is not annotated to return an awaitable.

    A lambda or a callable object may return an awaitable, which shows only when it is called. The same holds for a
    plain function with such an annotation, or one that wraps an async function by `functools.wraps`.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        return False
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return False
    return function.__annotations__.get("return") in (None, "None")
