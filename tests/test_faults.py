"""The page of faults cannot lie: every row is there, and every test that it names."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from .faults import CHAPTERS, CHECKOUT, PAGE, Fault, read, render

FAULTS = read()
COUNTS = {"N": 40, "P": 28, "A": 22, "U": 16, "S": 12, "O": 15, "D": 15, "K": 15, "W": 14}
NOT_YET = {"O6", "O9"}


@cache
def functions_in(file: str) -> set[str]:
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def test_every_row_is_there_once_and_in_order() -> None:
    rows = [f"{letter}{number}" for letter in CHAPTERS for number in range(1, COUNTS[letter] + 1)]
    assert [fault.row for fault in FAULTS] == rows
    assert len(rows) == 177


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.row)
def test_every_test_of_a_row_is_one_that_pytest_collects(fault: Fault) -> None:
    tests = [*fault.tests, *fault.real]
    for test in tests:
        file, _, name = test.partition("::")
        assert file.startswith("tests/"), test
        assert Path(file).match("test_*.py"), test
        assert name.startswith("test_"), test
        assert name in functions_in(file), test
    assert len(set(tests)) == len(tests)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.row)
def test_a_row_is_proved_or_says_that_it_is_not(fault: Fault) -> None:
    assert fault.is_met == (fault.row not in NOT_YET)
    assert fault.tests or fault.real or not fault.is_met


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.row)
def test_a_row_is_told_in_sentences(fault: Fault) -> None:
    assert fault.title.isprintable()
    assert not fault.title.endswith(".")
    assert fault.expected.endswith(".")
    assert not fault.note.endswith(".")


def test_the_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(FAULTS), "python tests/faults.py --write makes it again"
