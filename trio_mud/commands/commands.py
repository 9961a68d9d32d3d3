"""The table of commands: verbs, their functions, and the help that lists them."""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterator
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar

from .arguments import Converter, check_shape, converter_for, place
from .command import Command
from .errors import Mistake
from .matching import listing, matches, plain_marks
from .phrases import Phrases


class Actor(Protocol):
    """The player or other object that types commands; it only needs a `write` method."""

    def write(self, text: str, /) -> object:
        """Show `text` as a line of its own."""


# Contravariant, so that a table for all players can be included in a table for wizards.
ActorT = TypeVar("ActorT", bound=Actor, contravariant=True)
KindT = TypeVar("KindT")
P = ParamSpec("P")
AnswerT = TypeVar("AnswerT", bound=Awaitable[object] | None)


class Commands(Generic[ActorT]):
    """Verbs, their arguments and their help, for one type of actor.

    A table holds no state of a game: a module-level table can serve any number of worlds. Iterating over it yields its
    `Command`s in the order of their verbs, including those of included tables.

    Args:
        help_verbs: Verbs of the help command; `()` for none, to write your own with `explain`.
        phrases: Sentences of the table to players.
    """

    def __init__(self, *, help_verbs: tuple[str, ...] = ("help", "?"), phrases: Phrases | None = None) -> None:
        self.phrases = phrases or Phrases()
        # Both maps begin with the table's own entries, followed by those of included tables, which are not copied.
        self._verbs: ChainMap[str, Command] = ChainMap({})
        self._converters: ChainMap[object, Converter[ActorT]] = ChainMap({})
        self._help = help_verbs[0] if help_verbs else ""
        if help_verbs:
            self.verb(*help_verbs)(self._answer_help)

    def verb(
        self, *verbs: str, abbreviated: bool = True
    ) -> Callable[[Callable[Concatenate[ActorT, P], AnswerT]], Callable[Concatenate[ActorT, P], AnswerT]]:
        """Register the decorated function, plain or async, as a command; the function is returned unchanged.

        Its first parameter is the actor, the others are the arguments; `arguments.py` lists their types. Its docstring
        is the help; without one the command works but is not listed. In the function, `raise Mistake("You cannot go
        that way.")` rejects a request.

        Args:
            verbs: The verb, then its aliases; by default the name of the function. A verb without letters or digits
                needs no space after it: `'hello`, `:smiles`.
            abbreviated: True if the beginning of the verb is enough; pass False for commands that should not run by
                accident.

        Raises:
            ValueError: This table already has that verb, or no player could type it.
            TypeError: The function has parameters that a typed line cannot fill.
        """
        if verbs and not isinstance(verbs[0], str):
            raise TypeError(f"Commands.verb() takes verbs, not {place(verbs[0])}: write @commands.verb() above it")

        def register(function: Callable[Concatenate[ActorT, P], AnswerT]) -> Callable[Concatenate[ActorT, P], AnswerT]:
            check_shape(function)
            names = verbs or (function.__name__.strip("_").replace("_", "-"),)
            self._add(Command(tuple(name.casefold() for name in names), function, abbreviated))
            return function

        return register

    def converter(
        self, kind: type[KindT]
    ) -> Callable[[Callable[[ActorT, str], KindT]], Callable[[ActorT, str], KindT]]:
        """Register the decorated function as the converter from words to type `kind`; it takes the actor and the words.

        It raises `Mistake` with a sentence for the player, or `ValueError` to show the usage. An annotation
        `Annotated[Guest, anybody]` uses the function `anybody` for one parameter only.
        """

        def register(function: Callable[[ActorT, str], KindT]) -> Callable[[ActorT, str], KindT]:
            self._converters[kind] = function
            return function

        return register

    def include(self, other: "Commands[ActorT]") -> None:
        """Add the commands of `other`, including those registered later; for a verb in both, this table's is used.

        A world can keep a table for each kind of command, and a wizard's table includes the players'.
        """
        self._verbs.maps.append(other._verbs)
        self._converters.maps.append(other._converters)

    def run(self, who: ActorT, line: str) -> Awaitable[object] | None:
        """Run the command in `line`; return the awaitable of an async command, otherwise None.

        A mistake is written to `who`: an unknown verb, wrong arguments, or one raised by the command, now or when it
        is awaited. Any other exception propagates to the caller.
        """
        try:
            answer = self._obey(who, line.strip())
        except Mistake as mistake:
            who.write(str(mistake))
            return None
        # An untyped command may return any object; only awaitables are returned.
        return with_mistakes_shown(who, answer) if isinstance(answer, Awaitable) else None

    def find(self, line: str) -> tuple[Command, str]:
        """Return the command that `line` begins with, and the rest of the line.

        A complete verb takes precedence over a punctuation verb, and that over an abbreviation. Any blank ends a verb.
        For a punctuation verb, a curly or full-width variant is accepted as well.

        Raises:
            Mistake: There is no such command, or the abbreviation is ambiguous.
        """
        word, rest = [*line.split(maxsplit=1), "", ""][:2]
        if command := self._verbs.get(word.casefold()):
            return command, rest
        for begun in (line, plain_marks(line)):
            marks = [verb for verb in self._verbs if is_punctuation(verb) and begun.startswith(verb)]
            if marks:
                mark = max(marks, key=len)
                return self._verbs[mark], begun.removeprefix(mark).lstrip()
        return self._guess(word), rest

    def explain(self, verb: str = "") -> str:
        """Return the text of `help VERB`, or of `help` alone: the list of all commands with a docstring.

        Raises:
            Mistake: There is no such command.
        """
        if not verb:
            more = ["", self.phrases.more.format(verb=self._help)] if self._help else []
            return "\n".join([*self._list(), *more])
        command, _ = self.find(verb)
        parts = [self.phrases.usage.format(usage=command.usage)]
        if command.verbs[1:]:
            parts.append(self.phrases.aliases.format(names=", ".join(command.verbs[1:])))
        return "\n".join([*parts, *(["", command.description] if command.description else [])])

    def check(self) -> None:
        """Raise TypeError if an argument has no converter; call it at the end of a module, or in a test."""
        for command in self:
            for parameter in command.parameters:
                try:
                    converter_for(parameter.kind, self._converters, self.phrases)
                except TypeError as error:
                    raise TypeError(f"the command {command.verbs[0]!r}: {error}") from None

    def __iter__(self) -> Iterator[Command]:
        return iter(sorted(set(self._verbs.values()), key=lambda command: command.verbs))

    def _add(self, command: Command) -> None:
        own = self._verbs.maps[0]
        for verb in command.verbs:
            if verb.split() != [verb]:
                raise ValueError(f"a verb is one word, and {verb!r} is not")
            if verb in own:
                mine, other = place(command.function), place(own[verb].function)
                raise ValueError(f"the verb {verb!r} of {mine} is that of {other}: choose another")
        own.update(dict.fromkeys(command.verbs, command))

    def _obey(self, who: ActorT, line: str) -> Awaitable[object] | None:
        if not line:
            return None
        command, words = self.find(line)
        return command.function(who, *command.arguments(who, words, self._converters, self.phrases))

    def _guess(self, word: str) -> Command:
        meant: dict[Command, str] = {}
        for verb in matches(word, self._verbs):
            meant.setdefault(self._verbs[verb], verb)
        if not meant:
            raise Mistake(self.phrases.unknown.format(word=word))
        clear = {command: verb for command, verb in meant.items() if command.abbreviated}
        if not clear:
            raise Mistake(self.phrases.in_full.format(verb=next(iter(meant.values()))))
        if len(clear) > 1:
            raise Mistake(self.phrases.ambiguous.format(choices=listing(sorted(clear.values()), self.phrases.either)))
        return next(iter(clear))

    def _list(self) -> list[str]:
        listed = [command for command in self if command.summary]
        width = max((len(command.verbs[0]) for command in listed), default=0)
        return [f"{command.verbs[0]:{width}}  {command.summary}" for command in listed]

    def _answer_help(self, who: ActorT, verb: str = "") -> None:
        """List the commands, or explain one of them."""
        who.write(self.explain(verb))


def is_punctuation(verb: str) -> bool:
    """True if no space is needed after it: for `'` and `:`, but not for `@dig`."""
    return not any(map(str.isalnum, verb))


async def with_mistakes_shown(who: Actor, answer: Awaitable[object]) -> None:
    """Await the rest of an async command, and write its mistakes as `Commands.run` does."""
    try:
        await answer
    except Mistake as mistake:
        who.write(str(mistake))
