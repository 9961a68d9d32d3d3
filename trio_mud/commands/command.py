"""A command: a function and its verbs, with usage and help from its signature and docstring."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from .arguments import REQUIRED, Converter, Parameter, WhoT, converter_for, read_parameters, split_words
from .errors import Mistake
from .phrases import Phrases


@dataclass(frozen=True, eq=False)
class Command:
    """An entry in a table of commands; `help` shows its properties."""

    verbs: tuple[str, ...]  # the first is listed, the others are its aliases
    function: Callable[..., Awaitable[object] | None]
    abbreviated: bool = True
    role: int = 0  # who has a lower one does not see it

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters after the actor. Read at first use, when all annotated types are defined."""
        return read_parameters(self.function)

    @property
    def usage(self) -> str:
        """The usage, such as `tell WHOM WORDS`, with brackets around optional parameters."""
        return " ".join([self.verbs[0], *(parameter.usage for parameter in self.parameters)])

    @property
    def description(self) -> str:
        """The whole docstring."""
        function: object = self.function
        while isinstance(function, partial):
            function = function.func
        return inspect.getdoc(function) or ""

    @property
    def summary(self) -> str:
        """The first line of the docstring; a command without one is not listed by `help`."""
        return self.description.partition("\n")[0]

    def arguments(self, who: WhoT, words: str, own: Mapping[object, Converter[WhoT]], phrases: Phrases) -> list[object]:
        """Convert the words after the verb to arguments, in the order of the parameters.

        Raises:
            Mistake: Words are missing, left over, or cannot be converted.
        """
        usage = phrases.usage.format(usage=self.usage)
        if words and not self.parameters:
            raise Mistake(usage)
        values: list[object] = []
        for parameter, word in zip(self.parameters, split_words(words, self.parameters), strict=True):
            if word is None and parameter.default is REQUIRED:
                raise Mistake(usage)
            if word is None:
                values.append(parameter.default)
                continue
            convert = converter_for(parameter.kind, own, phrases)
            try:
                values.append(convert(who, word))
            except ValueError:
                raise Mistake(f"{phrases.wrong.format(word=word, name=parameter.name)} {usage}") from None
        return values
