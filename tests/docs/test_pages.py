"""The pages are true: their tables are complete, their numbers correct, and all their code is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from trio_mud import Cause, Limits, Rate, Reason
from trio_mud.limits import may_be_switched_off
from trio_mud.testing import WebPlayer

from .pages import CHECKOUT, DOCS, LESSONS, page

FOLDERS = [*LESSONS, DOCS / "topics"]
PAGES = sorted(path for folder in FOLDERS for path in folder.glob("*.md"))
RULES = [f"S{number}" for number in range(1, 16)]


def rows(name: str) -> Iterator[list[str]]:
    """The cells of every line of every table on a page, without the code marks."""
    for line in page(name).splitlines():
        if line.startswith("| "):
            yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


# Form


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_one_sentence_a_line(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    assert [line for line in lines if re.search(r"[a-z`)*][.?!][\"*]? [A-Z`]", line)] == []


# Linkdeath versus quit


def test_every_cause_stands_in_the_table_with_its_reason() -> None:
    shown = [row[:2] for row in rows("topics/linkdeath-and-quit.md") if row[1] in Cause.__members__]
    assert sorted(shown) == sorted([cause.reason.name, cause.name] for cause in Cause)


def test_every_way_to_be_refused_stands_on_the_page_about_refusing() -> None:
    known = {cause.name for cause in Cause if cause.reason is Reason.REFUSED}
    assert known == {row[0] for row in rows("howto/refuse-a-connection.md")} & set(Cause.__members__)


# Bounds


@pytest.mark.parametrize("field", fields(Limits), ids=lambda field: field.name)
def test_every_limit_is_on_the_page_of_bounds_with_its_default(field: object) -> None:
    name: str = field.name  # type: ignore[attr-defined]
    (row,) = [row for row in rows("topics/bounds.md") if row[0] == name]
    default = getattr(Limits(), name)
    shown = f"{default.per_second} a second, burst {default.burst}" if isinstance(default, Rate) else str(default)
    if isinstance(default, float):
        shown = f"{default:g}"
    assert row[1].split(" ")[0] == shown or row[1] == shown


def test_the_page_of_bounds_names_what_cannot_be_switched_off() -> None:
    (sentence,) = re.findall(r"^Those without which .* take no `None`: (.*)\.$", page("topics/bounds.md"), re.M)
    named = set(re.findall(r"`(\w+)`", sentence))
    assert named == {field.name for field in fields(Limits) if not may_be_switched_off(field.name)}


def test_every_cause_among_the_bounds_exists() -> None:
    last_cells = [row[-1] for row in rows("topics/bounds.md")]
    assert set(re.findall(r"[A-Z_]{3,}", " ".join(last_cells))) <= set(Cause.__members__)


# The test kit


def test_a_player_can_do_all_that_the_page_says() -> None:
    shown = re.findall(r"`(?:await )?player\.(\w+)\(", page("howto/test-with-virtual-time.md"))
    assert len(shown) > 10
    assert [name for name in shown if not hasattr(WebPlayer, name)] == []


# The rules of 2004


def contract_tests() -> set[str]:
    tree = ast.parse((CHECKOUT / "tests/driver/test_contract.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def test_every_rule_has_its_row_and_only_tests_that_exist() -> None:
    shown = {row[0]: set(re.findall(r"test_\w+", row[1])) for row in rows("project/contract.md") if row[0]}
    for rule in RULES:
        prefix = f"test_{rule.lower()}_"
        assert shown[rule] == {name for name in contract_tests() if name.startswith(prefix)}, rule
    assert set(RULES) == set(shown) & set(RULES)
    assert set(RULES) <= {row[0] for row in rows("topics/the-rules-of-2004.md")}
