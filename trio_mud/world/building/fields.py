"""Fields that builders may set: which these are, how they are shown, and values from words.

The type of a field decides, exactly as for storage: a value is accepted only if it could be loaded again.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from trio_mud.commands import Mistake, Phrases, listing, the_one
from trio_mud.commands.arguments import choice, number, spoken, unquoted, whole_number, yes_or_no
from trio_mud.commands.matching import similar
from trio_mud.storage import Record
from trio_mud.storage.schema import kind_of, schema_of

from ..being import Traveller
from ..maps import OWN_FIELDS
from ..room import Door, Room
from ..thing import PREFIX, Thing
from .naming import checked_name, checked_text
from .options import BuildingOptions
from .phrases import BuildingPhrases

__all__ = ["Fields", "find_room", "is_secret", "settable"]

SECRETS: Final = ("password", "secret", "token")  # in the names of fields that are neither shown, set nor exported
NAMES: Final = ("name", "aliases")
MAX_COMPARED: Final = 200  # keys that are compared with a misspelt one
MAX_SHOWN: Final = 60  # characters of a value in a list

_SEVERAL: Final = (tuple, list, set, frozenset)


def settable(thing: Thing) -> dict[str, Any]:
    """Return the types of the fields that builders may set, by name."""
    own = {*OWN_FIELDS, "is_fixed"} if isinstance(thing, Room | Door) else OWN_FIELDS  # they cannot be carried
    return {
        name: hint
        for name, hint in schema_of(type(thing)).hints.items()
        if name not in own and name[0] != "_" and not is_secret(name) and _is_known(hint)
    }


def is_secret(name: str) -> bool:
    """Return True if builders must not see the field with this name."""
    return any(word in name for word in SECRETS)


def find_room(who: Traveller, key: str, cls: type[Thing], commands: Phrases, phrases: BuildingPhrases) -> Thing:
    """Return a room or door by its key, or the room where the builder is.

    Raises:
        Mistake: There is none.
    """
    if key.casefold() == phrases.here and isinstance(who.room, cls):
        return who.room
    store = who.world.store
    found = store.get(cls, PREFIX + key.casefold()) or store.get(cls, PREFIX + key)
    if found is not None:
        return found
    unknown = phrases.no_room.format(key=key)
    alike = (other.key.removeprefix(PREFIX) for other in store.all(cls) if other.key.startswith(PREFIX + key[:1]))
    if likely := similar(key, islice(alike, MAX_COMPARED)):
        unknown = f"{unknown} {commands.did_you_mean.format(choices=listing(likely, commands.either))}"
    raise Mistake(unknown)


class Fields:
    """Reads and shows values for one builder."""

    def __init__(self, who: Traveller, phrases: BuildingPhrases, options: BuildingOptions, commands: Phrases) -> None:
        self._who, self._phrases, self._options, self._commands = who, phrases, options, commands

    def read(self, thing: Thing, name: str, words: str) -> Any:
        """Return the value that the words mean for a field.

        Raises:
            Mistake: They do not fit its type.
        """
        hint, phrases = settable(thing)[name], self._phrases
        try:
            value = self._convert(hint, name, unquoted(words))
        except ValueError:
            raise Mistake(
                phrases.wrong_value.format(
                    words=words, field=name, type=self.type_of(hint), value=self.show(getattr(thing, name))
                )
            ) from None
        schema = schema_of(type(thing))
        if reason := schema.check_value(name, value):
            raise Mistake(phrases.not_set.format(field=name, thing=thing, value=self.show(value), reason=reason))
        return value

    def rows(self, thing: Thing, names: Collection[str] | None = None) -> Iterator[str]:
        """Yield a line for each field that may be set, or for some of them, with its value and type."""
        for name, hint in settable(thing).items():
            if names is not None and name not in names:
                continue
            value = self.show(getattr(thing, name))
            yield self._phrases.field_row.format(field=name, value=value, type=self.type_of(hint))

    def show(self, value: Any) -> str:
        """Return a value as builders type it, shortened."""
        phrases = self._phrases
        if value is None:
            return phrases.none
        if isinstance(value, bool):
            return phrases.yes if value else phrases.no
        if isinstance(value, enum.Enum):
            return spoken(value.name)
        if isinstance(value, Thing):
            return value.key.removeprefix(PREFIX) if value.key.startswith(PREFIX) else str(value)
        if isinstance(value, _SEVERAL):
            value = ", ".join(self.show(item) for item in value)
        text = " ".join(str(value).split())
        return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"

    def type_of(self, hint: Any) -> str:
        """Return the name of a type for builders."""
        phrases, origin, arguments = self._phrases, get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.type_of(arguments[0])
        if origin in (Union, UnionType):
            shown = listing([self.type_of(inner) for inner in _inner(arguments)], self._commands.either)
            is_optional = NoneType in arguments
            return phrases.type_optional.format(type=shown, none=phrases.none) if is_optional else shown
        if origin in _SEVERAL:
            return phrases.type_several.format(type=self.type_of(arguments[0]))
        if options := _options(hint):
            return phrases.type_choice.format(choices=listing(list(options), self._commands.either))
        if isinstance(hint, type) and issubclass(hint, Record):
            form = phrases.type_room if issubclass(hint, Room | Door) else phrases.type_thing
            return form.format(kind=kind_of(hint))
        plain = {bool: phrases.type_bool, int: phrases.type_whole, float: phrases.type_number}
        return plain.get(hint, phrases.type_text)

    def _convert(self, hint: Any, name: str, words: str) -> Any:
        """Return the value of words; raise ValueError if they do not fit, or Mistake with a better sentence."""
        phrases, origin, arguments = self._phrases, get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._convert(arguments[0], name, words)
        if origin in (Union, UnionType):
            if NoneType in arguments and words.casefold() == phrases.none:
                return None
            return self._convert_to_any(_inner(arguments), name, words)
        if origin in _SEVERAL:
            items = [item.strip() for item in words.split(",") if item.strip()]
            if len(items) > self._options.max_items:
                most = self._options.max_items
                raise Mistake(phrases.too_long.format(field=name, most=most, unit=phrases.items))
            return origin(self._convert(arguments[0], name, item) for item in items)
        if options := _options(hint):
            return choice(options, self._commands)(self._who, words)
        if isinstance(hint, type) and issubclass(hint, Thing):
            return self._find(hint, words)
        if hint is str:
            check = checked_name if name in NAMES else checked_text
            return check(words, name, phrases, self._options)
        return _PLAIN[hint](self._who, words)

    def _convert_to_any(self, hints: list[Any], name: str, words: str) -> Any:
        error: Exception = ValueError(words)
        for hint in sorted(hints, key=lambda hint: hint is str):  # every word is a text, so that is the last resort
            try:
                return self._convert(hint, name, words)
            except (ValueError, Mistake) as failed:
                error = failed
        raise error

    def _find(self, cls: type[Thing], words: str) -> Thing:
        if issubclass(cls, Room | Door):
            return find_room(self._who, words, cls, self._commands, self._phrases)
        found = the_one(self._who, words, cls, phrases=self._commands)
        if isinstance(found, Traveller):
            raise Mistake(self._phrases.is_player.format(thing=found))
        return found


_PLAIN: Final[Mapping[Any, Callable[[object, str], Any]]] = {int: whole_number, float: number, bool: yes_or_no}


def _inner(arguments: Iterable[Any]) -> list[Any]:
    return [argument for argument in arguments if argument is not NoneType]


def _options(hint: Any) -> dict[str, object]:
    """Return the values that an enumeration or a Literal allows, by the words for them."""
    if get_origin(hint) is Literal:
        return {str(value): value for value in get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {spoken(name): member for name, member in hint.__members__.items()}
    return {}


def _is_known(hint: Any) -> bool:
    """Return True if values of this type can be read from words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _is_known(arguments[0])
    if origin in (Union, UnionType):
        return all(map(_is_known, _inner(arguments)))
    if origin is tuple:
        return len(arguments) == 2 and arguments[1] is Ellipsis and _is_known(arguments[0])
    if origin in _SEVERAL:
        return _is_known(arguments[0])
    if isinstance(hint, type) and issubclass(hint, Record):
        return issubclass(hint, Thing) and not issubclass(hint, Traveller)
    return bool(_options(hint)) or hint is str or hint in _PLAIN
