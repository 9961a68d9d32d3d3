"""The table of commands: verbs, their functions, and the help that lists them."""

import inspect
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from .arguments import AnyKind, Converter, check_shape, converter_for, place
from .command import Command
from .errors import Mistake
from .matching import listing, matches, plain_marks, similar
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
        role_of: Returns the role of an actor, looked up for each line. Without it no actor has one.
    """

    def __init__(
        self,
        *,
        help_verbs: tuple[str, ...] = ("help", "?"),
        phrases: Phrases | None = None,
        role_of: Callable[[ActorT], int] | None = None,
    ) -> None:
        self.phrases = phrases or Phrases()
        self._role_of = role_of
        self._included: list[Commands[Any]] = []
        self._including: WeakSet[Commands[Any]] = WeakSet()
        self._by_role: dict[int, Mapping[str, Command]] = {}  # the verbs of each role that was asked for
        # Both maps begin with the table's own entries, followed by those of included tables, which are not copied.
        self._verbs: ChainMap[str, Command] = ChainMap({})
        self._converters: ChainMap[object, Converter[ActorT]] = ChainMap({})
        self._help = help_verbs[0] if help_verbs else ""
        if help_verbs:
            self.verb(*help_verbs)(self._answer_help)

    def verb(
        self, *verbs: str, abbreviated: bool = True, role: int = 0
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
            role: The least `Role` that may use it. For all others the verb does not exist, neither in help.

        Raises:
            ValueError: This table already has that verb, or no player could type it.
            TypeError: The function has parameters that a typed line cannot fill.
        """
        if verbs and not isinstance(verbs[0], str):
            raise TypeError(f"Commands.verb() takes verbs, not {place(verbs[0])}: write @commands.verb() above it")

        def register(function: Callable[Concatenate[ActorT, P], AnswerT]) -> Callable[Concatenate[ActorT, P], AnswerT]:
            check_shape(function)
            names = verbs or (function.__name__.strip("_").replace("_", "-"),)
            self._add(Command(tuple(name.casefold() for name in names), function, abbreviated, role))
            return function

        return register

    def converter(
        self, kind: type[KindT]
    ) -> Callable[[Callable[Concatenate[ActorT, str, P], KindT]], Callable[Concatenate[ActorT, str, P], KindT]]:
        """Register the decorated function as the converter from words to type `kind`; it takes the actor and the words.

        With a third parameter `kind` it serves the subclasses as well, and gets the class that is wanted:
        `commands.converter(Thing)(the_one)`. It raises `Mistake` with a sentence for the player, or `ValueError` to
        show the usage. An annotation `Annotated[Guest, anybody]` uses the function `anybody` for one parameter only.
        """

        def register(
            function: Callable[Concatenate[ActorT, str, P], KindT],
        ) -> Callable[Concatenate[ActorT, str, P], KindT]:
            takes_kind = "kind" in inspect.signature(function).parameters
            made: Any = AnyKind(function) if takes_kind else function
            self._converters[kind] = made
            return function

        return register

    def include(self, other: "Commands[ActorT]") -> None:
        """Add the commands of `other`, including those registered later; for a verb in both, this table's is used.

        A world can keep a table for each kind of command, and a wizard's table includes the players'.
        """
        self._verbs.maps.append(other._verbs)
        self._converters.maps.append(other._converters)
        self._included.append(other)
        other._including.add(self)
        self._forget()

    def run(self, who: ActorT, line: str) -> Awaitable[object] | None:
        """Run the command in `line`; return the awaitable of an async command, otherwise None.

        A mistake is written to `who`: an unknown verb, wrong arguments, or one raised by the command, now or when it
        is awaited. Any other exception propagates to the caller.
        """
        try:
            answer = self.obey(who, line)
        except Mistake as mistake:
            who.write(str(mistake))
            return None
        # An untyped command may return any object; only awaitables are returned.
        return with_mistakes_shown(who, answer) if isinstance(answer, Awaitable) else None

    def obey(self, who: ActorT, line: str) -> Awaitable[object] | None:
        """Run the command in `line` as `run` does, but raise a mistake to the caller, now or when it is awaited.

        Raises:
            Mistake: There is no such command, its arguments are wrong, or it cannot be done.
        """
        line = line.strip()
        if not line:
            return None
        command, words = self.find(line, who)
        return command.function(who, *command.arguments(who, words, self._converters, self.phrases))

    def find(self, line: str, who: ActorT | None = None) -> tuple[Command, str]:
        """Return the command that `line` begins with, and the rest of the line.

        A complete verb takes precedence over a punctuation verb, and that over an abbreviation. Any blank ends a verb.
        For a punctuation verb, a curly or full-width variant is accepted as well.

        Args:
            line: As typed.
            who: The actor, for whom only commands of its role exist; None sees those without a role.

        Raises:
            Mistake: There is no such command, or the abbreviation is ambiguous.
        """
        word, rest = [*line.split(maxsplit=1), "", ""][:2]
        verbs = self._verbs_of(who)
        if command := verbs.get(word.casefold()):
            return command, rest
        for begun in (line, plain_marks(line)):
            marks = [verb for verb in verbs if begun.startswith(verb) and is_punctuation(verb)]
            if marks:
                mark = max(marks, key=len)
                return verbs[mark], begun.removeprefix(mark).lstrip()
        return self._guess(word, verbs), rest

    def explain(self, verb: str = "", who: ActorT | None = None) -> str:
        """Return the text of `help VERB`, or of `help` alone: the list of all commands with a docstring.

        Raises:
            Mistake: There is no such command.
        """
        if not verb:
            more = ["", self.phrases.more.format(verb=self._help)] if self._help else []
            return "\n".join([*self._list(who), *more])
        command, _ = self.find(verb, who)
        parts = [self.phrases.usage.format(usage=command.usage)]
        if command.verbs[1:]:
            parts.append(self.phrases.aliases.format(names=", ".join(command.verbs[1:])))
        return "\n".join([*parts, *(["", command.description] if command.description else [])])

    def role_of(self, who: ActorT) -> int:
        """Return the role of an actor at this moment; 0 for a table without roles."""
        return 0 if self._role_of is None else self._role_of(who)

    def check(self) -> None:
        """Raise TypeError if an argument has no converter, or a role no `role_of`.

        Call it at the end of a module, or in a test.
        """
        for command in self:
            for parameter in command.parameters:
                try:
                    converter_for(parameter.kind, self._converters, self.phrases)
                except TypeError as error:
                    raise TypeError(f"the command {command.verbs[0]!r}: {error}") from None
            if command.role and self._role_of is None:
                raise TypeError(f"the command {command.verbs[0]!r} needs a role: write Commands(role_of=…)")

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
        self._forget()

    def _forget(self) -> None:
        """Drop the verbs by role, here and in every table that includes this one: there is a new verb."""
        self._by_role.clear()
        for table in self._including:
            table._forget()

    def _verbs_of(self, who: ActorT | None) -> Mapping[str, Command]:
        """Return the verbs that exist for an actor; of two tables with one verb, the first that the actor may use."""
        role = 0 if who is None else self.role_of(who)
        verbs = self._by_role.get(role)
        if verbs is None:
            verbs = self._by_role[role] = self._permitted(role)
        return verbs

    def _permitted(self, role: int) -> dict[str, Command]:
        seen: dict[str, Command] = {}
        for table in reversed(self._included):
            seen |= table._permitted(role)
        return seen | {verb: command for verb, command in self._verbs.maps[0].items() if command.role <= role}

    def _guess(self, word: str, verbs: Mapping[str, Command]) -> Command:
        meant: dict[Command, str] = {}
        for verb in matches(word, verbs):
            meant.setdefault(verbs[verb], verb)
        if not meant:
            unknown = self.phrases.unknown.format(word=word)
            listed = (verb for verb, command in verbs.items() if command.summary and not is_punctuation(verb))
            if likely := similar(word, listed):
                choices = listing(likely, self.phrases.either)
                unknown = f"{unknown} {self.phrases.did_you_mean.format(choices=choices)}"
            raise Mistake(unknown)
        clear = {command: verb for command, verb in meant.items() if command.abbreviated}
        if not clear:
            raise Mistake(self.phrases.in_full.format(verb=next(iter(meant.values()))))
        if len(clear) > 1:
            raise Mistake(self.phrases.ambiguous.format(choices=listing(sorted(clear.values()), self.phrases.either)))
        return next(iter(clear))

    def _list(self, who: ActorT | None) -> list[str]:
        visible = sorted(set(self._verbs_of(who).values()), key=lambda command: command.verbs)
        listed = [command for command in visible if command.summary]
        width = max((len(command.verbs[0]) for command in listed), default=0)
        return [f"{command.verbs[0]:{width}}  {command.summary}" for command in listed]

    def _answer_help(self, who: ActorT, verb: str = "") -> None:
        """List the commands, or explain one of them."""
        who.write(self.explain(verb, who))


def is_punctuation(verb: str) -> bool:
    """True if no space is needed after it: for `'` and `:`, but not for `@dig`."""
    return not any(map(str.isalnum, verb))


async def with_mistakes_shown(who: Actor, answer: Awaitable[object]) -> None:
    """Await the rest of an async command, and write its mistakes as `Commands.run` does."""
    try:
        await answer
    except Mistake as mistake:
        who.write(str(mistake))
