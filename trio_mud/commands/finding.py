"""Finding things by the words that players use for them.

    lamp, br la     the first whose name or alias has words that begin so
    2.sword         the second of them
    all.coin, all   every one of them
    my lamp         only what the actor carries
    "old lamp"      quotes around the words are ignored

It works with any world: a thing has a name and aliases, and an actor has contents and things in reach.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Protocol, TypeVar

from .arguments import unquoted
from .errors import Mistake
from .matching import listing, similar
from .phrases import Phrases

__all__ = ["Finder", "Named", "find", "the_many", "the_one"]

MAX_COMPARED = 200  # things whose names are compared with a misspelt word

_COUNTED = re.compile(r"([1-9]\d{0,3}|all)\.(.+)", re.S)


class Named(Protocol):
    """A thing that can be found."""

    @property
    def name(self) -> str:
        """As players read it."""

    @property
    def aliases(self) -> Iterable[str]:
        """Further words for it."""


class Finder(Protocol):
    """An actor that finds things."""

    @property
    def contents(self) -> Iterable[Named]:
        """The things it carries."""

    def in_reach(self) -> Iterable[Named]:
        """Return all things it can touch, those it carries first."""


NamedT = TypeVar("NamedT", bound=Named)
KindT = TypeVar("KindT")


def find(words: str, among: Iterable[NamedT]) -> list[NamedT]:
    """Return the things that the words mean, in the order of `among`; one if they have a number or neither `all`."""
    number, plain = _counted(unquoted(words.strip()))
    beginnings = [f" {word}" for word in plain.split()]
    fitting = (thing for thing in among if _fits(beginnings, thing))
    return list(fitting) if number is None else list(islice(fitting, number - 1, number))


def the_one(who: Finder, words: str, kind: type[KindT], *, phrases: Phrases | None = None) -> KindT:
    """Return the thing of this class that the words mean; a converter, `commands.converter(Thing)(the_one)`.

    Raises:
        Mistake: There is none in reach, it is of another class, or the words mean several.
    """
    phrases = phrases or Phrases()
    if _counted(unquoted(words))[0] is None:
        raise Mistake(phrases.one_at_a_time)
    return _search(who, words, kind, phrases)[0]


def the_many(who: Finder, words: str, kind: type[KindT], *, phrases: Phrases | None = None) -> list[KindT]:
    """Return the things of this class that the words mean, one or more; a converter for `list[Thing]`.

    Raises:
        Mistake: There are none in reach, or they are of another class.
    """
    return _search(who, words, kind, phrases or Phrases())


def _search(who: Finder, words: str, kind: type[KindT], phrases: Phrases) -> list[KindT]:
    words = unquoted(words)
    is_mine = words.casefold().startswith("my ")
    plain = words[3:].strip() if is_mine else words
    among: list[Named] = []

    def fitting() -> Iterator[KindT]:
        for thing in who.contents if is_mine else who.in_reach():
            among.append(thing)
            if isinstance(thing, kind):
                yield thing

    if found := find(plain, fitting()):  # type: ignore[type-var]
        return found
    # Nothing fits, so all were looked at.
    if not all(isinstance(thing, kind) for thing in among) and (others := find(plain, among)):
        raise Mistake(phrases.not_fit.format(name=others[0].name))
    unknown = (phrases.not_carried if is_mine else phrases.not_here).format(words=plain)
    names = {word.casefold(): None for thing in among[:MAX_COMPARED] for word in _words_of(thing)}
    if likely := similar(_counted(plain)[1], names):
        unknown = f"{unknown} {phrases.did_you_mean.format(choices=listing(likely, phrases.either))}"
    raise Mistake(unknown)


def _counted(words: str) -> tuple[int | None, str]:
    """Return which one is meant, None for all, and the words without that."""
    words = words.casefold().strip()
    if words == "all":
        return None, ""
    if counted := _COUNTED.fullmatch(words):
        return (None if counted[1] == "all" else int(counted[1])), counted[2]
    return 1, words


def _fits(beginnings: list[str], thing: Named) -> bool:
    """Return True if each of these begins a word of the thing; they begin with a space."""
    known = _known_by(thing.name, tuple(thing.aliases))
    for beginning in beginnings:  # noqa: SIM110  a generator for each of 10,000 things would take a millisecond
        if beginning not in known:
            return False
    return True


@lru_cache(maxsize=4096)  # a search looks at every thing in reach, and many of them share a name
def _known_by(name: str, aliases: tuple[str, ...]) -> str:
    """Return the words of a thing as they are compared, each after a space."""
    known = " ".join(("", name, *aliases)).casefold()
    if not known.isprintable():  # it has other white space
        known = f" {' '.join(known.split())}"
    return known


def _words_of(thing: Named) -> Iterator[str]:
    yield from thing.name.split()
    for alias in thing.aliases:
        yield from alias.split()
