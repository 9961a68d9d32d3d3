"""A table of commands, with an actor that only stores the lines written to it."""

from collections.abc import Awaitable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from trio_mud import Connection, Hooks, Input, broadcast
from trio_mud.commands import Commands, Mistake, Phrases
from trio_mud.testing import OpenMud


class Bird:
    """An actor: it can be written to, and here also be seen doing things."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.did: list[str] = []

    def write(self, text: str) -> bool:
        self.heard.append(text)
        return True

    def as_text(self) -> str:
        """Return the lines written since the last call, as one text."""
        text, self.heard = "\n".join(self.heard), []
        return text


@pytest.fixture
def bird() -> Bird:
    return Bird()


@pytest.fixture
def commands() -> Commands[Bird]:
    table = Commands[Bird]()

    @table.verb("sing", "'", "chirp")
    def sing(who: Bird, words: str) -> None:
        """Sing for all to hear.

        Nobody minds a wrong note.
        """
        who.did.append(f"sing {words}")

    @table.verb(":", "::")
    def pose(who: Bird, words: str) -> None:
        """Strike a pose."""
        who.did.append(f"pose {words}")

    @table.verb("sit", "s")
    def sit(who: Bird) -> None:
        """Sit down."""
        who.did.append("sit")

    @table.verb("leave", abbreviated=False)
    def leave(who: Bird) -> None:
        who.did.append("leave")

    @table.verb()
    async def fly_off(who: Bird, metres: int = 3) -> None:
        """Fly some way."""
        if metres > 100:
            raise Mistake("Too far.")
        who.did.append(f"fly {metres}")

    return table


@pytest.mark.parametrize(
    ("line", "deed"),
    [
        ("sing la la", "sing la la"),
        ("SING La", "sing La"),
        ("  sing   la   la  ", "sing la   la"),
        ("chirp la", "sing la"),
        ("'la", "sing la"),
        ("' la", "sing la"),
        (":bows", "pose bows"),
        ("::bows", "pose bows"),
        (": :bows", "pose :bows"),
        ("''la", "sing 'la"),
        ("sing\tla", "sing la"),
        ("sing\u00a0la", "sing la"),
        ("sing\u3000la la", "sing la la"),
        ("sing\u2003\u2003la", "sing la"),
        ("\u2019la", "sing la"),
        ("\u2018la", "sing la"),
        ("\u02bcla", "sing la"),
        ("`la", "sing la"),
        ("\uff07la", "sing la"),
        ("\u2019\u2019la", "sing 'la"),
        ("\uff1abows", "pose bows"),  # a full-width colon
        ("\uff1a:bows", "pose bows"),
    ],
)
def test_a_line_finds_its_command(bird: Bird, commands: Commands[Bird], line: str, deed: str) -> None:
    commands.run(bird, line)
    assert bird.did == [deed]


def test_a_curly_mark_is_its_own_verb_where_there_is_one(bird: Bird, commands: Commands[Bird]) -> None:
    commands.verb("\u2019")(lambda who, words: who.did.append(f"whistle {words}"))
    commands.run(bird, "\u2019la")
    commands.run(bird, "'la")
    assert bird.did == ["whistle la", "sing la"]


@pytest.mark.parametrize("line", ["\u00a0", "\u3000\t", "\u2019", "\u201cla", "\u201c"])
def test_blanks_and_marks_alone_are_no_command(bird: Bird, commands: Commands[Bird], line: str) -> None:
    commands.run(bird, line)
    assert bird.did == []


def test_an_exact_alias_wins_over_every_abbreviation(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "s")
    assert bird.did == ["sit"]


def test_a_clear_abbreviation_will_do(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "sin la")
    assert bird.did == ["sing la"]


def test_an_abbreviation_of_two_names_of_one_command_is_clear(bird: Bird) -> None:
    table = Commands[Bird]()
    table.verb("peck", "pecking")(lambda who: who.did.append("peck"))
    table.run(bird, "pec")
    assert bird.did == ["peck"]


def test_an_unclear_abbreviation_answers_with_the_candidates(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "si")
    assert bird.as_text() == "Do you mean sing or sit?"
    assert bird.did == []


def test_what_must_be_typed_in_full_is_not_done_by_a_beginning(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "leav")
    assert bird.as_text() == "Type leave in full if you mean it."
    commands.run(bird, "leave")
    assert bird.did == ["leave"]


def test_a_beginning_means_the_command_that_allows_it(bird: Bird, commands: Commands[Bird]) -> None:
    commands.verb("learn")(lambda who: who.did.append("learn"))
    commands.run(bird, "lea")
    assert bird.did == ["learn"]


@pytest.mark.parametrize("line", ["dance wildly", "?!", "\N{SNOWMAN}", "{word}"])
def test_an_unknown_verb_is_said_to_be_unknown(bird: Bird, commands: Commands[Bird], line: str) -> None:
    commands.run(bird, line)
    assert bird.did == []
    assert len(bird.heard) == 1


def test_the_unknown_verb_is_named(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "dance wildly")
    assert bird.as_text() == 'There is no command "dance".'


@pytest.mark.parametrize("line", ["", "   "])
def test_an_empty_line_does_nothing(bird: Bird, commands: Commands[Bird], line: str) -> None:
    assert commands.run(bird, line) is None
    assert bird.as_text() == ""


def test_a_word_with_a_mark_in_front_may_be_a_verb(bird: Bird, commands: Commands[Bird]) -> None:
    commands.verb(":nest")(lambda who: who.did.append("nest"))
    commands.run(bird, ":nest")
    commands.run(bird, ":nests")
    assert bird.did == ["nest", "pose nests"]


def test_a_missing_argument_answers_with_the_usage(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "sing")
    assert bird.as_text() == "Usage: sing WORDS"


def test_words_left_over_answer_with_the_usage(bird: Bird, commands: Commands[Bird]) -> None:
    commands.run(bird, "sit down")
    assert bird.as_text() == "Usage: sit"


async def test_an_async_command_is_handed_back_to_be_awaited(bird: Bird, commands: Commands[Bird]) -> None:
    answer = commands.run(bird, "fly-off 5")
    assert isinstance(answer, Awaitable)
    assert bird.did == []
    await answer
    assert bird.did == ["fly 5"]


async def test_a_mistake_raised_while_waiting_is_told(bird: Bird, commands: Commands[Bird]) -> None:
    answer = commands.run(bird, "fly 500")
    assert answer is not None
    await answer
    assert bird.as_text() == "Too far."


def test_a_mistake_raised_in_a_command_is_told(bird: Bird, commands: Commands[Bird]) -> None:
    @commands.verb()
    def swim(who: Bird) -> None:
        raise Mistake("You are no duck.")

    assert commands.run(bird, "swim") is None
    assert bird.as_text() == "You are no duck."


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_an_authors_error_reaches_the_caller(bird: Bird, commands: Commands[Bird], error: type[Exception]) -> None:
    @commands.verb()
    def crash(who: Bird) -> None:
        raise error("splat")

    with pytest.raises(error, match="splat"):
        commands.run(bird, "crash")
    assert bird.as_text() == ""


def test_the_decorated_function_stays_as_it_is(bird: Bird) -> None:
    commands = Commands[Bird]()

    @commands.verb("hop")
    def hop(who: Bird, times: int = 1) -> None:
        who.did.append(f"hop {times}")

    hop(bird, times=2)
    assert bird.did == ["hop 2"]


def test_a_bound_method_may_be_a_command(bird: Bird) -> None:
    class Cage:
        def open(self, who: Bird, width: int) -> None:
            who.did.append(f"open {width}")

    commands = Commands[Bird]()
    commands.verb()(Cage().open)
    commands.run(bird, "open 3")
    assert bird.did == ["open 3"]


def test_what_a_command_without_types_returns_is_no_concern_of_anybody(bird: Bird) -> None:
    commands = Commands[Bird]()
    commands.verb("nod")(lambda who: who.write("You nod."))
    assert commands.run(bird, "nod") is None
    assert bird.as_text() == "You nod."


async def test_a_bare_connection_may_be_the_actor(mud: OpenMud) -> None:
    hooks, commands = Hooks(), Commands[Connection]()

    @commands.verb("say", "'")
    def say(who: Connection, words: str) -> None:
        broadcast(f"{who.name}: {words}", to=who.server.connections)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        return commands.run(event.connection, event.line)

    async with mud(hooks) as tavern:
        ann, bob = await tavern.player(), await tavern.player()
        await ann.type("'hello")
        await bob.sees("guest-1: hello")
        await ann.type("say")
        await ann.sees("Usage: say WORDS")


def test_one_verb_cannot_mean_two_commands_of_a_table(commands: Commands[Bird]) -> None:
    where = r"of <lambda> at \S+test_commands.py:\d+ is that of sit at \S+.py:\d+: choose another"
    with pytest.raises(ValueError, match=rf"the verb 'sit' {where}"):
        commands.verb("perch", "Sit")(lambda who: None)
    assert "perch" not in [command.verbs[0] for command in commands]


def test_a_decorator_without_brackets_is_refused_and_not_ignored(commands: Commands[Bird]) -> None:
    def caw(who: Bird) -> None:
        pass

    with pytest.raises(TypeError, match=r"takes verbs, not caw at \S+: write @commands.verb\(\) above it"):
        commands.verb(caw)  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", ["", "two words", " padded"])
def test_a_verb_that_nobody_can_type_is_not_taken(commands: Commands[Bird], verb: str) -> None:
    with pytest.raises(ValueError, match="a verb is one word"):
        commands.verb(verb)(lambda who: None)


class TestHelp:
    def test_lists_every_command_that_has_a_docstring_by_its_first_line(
        self, bird: Bird, commands: Commands[Bird]
    ) -> None:
        commands.run(bird, "help")
        assert bird.as_text().splitlines() == [
            ":        Strike a pose.",
            "fly-off  Fly some way.",
            "help     List the commands, or explain one of them.",
            "sing     Sing for all to hear.",
            "sit      Sit down.",
            "",
            "Type help and a command to read more about it.",
        ]

    def test_explains_a_command_with_its_usage_its_aliases_and_its_whole_docstring(
        self, bird: Bird, commands: Commands[Bird]
    ) -> None:
        commands.run(bird, "help sing")
        assert bird.as_text().splitlines() == [
            "Usage: sing WORDS",
            "Also: ', chirp",
            "",
            "Sing for all to hear.",
            "",
            "Nobody minds a wrong note.",
        ]

    @pytest.mark.parametrize("verb", ["'", "chi", "sing la"])
    def test_knows_a_command_by_whatever_runs_it(self, bird: Bird, commands: Commands[Bird], verb: str) -> None:
        commands.run(bird, f"help {verb}")
        assert bird.as_text().startswith("Usage: sing WORDS")

    def test_of_a_command_without_a_docstring_is_its_usage(self, bird: Bird, commands: Commands[Bird]) -> None:
        commands.run(bird, "help leave")
        assert bird.as_text() == "Usage: leave"

    def test_of_an_unknown_verb_says_so(self, bird: Bird, commands: Commands[Bird]) -> None:
        commands.run(bird, "? dance")
        assert bird.as_text() == 'There is no command "dance".'

    def test_of_a_bound_function_is_that_of_the_function(self, bird: Bird, commands: Commands[Bird]) -> None:
        def perch(who: Bird, where: str) -> None:
            """Sit somewhere."""

        commands.verb("roost")(partial(perch, where="here"))
        commands.run(bird, "help roost")
        assert bird.as_text() == "Usage: roost\n\nSit somewhere."

    def test_can_be_left_to_the_author(self, bird: Bird) -> None:
        commands = Commands[Bird](help_verbs=())

        @commands.verb()
        def help_(who: Bird) -> None:
            """Show this."""
            who.write(f"Now hear this:\n{commands.explain()}")

        commands.run(bird, "help")
        assert bird.as_text() == "Now hear this:\nhelp  Show this."


def test_the_tables_sentences_can_be_replaced(bird: Bird) -> None:
    commands = Commands[Bird](phrases=Phrases(unknown="Häh?", usage="Richtig wäre: {usage}"))
    commands.verb("sitz")(lambda who: None)
    commands.run(bird, "flieg")
    commands.run(bird, "sitz jetzt")
    assert bird.heard == ["Häh?", "Richtig wäre: sitz"]


class TestIncluded:
    def test_a_table_answers_to_all_in_those_it_includes_even_what_comes_later(
        self, bird: Bird, commands: Commands[Bird]
    ) -> None:
        outer = Commands[Bird]()
        outer.include(commands)
        commands.verb("moult")(lambda who: who.did.append("moult"))
        outer.run(bird, "sit")
        outer.run(bird, "moul")
        assert bird.did == ["sit", "moult"]

    def test_a_verb_that_was_refused_exists_once_a_table_two_levels_down_has_it(self, bird: Bird) -> None:
        inner, middle, outer = Commands[Bird](), Commands[Bird](), Commands[Bird]()
        middle.include(inner)
        outer.include(middle)
        outer.run(bird, "moult")
        inner.verb("moult")(lambda who: who.did.append("moult"))
        outer.run(bird, "moult")
        later = Commands[Bird]()
        later.verb("brood")(lambda who: who.did.append("brood"))
        outer.run(bird, "brood")
        middle.include(later)
        outer.run(bird, "brood")
        assert bird.did == ["moult", "brood"]

    def test_a_tables_own_verb_wins(self, bird: Bird, commands: Commands[Bird]) -> None:
        outer = Commands[Bird]()
        outer.verb("sit")(lambda who: who.did.append("sit elsewhere"))
        outer.include(commands)
        outer.run(bird, "sit")
        commands.run(bird, "sit")
        assert bird.did == ["sit elsewhere", "sit"]

    def test_converters_are_shared_both_with_and_from_the_included(self, bird: Bird) -> None:
        inner, outer = Commands[Bird](), Commands[Bird]()
        outer.include(inner)
        outer.converter(Path)(lambda who, words: Path(words))
        inner.converter(Decimal)(lambda who, words: Decimal(words))

        @inner.verb()
        def seek(who: Bird, path: Path) -> None:
            who.did.append(f"seek {path.name}")

        @outer.verb()
        def pay(who: Bird, price: Decimal) -> None:
            who.did.append(f"pay {price}")

        outer.run(bird, "seek nest/egg")
        outer.run(bird, "pay 1.50")
        assert bird.did == ["seek egg", "pay 1.50"]

    def test_help_lists_them_too(self, commands: Commands[Bird]) -> None:
        outer = Commands[Bird]()
        outer.include(commands)
        assert outer.explain() == commands.explain()

    def test_a_table_of_a_special_kind_of_actor_includes_that_of_all(
        self, bird: Bird, commands: Commands[Bird]
    ) -> None:
        class Owl(Bird):
            pass

        owls = Commands[Owl]()
        owls.include(commands)
        owls.verb("hoot")(lambda who: who.did.append("hoot"))
        owl = Owl()
        owls.run(owl, "hoot")
        owls.run(owl, "sit")
        commands.run(bird, "hoot")
        assert owl.did == ["hoot", "sit"]
        assert bird.did == []
