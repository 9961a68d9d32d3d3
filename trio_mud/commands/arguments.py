"""Converts words to the arguments of a command, following the annotations of its function.

It is independent of verbs, rooms and players. The annotations mean::

    str, or none              the words as they were typed
    int, float                a number
    bool                      yes or no, on or off
    an Enum                   the name of a member in lower case, `_` as `-`; shortened, or an alias of the member
    a Literal of strings      one of them, also shortened
    X | None                  as X, and it may be left out
    Annotated[X, function]    the result of `function(who, words)`, for this parameter only
    any other type            the result of the converter registered for it, or for one of its bases
    list[X]                   the result of the converter registered for `list[X]`, or for a list of one of its bases
    Annotated[X, Preposition("in")]    as X, from the words behind `in`

Each argument is one word, but the last is the rest of the line, whatever its type: so `words: str` is a whole sentence,
and a converter of things can look for `old brass lantern`. The same holds for the argument before a preposition. Quotes
hold several words together where one is expected.
"""

import enum
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, TypeVar, Union, cast, get_args, get_origin

from .errors import Mistake
from .matching import listing, matches, plain_quotes
from .phrases import Phrases

WhoT = TypeVar("WhoT")
Converter = Callable[[WhoT, str], object]

REQUIRED = object()  # the default of a parameter without one
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Preposition:
    """The words that introduce an argument: `box: Annotated[Container, Preposition("in", "into")]`.

    The first one is shown in the usage. Before the first argument of a command a preposition may be left out.
    """

    def __init__(self, *words: str) -> None:
        if not words or any(word.split() != [word] for word in words):
            raise ValueError(f"Preposition{words!r}: name one word or several, such as Preposition('in', 'into')")
        self.words = tuple(word.casefold() for word in words)


@dataclass(frozen=True, slots=True)
class AnyKind:
    """A converter that serves a class and its subclasses, and is given which one is wanted."""

    function: Callable[..., object]

    def wanting(self, kind: object) -> Converter[object]:
        """Return the converter for one class."""
        return partial(self.function, kind=kind)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument that a command takes after its actor."""

    name: str  # as the usage shows it
    kind: object  # the annotation, without `| None`
    default: object = REQUIRED
    prepositions: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """Its form in a line of usage: `TIMES`, `in BOX`, or in brackets if it is optional."""
        shown = f"{self.prepositions[0]} {self.name}" if self.prepositions else self.name
        return shown if self.default is REQUIRED else f"[{shown}]"


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
    extras = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    prepositions = next((extra.words for extra in extras if isinstance(extra, Preposition)), ())
    return Parameter(parameter.name.strip("_").replace("_", "-").upper(), kind, default, prepositions)


def split_words(words: str, parameters: tuple[Parameter, ...]) -> list[str | None]:
    """Return the words of each parameter; None for one without any.

    Each gets one word, or several in quotes; the last one, and one before a preposition, gets all that are left.
    """
    has_prepositions = any(parameter.prepositions for parameter in parameters)
    if not has_prepositions and '"' not in plain_quotes(words):
        split: list[str | None] = [*words.split(maxsplit=max(len(parameters) - 1, 0))]
        return split + [None] * (len(parameters) - len(split))
    tokens = list(re.finditer(r'"[^"]*"(?!\S)|\S+', plain_quotes(words)))
    found: list[str | None] = []
    for group, part in _groups(parameters, tokens):
        for number in range(len(group)):
            if number >= len(part):
                found.append(None)
            elif number < len(group) - 1:
                found.append(unquoted(words[part[number].start() : part[number].end()]))
            else:
                found.append(words[part[number].start() : part[-1].end()])
    return found


def _groups(
    parameters: tuple[Parameter, ...], tokens: list[re.Match[str]]
) -> Iterator[tuple[list[Parameter], list[re.Match[str]]]]:
    """Yield the parameters from one preposition to the next, with their words."""
    starts = [number for number, parameter in enumerate(parameters) if number and parameter.prepositions]
    if parameters and tokens and tokens[0][0].casefold() in parameters[0].prepositions:
        tokens = tokens[1:]
    first = 0
    for start in starts:
        wanted = parameters[start].prepositions
        at = next((at for at in range(len(tokens)) if tokens[at][0].casefold() in wanted), len(tokens))
        yield list(parameters[first:start]), tokens[:at]
        tokens, first = tokens[at + 1 :], start
    yield list(parameters[first:]), tokens


def unquoted(words: str) -> str:
    """Return the words without the quotes around all of them."""
    plain = plain_quotes(words)
    return words[1:-1].strip() if len(plain) > 1 and plain[0] == plain[-1] == '"' else words


def converter_for(kind: object, own: Mapping[object, Converter[WhoT]], phrases: Phrases) -> Converter[WhoT]:
    """Return the converter from words to a `kind`: one from `own`, or else a built-in one.

    Raises:
        TypeError: There is no converter.
    """
    found: object = own.get(kind)
    if found is None and kind not in BUILT_IN:
        found = next((own[base] for base in _bases(kind) if isinstance(own.get(base), AnyKind)), None)
    if isinstance(found, AnyKind):
        return found.wanting(get_args(kind)[0] if get_origin(kind) is list else kind)
    if found is not None:
        return cast("Converter[WhoT]", found)
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


def _bases(kind: object) -> Iterator[object]:
    """Yield the bases of a class; of a list, lists of the bases of its items."""
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        yield from (types.GenericAlias(list, (base,)) for base in getattr(item, "__mro__", ())[1:-1])
    elif isinstance(kind, type):
        yield from kind.__mro__[1:-1]


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
