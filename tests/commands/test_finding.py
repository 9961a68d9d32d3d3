"""Finding things by words, and sentences with prepositions and quotes."""

from __future__ import annotations

from typing import Annotated

import pytest

from trio_mud.commands import Commands, Mistake, Preposition, find, the_many, the_one


class Gadget:
    """A thing of a small world."""

    def __init__(self, name: str, *aliases: str) -> None:
        self.name, self.aliases = name, aliases


class Blade(Gadget):
    """A gadget of another class."""


class Box(Gadget):
    """Another one."""


class Owner:
    """An actor that carries some things, and sees others."""

    def __init__(self) -> None:
        self.contents = [Blade("rusty sword"), Gadget("brass lamp")]
        self.around = [
            *(Blade("sword", "weapon"), Gadget("gold coin"), Gadget("silver coin"), Box("oak box")),
            *(Gadget("sword in the stone"), Gadget("brass lamp", "lantern")),
        ]
        self.heard: list[str] = []

    def in_reach(self) -> list[Gadget]:
        return [*self.contents, *self.around]

    def write(self, text: str) -> None:
        self.heard.append(text)


commands = Commands[Owner]()
commands.converter(Gadget)(the_one)
commands.converter(list[Gadget])(the_many)


@commands.verb("examine")
def examine(who: Owner, thing: Gadget) -> None:
    """Examine a thing."""
    who.write(f"{thing.name}, carried" if thing in who.contents else thing.name)


@commands.verb("wield")
def wield(who: Owner, blade: Blade) -> None:
    """Wield a blade."""
    who.write(blade.name)


@commands.verb("take")
def take(who: Owner, things: list[Gadget]) -> None:
    """Take things."""
    who.write(", ".join(thing.name for thing in things))


@commands.verb("sharpen")
def sharpen(who: Owner, blades: list[Blade]) -> None:
    """Sharpen blades."""
    who.write(", ".join(blade.name for blade in blades))


@commands.verb("put")
def put(who: Owner, things: list[Gadget], box: Annotated[Box, Preposition("in", "into")]) -> None:
    """Put things in a box."""
    who.write(f"{', '.join(thing.name for thing in things)} -> {box.name}")


@commands.verb("look")
def look(
    who: Owner,
    thing: Annotated[Gadget, Preposition("at")] | None = None,
    lens: Annotated[Gadget, Preposition("through", "with")] | None = None,
) -> None:
    """Look at a thing, perhaps through another."""
    who.write(f"{thing.name if thing else 'around'} through {lens.name if lens else 'nothing'}")


@commands.verb("label")
def label(who: Owner, thing: Gadget, word: str, words: str) -> None:
    """Label a thing."""
    who.write(f"{thing.name}: {word}: {words}")


def answer(line: str) -> str:
    who = Owner()
    commands.run(who, line)
    (text,) = who.heard
    return text


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("sword", ["rusty sword"]),
        ("SWO", ["rusty sword"]),
        ("2.sword", ["sword"]),
        ("weapon", ["sword"]),
        ("9.sword", []),
        ("0.sword", []),
        ("all.coin", ["gold coin", "silver coin"]),
        ("all.sil co", ["silver coin"]),
        ('"gold coin"', ["gold coin"]),
        ("coin gold", ["gold coin"]),
        ("old", []),
        ("99999999.sword", []),
    ],
)
def test_words_mean_things(words: str, names: list[str]) -> None:
    assert [thing.name for thing in find(words, Owner().in_reach())] == names


def test_all_means_everything() -> None:
    assert find("all", Owner().in_reach()) != []
    assert len(find("all", Owner().in_reach())) == len(Owner().in_reach())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("examine lamp", "brass lamp, carried"),
        ("examine 2.lamp", "brass lamp"),
        ("examine lantern", "brass lamp"),
        ("examine my lamp", "brass lamp, carried"),
        ("examine my coin", 'You have no "coin".'),
        ("examine lmap", 'You see no "lmap" here. Did you mean lamp?'),
        ("examine zzz", 'You see no "zzz" here.'),
        ("examine all", "One at a time, please."),
        ("examine all.coin", "One at a time, please."),
        ("wield 2.sword", "sword"),
        ("wield lamp", "You cannot do that with brass lamp."),
        ("take all.coin", "gold coin, silver coin"),
        ("take coin", "gold coin"),
        ("sharpen all", "rusty sword, sword"),
        ("sharpen coin", "You cannot do that with gold coin."),
        ("put all.coin in box", "gold coin, silver coin -> oak box"),
        ("put my lamp INTO oak box", "brass lamp -> oak box"),
        ('put "sword in the stone" in box', "sword in the stone -> oak box"),
        ("put \u201csword in the stone\u201d in box", "sword in the stone -> oak box"),
        ("put coin", "Usage: put THINGS in BOX"),
        ("put coin in", "Usage: put THINGS in BOX"),
        ("put in box", "Usage: put THINGS in BOX"),
        ("put coin in lamp", "You cannot do that with brass lamp."),
        ("look", "around through nothing"),
        ("look at coin", "gold coin through nothing"),
        ("look coin", "gold coin through nothing"),
        ("look at silver coin through brass lamp", "silver coin through brass lamp"),
        ("look coin with lamp", "gold coin through brass lamp"),
        ('label "gold coin" mine for "good', 'gold coin: mine: for "good'),
        ('label coin "very old" do not touch', "gold coin: very old: do not touch"),
        ("label coin", "Usage: label THING WORD WORDS"),
    ],
)
def test_a_line_means_things(line: str, said: str) -> None:
    assert answer(line) == said


def test_a_converter_without_a_kind_serves_only_its_class() -> None:
    table = Commands[Owner]()
    table.converter(Gadget)(lambda who, words: Gadget(words))

    @table.verb("wield")
    def wield(who: Owner, blade: Blade) -> None: ...

    with pytest.raises(TypeError, match="no converter makes"):
        table.check()


def test_a_preposition_is_a_word() -> None:
    for words in ((), ("on top",), ("",)):
        with pytest.raises(ValueError, match="name one word or several"):
            Preposition(*words)


def test_the_many_are_one_at_least() -> None:
    with pytest.raises(Mistake, match=r'You see no "all\.zebra" here\.'):
        the_many(Owner(), "all.zebra", Gadget)
