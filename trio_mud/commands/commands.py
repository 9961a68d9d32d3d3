"""The table: verbs, what each of them runs, and the help that lists them."""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterator
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar

from .arguments import Converter, check_shape, converter_for
from .command import Command
from .errors import Mistake
from .matching import listing, matches, plain_marks
from .phrases import Phrases


class Actor(Protocol):
    """Whoever types commands: all a table asks of them is that they can be written to."""

    def write(self, text: str, /) -> object:
        """Show `text` as a line of its own."""


# Contravariant, so that the table of all guests can be included in that of the wizards among them.
ActorT = TypeVar("ActorT", bound=Actor, contravariant=True)
KindT = TypeVar("KindT")
P = ParamSpec("P")
AnswerT = TypeVar("AnswerT", bound=Awaitable[object] | None)


class Commands(Generic[ActorT]):
    """Verbs, their arguments and their help, for one kind of actor.

    A table holds no state of a game: one at the top of a module serves any number of worlds.
    Iterating over it gives its `Command`s in the order of their verbs, those of included tables among them.

    Args:
        help_verbs: Those that explain the others; `()` for none, to write your own with `explain`.
        phrases: What the table itself says to players.
    """

    def __init__(self, *, help_verbs: tuple[str, ...] = ("help", "?"), phrases: Phrases | None = None) -> None:
        self.phrases = phrases or Phrases()
        # In both, a table's own entries first, then those of the tables it includes, which stay theirs.
        self._verbs: ChainMap[str, Command] = ChainMap({})
        self._converters: ChainMap[object, Converter[ActorT]] = ChainMap({})
        self._help = help_verbs[0] if help_verbs else ""
        if help_verbs:
            self.verb(*help_verbs)(self._answer_help)

    def verb(
        self, *verbs: str, abbreviated: bool = True
    ) -> Callable[[Callable[Concatenate[ActorT, P], AnswerT]], Callable[Concatenate[ActorT, P], AnswerT]]:
        """Make a command of the function below, plain or async; the function itself stays as it is.

        Its first parameter is the actor, the others are the arguments: `arguments.py` says what they can be.
        Its docstring is the help; without one the command works, but is not listed.
        Anywhere inside it, `raise Mistake("You cannot go that way.")` turns a request down.

        Args:
            verbs: The verb, then its aliases; with none, the name of the function. A verb that is all punctuation
                needs no space after it: `'hello`, `:smiles`.
            abbreviated: Whether the beginning of a verb will do; not for what nobody should do by accident.

        Raises:
            ValueError: This table has that verb already, or no player could type it.
            TypeError: The function has parameters that no player could fill.
        """

        def register(function: Callable[Concatenate[ActorT, P], AnswerT]) -> Callable[Concatenate[ActorT, P], AnswerT]:
            check_shape(function)
            names = verbs or (function.__name__.strip("_").replace("_", "-"),)
            self._add(Command(tuple(name.casefold() for name in names), function, abbreviated))
            return function

        return register

    def converter(
        self, kind: type[KindT]
    ) -> Callable[[Callable[[ActorT, str], KindT]], Callable[[ActorT, str], KindT]]:
        """Make arguments of type `kind` with the function below, out of the actor and the words typed.

        It raises `Mistake` with a sentence for the player, or `ValueError` to have them told the usage.
        An annotation `Annotated[Guest, anybody]` does the same for one parameter: the same kind, looked for elsewhere.
        """

        def register(function: Callable[[ActorT, str], KindT]) -> Callable[[ActorT, str], KindT]:
            self._converters[kind] = function
            return function

        return register

    def include(self, other: "Commands[ActorT]") -> None:
        """Answer to everything in `other` too, now and later; a verb both have is this table's.

        So a world keeps a table beside each kind of command, and a wizard's table includes the players'.
        """
        self._verbs.maps.append(other._verbs)
        self._converters.maps.append(other._converters)

    def run(self, who: ActorT, line: str) -> Awaitable[object] | None:
        """Do what `line` says, and hand back what is left to await: None unless the command is async.

        Mistakes are told to `who`: an unknown verb, wrong arguments, and those the command raises, now or when it is
        awaited. Any other error is the author's and reaches the caller.
        """
        try:
            answer = self._obey(who, line.strip())
        except Mistake as mistake:
            who.write(str(mistake))
            return None
        # A command without types may return anything; only what can be awaited is of interest.
        return told_of_mistakes(who, answer) if isinstance(answer, Awaitable) else None

    def find(self, line: str) -> tuple[Command, str]:
        """The command that `line` begins with, and the rest of the line.

        A verb in full wins over punctuation, and that over an abbreviation. Any blank ends a verb, and for a verb
        that is punctuation a curly or full-width mark serves as well.

        Raises:
            Mistake: No command is meant, or it is not clear which.
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
        """The text of `help VERB`, or of `help` alone: the list of all that have a docstring.

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
        """Raise TypeError if a command takes what no converter makes: for the end of a module, or for a test."""
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
                raise ValueError(f"{verb!r} is already {own[verb].function!r}, and cannot be {command.function!r} too")
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
    """Whether no space need follow: `'` and `:`, but not `@dig`."""
    return not any(map(str.isalnum, verb))


async def told_of_mistakes(who: Actor, answer: Awaitable[object]) -> None:
    """Await the rest of an async command, with the same manners as `Commands.run`."""
    try:
        await answer
    except Mistake as mistake:
        who.write(str(mistake))
