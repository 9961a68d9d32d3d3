"""Each row of the page of protocols has its tests on the page beside it, and no option is missing."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from trio_mud.telnet import DEFAULT_OPTIONS, Option
from trio_mud.telnet.options import Msp, Mssp, Mxp

from .pages import CHECKOUT, page

PAGE = "reference/protocols.md"
TESTS = "project/protocol-tests.md"
SPOKEN = page(PAGE).split("\n## Real programs\n")[0]
MET = page(PAGE).split("\n## Real programs\n")[1].split("\n## ")[0]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page(TESTS))))
OPTIONS: tuple[Option, ...] = (*DEFAULT_OPTIONS, Mssp(dict), Mxp(), Msp())


@cache
def functions_in(file: str) -> set[str]:
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| P")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_the_page_names_exists(file: str, test: str) -> None:
    assert test in functions_in(file)


def test_the_page_names_tests_in_no_other_form() -> None:
    assert page(TESTS).count("::") == len(re.findall(r"`tests/[\w/]+\.py::\w+`", page(TESTS))) > 40


def test_every_protocol_has_a_test() -> None:
    proved = rows(page(TESTS))
    assert [row[0] for row in rows(SPOKEN)] == [row[0] for row in proved]
    assert [row[0] for row in proved if "::" not in row[-1]] == []


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: type(option).__name__)
def test_every_option_has_its_row_and_says_whether_it_is_default(option: Option) -> None:
    (row,) = [row for row in rows(SPOKEN) if f"({option.code})" in row[0] and "refused" not in row[1]]
    wanted = "for games that want it" == row[1]
    assert wanted == (option.code in (Mxp.code, Msp.code))


def test_the_programs_are_those_of_the_interop_session() -> None:
    source = (CHECKOUT / "tests/interop/test_clients.py").read_text(encoding="utf-8")
    known = set(re.findall(r'^    "([\w-]+)": (?:Program|tintin)\(', source, re.M))
    shown = set(re.findall(r"^\| [^|]*\(`([\w-]+)`\) \|", MET, re.M))
    assert shown == {name for name in known if not any(name.startswith(f"{other}-") for other in known)}


def test_every_table_is_whole() -> None:
    for part in re.split(r"\n## ", page(PAGE)):
        assert len({line.count(" | ") for line in part.splitlines() if line.startswith("| ")}) <= 1
