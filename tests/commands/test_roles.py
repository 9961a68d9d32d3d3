"""Verbs that exist only for some roles."""

from __future__ import annotations

import pytest

from trio_mud.commands import Commands, Mistake, Role


class Person:
    """An actor with a role."""

    def __init__(self, role: int) -> None:
        self.role = role
        self.heard: list[str] = []

    def write(self, text: str) -> None:
        self.heard.append(text)


def role_of(who: Person) -> int:
    return who.role


def made() -> Commands[Person]:
    players, table = Commands[Person](help_verbs=()), Commands[Person](role_of=role_of)
    table.include(players)

    @players.verb("shout")
    def shout(who: Person, words: str) -> None:
        """Shout."""
        who.write("shouted")

    @table.verb("shout", role=Role.ADMIN)
    def proclaim(who: Person, words: str) -> None:
        """Proclaim."""
        who.write("proclaimed")

    @table.verb("banish", "%", role=Role.ADMIN)
    def banish(who: Person) -> None:
        """Banish all."""
        who.write("banished")

    return table


def answer(role: int, line: str) -> str:
    who = Person(role)
    made().run(who, line)
    return "\n".join(who.heard)


@pytest.mark.parametrize("line", ["banish", "ban", "%", "help banish", "BANISH", "banisch"])
def test_a_verb_does_not_exist_for_lower_roles(line: str) -> None:
    known, unknown = answer(Role.BUILDER, line), answer(Role.BUILDER, line.replace("ban", "xyz").replace("BAN", "XYZ"))
    word = line.removeprefix("help ")
    assert known == unknown.replace("xyz", "ban").replace("XYZ", "BAN") == f'There is no command "{word}".'


@pytest.mark.parametrize("line", ["banish", "ban", "%"])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER, 35])
def test_it_exists_for_its_role_and_higher_ones(role: int, line: str) -> None:
    assert answer(role, line) == "banished"


def test_help_lists_the_verbs_of_the_role() -> None:
    assert "banish" in answer(Role.ADMIN, "help")
    assert "banish" not in answer(Role.PLAYER, "help")
    assert "Proclaim." in answer(Role.ADMIN, "help")
    assert "Shout." in answer(Role.PLAYER, "help")


def test_a_verb_of_two_tables_is_the_first_that_the_role_may_use() -> None:
    assert answer(Role.ADMIN, "shout hi") == "proclaimed"
    assert answer(Role.PLAYER, "shout hi") == "shouted"


def test_a_role_is_looked_up_for_each_line() -> None:
    table, who = made(), Person(Role.ADMIN)
    table.run(who, "banish")
    who.role = Role.PLAYER
    table.run(who, "banish")
    assert who.heard[0] == "banished"
    assert who.heard[1].startswith("There is no command")


def test_without_an_actor_only_verbs_for_all_exist() -> None:
    with pytest.raises(Mistake):
        made().find("banish")
    assert made().find("shout hi")[0].summary == "Shout."


def test_a_role_needs_a_table_that_knows_roles() -> None:
    table = Commands[Person]()

    @table.verb("banish", role=Role.ADMIN)
    def banish(who: Person) -> None: ...

    with pytest.raises(TypeError, match=r"'banish' needs a role: write Commands\(role_of=…\)"):
        table.check()
    who = Person(Role.OWNER)
    table.run(who, "banish")
    assert who.heard == ['There is no command "banish".']


def test_a_misspelt_verb_is_answered_with_a_likely_one() -> None:
    assert answer(Role.PLAYER, "shuot hi") == 'There is no command "shuot". Did you mean shout?'
    assert answer(Role.PLAYER, "shuot" * 100).endswith('".')


def test_a_table_returns_the_role_of_an_actor() -> None:
    assert made().role_of(Person(30)) == 30
    assert Commands[Person]().role_of(Person(30)) == 0
