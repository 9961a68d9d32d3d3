"""The verbs in another language, and the bounds of a game."""

from __future__ import annotations

import pytest

from trio_mud.commands import Commands, Role
from trio_mud.storage import Memory, inline
from trio_mud.world import Container, Game, Room
from trio_mud.world.building import BuildingOptions, BuildingPhrases, add_building
from trio_mud.world.building.export import export

from .site import Mason, game, hooks


class Scribe(Mason):
    """Remembers what it reads."""

    def write(self, text: object, /) -> bool:
        self.name = f"{self.name}|{text}"
        return True

    @property
    def read(self) -> list[str]:
        return self.name.split("|")[1:]


class Hall(Room):
    """A class of rooms."""

    echo: int = 3


GERMAN = BuildingPhrases(
    here="hier",
    to="nach",
    back="zurück",
    nowhere="nirgends",
    opposites="nord-süd",
    dug="{way}: {room} ({key}).",
    joined="Verbunden.",
    closed="Zu.",
    closed_others="",
    dug_others="",
    no_way_back="Und zurück?",
    undone="Rückgängig: {act}",
)


async def test_all_words_and_sentences_can_be_replaced() -> None:
    commands = Commands[Scribe](role_of=lambda who: Role.BUILDER)
    add_building(commands, room=Hall, phrases=GERMAN)
    commands.check()
    async with game.open(Memory(), executor=inline) as (_, world):
        ann = world.add(Scribe(name="Ann", place=world.start), stored=False)
        for line in (
            "dig nord Die Höhle",
            "dig west Die Grube",
            "dig west Die Grube zurück nirgends",
            "dig süd nach die-höhle",
            "undo",
            "dig nord nirgends",
            "describe hier Dunkel.",
        ):
            commands.run(ann, line)
        assert ann.read[:-1] == [
            "nord: Die Höhle (die-höhle).",
            "Und zurück?",
            "west: Die Grube (die-grube).",
            "Verbunden.",
            "Rückgängig: dig süd nach die-höhle",
            "Zu.",
        ]
        assert world.get(Hall, "die-höhle").exits == {}
        assert '[rooms."die-höhle"]\nclass = "hall"\n' in export(world)


async def test_the_bounds_are_those_of_the_game() -> None:
    commands = Commands[Scribe](role_of=lambda who: Role.BUILDER)
    add_building(commands, options=BuildingOptions(max_undo=1, max_shown=10, max_name=3))
    async with game.open(Memory(), executor=inline) as (_, world):
        ann = world.add(Scribe(name="Ann", place=world.start), stored=False)
        for line in ("dig east Cave", "dig east Den", "describe here X", "undo", "undo"):
            commands.run(ann, line)
        answer = commands.run(ann, "export")
        assert answer is not None
        await answer
        answer = commands.run(ann, "export x")
        assert answer is not None
        await answer
        assert [text[:24] for text in ann.read] == [
            "That is too long: name h",
            'You dig east to "Den", w',
            "The Yard has a new descr",
            "Undone: describe yard",
            "There is nothing of your",
            "That is too long to be r",
            "This game names no folde",
        ]


def test_a_table_without_roles_is_refused() -> None:
    commands = Commands[Mason]()
    add_building(commands)
    with pytest.raises(TypeError, match=r"needs a role: write Commands\(role_of=…\)"):
        commands.check()


async def test_without_a_map_nothing_can_fall_anywhere() -> None:
    commands = Commands[Scribe](role_of=lambda who: Role.BUILDER)
    add_building(commands)
    async with Game(hooks, records=(Container,)).open(Memory(), executor=inline) as (_, world):
        hut = world.add(Room(name="Hut"))
        ann = world.add(Scribe(name="Ann", place=hut), stored=False)
        commands.run(ann, "dig east The Cave")
        commands.run(ann, "unmake the-cave")
        assert ann.read[1] == "The map has no room where the contents could go."
