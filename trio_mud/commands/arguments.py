"""Converts words to the arguments of a command, following the annotations of its function.

It is independent of verbs, rooms and players. The annotations mean::

    str, or none              the words as they were typed
    int, float                a number
    bool                      yes or no, on or off
    an Enum                   the name of a member in lower case, `_` as `-`; shortened, or an alias of the member
    a Literal of strings      one of them, also shortened
    X | None                  as X, and it may be left out
    Annotated[X, function]    the result of `function(who, words)`, for this parameter only
    any other type            the result of the converter registered for it

Each argument is one word, but the last is the rest of the line, whatever its type: so `words: str` is a whole sentence,
and a converter of things can look for `old brass lantern`.
"""

import enum
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, Union, cast, get_args, get_origin

from .errors import Mistake
from .matching import listing, matches
from .phrases import Phrases

WhoT = TypeVar("WhoT")
Converter = Callable[[WhoT, str], object]

REQUIRED = object()  # the default of a parameter without one
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument that a command takes after its actor."""

    name: str  # as the usage shows it
    kind: object  # the annotation, without `| None`
    default: object = REQUIRED

    @property
    def usage(self) -> str:
        """Its form in a line of usage: `TIMES`, or `[TIMES]` if it is optional."""
        return self.name if self.default is REQUIRED else f"[{self.name}]"


def place(function: object) -> str:
    """Return the name of a function and where it is defined: `take at mine.py:12`."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    if code is None:
        return repr(function)
    return f"{code.co_name} at {code.co_filename}:{code.co_firstlineno}"


def check_shape(function: Callable[..., object]) -> None:
    """Raise TypeError unless a typed line can call `function`; annotations are not read yet.

    It must take an actor and plain parameters. Keyword-only parameters are not for players and need a default.
    """
    parameters = inspect.signature(function).parameters.values()
    if not any(parameter.kind in POSITIONAL for parameter in parameters):
        raise TypeError(f"{place(function)} has no parameters: the first parameter of a command is the actor")
    for parameter in parameters:
        if parameter.kind not in POSITIONAL and not is_left_alone(parameter):
            raise TypeError(f"{place(function)}: no player can type {str(parameter)!r}: use plain parameters")


def is_left_alone(parameter: inspect.Parameter) -> bool:
    """True if a function with this parameter can be called without it."""
    return parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty


def read_parameters(function: Callable[..., object]) -> tuple[Parameter, ...]:
    """Return the parameters of `function` after the first, which is the actor.

    Annotations that are strings are evaluated now, so a function may name a type that was defined after it.
    """
    _, *rest = inspect.signature(function, eval_str=True).parameters.values()
    return tuple(read_parameter(parameter) for parameter in rest if parameter.kind in POSITIONAL)


def read_parameter(parameter: inspect.Parameter) -> Parameter:
    """Return one parameter as it appears to the player."""
    kind, default = parameter.annotation, parameter.default
    if default is parameter.empty:
        default = REQUIRED
    if kind is parameter.empty:
        kind = str
    if get_origin(kind) in (Union, types.UnionType) and types.NoneType in get_args(kind):
        others = [arg for arg in get_args(kind) if arg is not types.NoneType]
        kind = others[0] if len(others) == 1 else kind
        default = None if default is REQUIRED else default
    return Parameter(parameter.name.strip("_").replace("_", "-").upper(), kind, default)


def converter_for(kind: object, own: Mapping[object, Converter[WhoT]], phrases: Phrases) -> Converter[WhoT]:
    """Return the converter from words to a `kind`: one from `own`, or else a built-in one.

    Raises:
        TypeError: There is no converter.
    """
    if kind in own:
        return own[kind]
    if get_origin(kind) is Annotated:
        plain, *extras = get_args(kind)
        made = [cast("Converter[WhoT]", extra) for extra in extras if callable(extra)]
        return made[0] if made else converter_for(plain, own, phrases)
    if get_origin(kind) is Literal:
        return choice({str(value): value for value in get_args(kind)}, phrases)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return choice({spoken(name): member for name, member in kind.__members__.items()}, phrases)
    if kind in BUILT_IN:
        return BUILT_IN[kind]
    raise TypeError(f"no converter makes a {kind!r} from typed words: register one with `converter`")


def spoken(name: str) -> str:
    """Return the name of an enum member as a player types it."""
    return name.lower().replace("_", "-")


def choice(options: Mapping[str, object], phrases: Phrases) -> Converter[object]:
    """Return a converter to one of several options: exact, or shortened if it is unambiguous."""

    def first_names(names: Iterable[str]) -> dict[object, str]:
        firsts: dict[object, str] = {}
        for name in names:
            firsts.setdefault(options[name], name)  # a later name for the same is an alias
        return firsts

    def choose(who: object, word: str) -> object:
        meant = first_names(matches(word, options))
        if len(meant) == 1:
            return next(iter(meant))
        choices = listing([*(meant or first_names(options)).values()], phrases.either)
        raise Mistake((phrases.ambiguous if meant else phrases.none_of).format(word=word, choices=choices))

    return choose


def whole_number(who: object, word: str) -> int:
    """Convert to a whole number of at most 18 digits, without the underscores that `int` accepts."""
    if not re.fullmatch(r"[+-]?\d{1,18}", word):
        raise ValueError(word)
    return int(word)


def number(who: object, word: str) -> float:
    """Convert to a decimal number, without `nan`, `inf` and exponents."""
    if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?", word):
        raise ValueError(word)
    return float(word)


def yes_or_no(who: object, word: str) -> bool:
    """Convert yes or no in the usual words, also shortened."""
    answers = {"yes": True, "no": False, "on": True, "off": False, "true": True, "false": False}
    found = {answers[name] for name in matches(word, answers)}
    if len(found) != 1:
        raise ValueError(word)
    return found.pop()


BUILT_IN: Mapping[object, Converter[object]] = {
    str: lambda who, words: words,
    int: whole_number,
    float: number,
    bool: yes_or_no,
}
