"""The copied parts of pages are what they were copied from, and no page shows code that nothing runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.replacing import skip_if_compiled
from trio_mud.testing import Player

from . import generated
from .pages import CHECKOUT, DOCS, LESSONS, PROGRAMS, page

PAGES = generated.pages()
# Pages whose code is all copied. The others quote a line of a game or of the driver where they speak of it.
SHOWING = [CHECKOUT / "README.md", *(path for folder in LESSONS for path in sorted(folder.glob("*.md")))]


def named(path: Path) -> str:
    return path.relative_to(CHECKOUT).with_suffix("").as_posix()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_the_copies_on_a_page_are_up_to_date(path: Path) -> None:
    """Bring them up to date by `python -m tests.docs.generated --write`, which reads the sources of a page."""
    for module in generated.documented(path):
        skip_if_compiled(module)
    assert path.read_text(encoding="utf-8") == generated.render(path)


@pytest.mark.parametrize("path", SHOWING, ids=named)
def test_all_python_on_a_page_comes_from_a_program(path: Path) -> None:
    text = generated.BLOCK.sub("", path.read_text(encoding="utf-8"))
    assert re.findall(r"^```\s*(py\w*|{\w+\S*})", text, re.M) in ([], ["{toctree}"])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_is_shown_on_a_page_beside_it(path: Path) -> None:
    assert any(path in generated.copied_programs(beside) for beside in path.parent.glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_reads_well_as_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "literalinclude" not in text
    assert re.findall(r"{(?:term|doc|func|class|ref|meth)}`", text) == []


def test_a_part_of_a_program_is_cut_at_its_marks() -> None:
    program = DOCS / "howto" / "hooks_at_work.py"
    for argument, first, last in (
        ('hooks_at_work.py, from "# own event" to "# failing"', "@dataclass(frozen=True)", None),
        ("hooks_at_work.py, function think", "async def think() -> str:", '    return "perhaps"  # noqa'),
    ):
        lines = generated._code(program, argument).splitlines()
        assert lines[0] == "```python"
        assert lines[1].startswith(first[:5])
        assert last is None or lines[-2].startswith(last[:10])


def test_a_member_stands_in_the_table_of_its_own_class_only() -> None:
    class Base:
        """Is listed elsewhere."""

        def speak(self) -> None:
            """Say something."""

        def move(self) -> None:
            """Go somewhere."""

    class Derived(Base):
        """Adds an attribute.

        Attributes:
            speed: Of moving.
        """

        def move(self) -> None:
            """Go somewhere fast."""

    for cls in (Base, Derived):
        cls.__module__ = "trio_mud.example"
    assert list(generated.members(Derived, listed={Base, Derived})) == [
        ("speed", "Of moving."),
        ("move()", "Go somewhere fast."),
    ]
    assert "speak()" in dict(generated.members(Derived))


def test_every_method_of_a_player_stands_on_the_page_of_the_test_kit() -> None:
    shown = page("reference/testing.md")
    public = [name for name in vars(Player) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"^\| `(?:await )?{name}\b", shown, re.M)] == []
