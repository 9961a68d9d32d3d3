"""MODULE:NAME: what it loads, and the errors for names that cannot be loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trio_mud.driver.core.hooks import Hooks
from trio_mud.errors import ConfigurationError
from trio_mud.program.loading import GameBroken, find_game

TAVERN = "from trio_mud.driver.core.hooks import Hooks\nhooks = Hooks()\n"

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module into the current directory; it is forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


def complaint(name: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        find_game(name)
    return str(caught.value)


def test_a_registry_in_the_current_directory_is_found(write: Write) -> None:
    write("tavern.py", TAVERN)

    assert find_game("tavern:hooks") is sys.modules["tavern"].hooks


def test_a_function_is_called_for_its_registry(write: Write) -> None:
    write("tavern.py", TAVERN + "def make():\n    return hooks\n")

    assert find_game("tavern:make") is sys.modules["tavern"].hooks


def test_a_module_may_lie_in_a_package(write: Write) -> None:
    write("inn/__init__.py", "")
    write("inn/tavern.py", TAVERN)

    assert isinstance(find_game("inn.tavern:hooks"), Hooks)


@pytest.mark.parametrize("name", ["tavern", "tavern:", ":hooks", ""])
def test_half_a_name_is_answered_with_the_form(name: str) -> None:
    assert complaint(name) == f"game {name!r}: write MODULE:NAME, such as tavern:hooks"


@pytest.mark.parametrize(
    ("path", "form"), [("tavern.py", "tavern:hooks"), ("./inn/tavern.py:make", "inn.tavern:make"), ("a/b", "a.b:hooks")]
)
def test_a_path_is_answered_with_the_name_it_means(path: str, form: str) -> None:
    assert complaint(path) == f"game {path!r} is a path: write {form}"


@pytest.mark.parametrize("module", ["tavrn", "inn.tavrn", "tavrn.inn"])
def test_a_module_that_is_not_there_is_named(write: Write, module: str) -> None:
    write("inn/__init__.py", "")

    missing = "tavrn" if module.startswith("tavrn") else module
    assert complaint(f"{module}:hooks").startswith(f"there is no module {missing!r} in {Path.cwd()} ")


def test_a_name_that_is_not_there_is_answered_with_the_nearest(write: Write) -> None:
    write("tavern.py", TAVERN)

    assert complaint("tavern:hoks") == "tavern has no 'hoks'; did you mean 'hooks'?"


def test_something_else_than_hooks_is_named_by_its_type(write: Write) -> None:
    write("tavern.py", "hooks = {}\ndef make():\n    return 5\n")

    assert complaint("tavern:hooks") == "tavern:hooks is a dict, not a Hooks, a Game nor a function that returns one"
    assert (
        complaint("tavern:make") == "tavern:make returned an int (5), not a Hooks: end the function by `return hooks`"
    )


def test_a_function_that_takes_arguments_is_no_game_and_is_named_with_its_place(write: Write) -> None:
    """K11: calling it would raise a TypeError without a line of the author's."""
    write(
        "tavern.py",
        TAVERN + "def turn(event, world=None):\n    return hooks\nclass Inn:\n    def __init__(self, world): 0\n",
    )

    assert complaint("tavern:turn") == (
        f"tavern:turn is turn at {Path('tavern.py').absolute()}:3, which takes arguments (event, world=None): "
        "name a Hooks, a Game, or a function without arguments that returns one; did you mean tavern:hooks?"
    )
    assert "which takes arguments (world): name a Hooks" in complaint("tavern:Inn")


def test_a_module_with_a_game_and_its_hooks_is_suggested_by_the_game(write: Write) -> None:
    stored = "from trio_mud.world import Game\nrooms = {}\ngame = Game(hooks)\n"
    write("inn.py", TAVERN + stored)
    assert complaint("inn:rooms").endswith("; did you mean inn:game?")


def test_the_class_is_no_game(write: Write) -> None:
    """It can be called without arguments, and the game would have no functions."""
    write("tavern.py", TAVERN)

    assert complaint("tavern:Hooks").endswith("and name that; did you mean tavern:hooks?")


def test_a_module_that_starts_its_game_as_it_is_imported_is_refused(write: Write) -> None:
    """K11: it would be served from within the import, and again after that."""
    write("tavern.py", TAVERN + "from trio_mud import run\nrun(hooks, port=-1)\n")

    with pytest.raises(GameBroken, match="module tavern is imported: write it below `if") as caught:
        find_game("tavern:hooks")
    assert "tavern.py" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "last_line"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import mising", "ModuleNotFoundError: No module named 'mising'"),
        ("import tavern.cellar", "ModuleNotFoundError: No module named 'tavern.cellar'; 'tavern' is not a package"),
        ("def hooks():\n    raise KeyError('cellar')", "KeyError: 'cellar'"),
    ],
)
def test_a_failure_of_the_games_own_code_keeps_its_traceback_and_no_other(
    write: Write, text: str, last_line: str
) -> None:
    write("tavern.py", text)

    with pytest.raises(GameBroken) as caught:
        find_game("tavern:hooks")

    lines = str(caught.value).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "tavern.py" in lines[1]
    assert lines[-1] == last_line


def test_a_module_that_is_no_python_is_told_by_line(write: Write) -> None:
    write("tavern.py", "hooks = = 5")

    with pytest.raises(GameBroken, match=r'tavern\.py", line 1'):
        find_game("tavern:hooks")


def test_a_wrong_file_that_a_game_reads_is_named_without_a_traceback(write: Write) -> None:
    write(
        "lore.py",
        "from pathlib import Path\n"
        "from trio_mud.mudlib.topics import read_topics\n"
        "Path('help').mkdir()\n"
        "Path('help/geese.txt').touch()\n"
        "read_topics(Path('help'))\n",
    )
    with pytest.raises(ConfigurationError) as caught:
        find_game("lore:hooks")
    assert str(caught.value) == "geese.txt: write a title in the first line, and the text below it"
