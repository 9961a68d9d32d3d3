"""From annotations to arguments, seen through a table of commands."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.commands import Commands, Mistake


class Cook:
    """An actor that stores the lines written to it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def write(self, text: str) -> bool:
        self.heard.append(text)
        return True


class Taste(enum.Enum):
    SWEET = 1
    SOUR = 2
    VERY_HOT = 3
    TART = SOUR  # an alias


class Pot:
    """A type of the game's own."""

    def __init__(self, name: str) -> None:
        self.name = name


def pot_named(who: Cook, words: str) -> Pot:
    if "pan" in words:
        raise Mistake(f"That {words} is no pot.")
    if words == "thing":
        raise ValueError
    return Pot(words)


def lid_named(who: Cook, words: str) -> Pot:
    return Pot(f"lid of {words}")


Lid = Annotated[Pot, lid_named]
GIVEN: list[object] = []


def one(who: Cook, times: int) -> None:
    GIVEN[:] = [times]


def weigh(who: Cook, ounces: float) -> None:
    GIVEN[:] = [ounces]


def stir(who: Cook, gently: bool) -> None:
    GIVEN[:] = [gently]


def season(who: Cook, taste: Taste, times: int = 1) -> None:
    GIVEN[:] = [taste, times]


def light(who: Cook, fire: Literal["stove", "stack", "oven"]) -> None:
    GIVEN[:] = [fire]


def fill(who: Cook, pot: Pot, what: str, how_: str = "slowly") -> None:
    GIVEN[:] = [pot.name, what, how_]


def cover(who: Cook, lid: Lid) -> None:
    GIVEN[:] = [lid.name]


def wash(who: Cook, pot: Pot | None) -> None:
    GIVEN[:] = [pot and pot.name]


def dry(who: Cook, pot: Optional[Pot] = None) -> None:  # noqa: UP045  the older spelling is one too
    GIVEN[:] = [pot and pot.name]


def shout(who: Cook, words) -> None:  # type: ignore[no-untyped-def]  # an author may leave annotations out
    GIVEN[:] = [words]


def make_kitchen() -> Commands[Cook]:
    GIVEN.clear()
    commands = Commands[Cook](help_verbs=())
    for function in (one, weigh, stir, season, light, fill, cover, wash, dry, shout):
        commands.verb()(function)
    commands.converter(Pot)(pot_named)
    commands.check()
    return commands


@pytest.fixture
def kitchen() -> Commands[Cook]:
    return make_kitchen()


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("one 3", [3]),
        ("one -3", [-3]),
        ("weigh 2", [2.0]),
        ("weigh 2.5", [2.5]),
        ("stir yes", [True]),
        ("stir OFF", [False]),
        ("stir n", [False]),
        ("season sweet", [Taste.SWEET, 1]),
        ("season Swe", [Taste.SWEET, 1]),
        ("season tart 2", [Taste.SOUR, 2]),
        ("season very-hot", [Taste.VERY_HOT, 1]),
        ("light o", ["oven"]),
        ("fill pot soup", ["pot", "soup", "slowly"]),
        ("fill pot soup to the brim", ["pot", "soup", "to the brim"]),
        ("cover big pot", ["lid of big pot"]),
        ("wash", [None]),
        ("wash big pot", ["big pot"]),
        ("dry", [None]),
        ("dry pot", ["pot"]),
        ("shout it is ready", ["it is ready"]),
    ],
)
def test_words_become_what_the_annotations_say(kitchen: Commands[Cook], line: str, arguments: list[object]) -> None:
    cook = Cook()
    kitchen.run(cook, line)
    assert cook.heard == []
    assert arguments == GIVEN


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("one", "Usage: one TIMES"),
        ("one two", '"two" will not do for TIMES. Usage: one TIMES'),
        ("one 1_0", '"1_0" will not do for TIMES. Usage: one TIMES'),
        ("one 1 2", '"1 2" will not do for TIMES. Usage: one TIMES'),
        ("weigh nan", '"nan" will not do for OUNCES. Usage: weigh OUNCES'),
        ("stir o", '"o" will not do for GENTLY. Usage: stir GENTLY'),
        ("season bland", '"bland" is none of sweet, sour or very-hot.'),
        ("season s", "Do you mean sweet or sour?"),
        ("season", "Usage: season TASTE [TIMES]"),
        ("light st", "Do you mean stove or stack?"),
        ("fill pot", "Usage: fill POT WHAT [HOW]"),
        ("fill pan soup", "That pan is no pot."),
        ("fill thing soup", '"thing" will not do for POT. Usage: fill POT WHAT [HOW]'),
    ],
)
def test_wrong_words_are_answered_with_what_would_be_right(kitchen: Commands[Cook], line: str, answer: str) -> None:
    cook = Cook()
    kitchen.run(cook, line)
    assert cook.heard == [answer]
    assert GIVEN == []


def test_no_number_is_too_long_to_refuse(kitchen: Commands[Cook]) -> None:
    cook = Cook()
    kitchen.run(cook, "one " + "9" * 5000)
    assert "will not do for TIMES" in cook.heard[0]


@given(st.sampled_from(["one ", "weigh ", "stir ", "season ", "light ", "fill ", "wash ", ""]), st.text())
def test_whatever_is_typed_is_either_done_or_answered(verb: str, words: str) -> None:
    commands, cook = make_kitchen(), Cook()
    commands.run(cook, verb + words)
    assert len(cook.heard) + bool(GIVEN) == bool((verb + words).strip())


def test_a_type_may_be_defined_after_the_command_that_takes_it() -> None:
    commands = Commands[Cook]()

    @commands.verb()
    def serve(who: Cook, dish: Dish) -> None:
        GIVEN[:] = [dish.name]

    commands.converter(Dish)(lambda who, words: Dish(words))
    commands.run(Cook(), "serve soup")
    assert GIVEN == ["soup"]


class Dish:
    """Defined late."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_an_argument_that_nothing_makes_is_found_by_check() -> None:
    commands = Commands[Cook]()

    @commands.verb()
    def serve(who: Cook, dish: Dish) -> None: ...

    with pytest.raises(TypeError, match=r"the command 'serve': no converter makes a .*Dish"):
        commands.check()


def test_a_converter_of_ones_own_replaces_the_one_every_table_has(kitchen: Commands[Cook]) -> None:
    kitchen.converter(int)(lambda who, words: len(words))
    kitchen.run(Cook(), "one dozen")
    assert GIVEN == [5]


def test_arguments_may_be_bound_beforehand(kitchen: Commands[Cook]) -> None:
    kitchen.verb("twice")(partial(season, times=2))
    kitchen.run(Cook(), "twice sour")
    assert GIVEN == [Taste.SOUR, 2]


@pytest.mark.parametrize(
    "function", [lambda: None, lambda who, *words: None, lambda who, **words: None, lambda who, *, words: None]
)
def test_a_function_that_no_line_can_call_is_no_command(function: Callable[..., None]) -> None:
    with pytest.raises(TypeError, match="lambda"):
        Commands[Cook]().verb("x")(function)
