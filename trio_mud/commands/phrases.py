"""The sentences that a table of commands shows to players, each replaceable."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of `Commands`. The names in braces are filled in; a phrase may omit them.

    A world in another language or style passes its own to `Commands(phrases=Phrases(...))`.
    """

    unknown: str = 'There is no command "{word}".'
    did_you_mean: str = "Did you mean {choices}?"
    ambiguous: str = "Do you mean {choices}?"
    in_full: str = "Type {verb} in full if you mean it."
    wrong: str = '"{word}" will not do for {name}.'
    none_of: str = '"{word}" is none of {choices}.'
    usage: str = "Usage: {usage}"
    aliases: str = "Also: {names}"
    more: str = "Type {verb} and a command to read more about it."
    either: str = "or"  # placed before the last of several choices
    not_here: str = 'You see no "{words}" here.'
    not_carried: str = 'You have no "{words}".'
    not_fit: str = "You cannot do that with {name}."
    one_at_a_time: str = "One at a time, please."
