"""The table of the tests that are about a server in one process, made from their marks.

    python -m tests.one_process            report whether the page is out of date
    python -m tests.one_process --write    bring it up to date

Used by `tests/cluster/test_one_process.py`, which compares.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "project" / "cluster.md"
BEGIN, END = "<!-- one process: begin -->\n", "<!-- one process: end -->\n"


def marked() -> Iterator[tuple[str, str]]:
    """Yield the reason and the test of each mark; a mark of a whole module names the module."""
    for path in sorted(TESTS.rglob("test_*.py")):
        where = path.relative_to(TESTS).as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                yield from ((reason, where) for reason in _reasons([node.value]))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from ((reason, f"{where}::{node.name}") for reason in _reasons(node.decorator_list))


def _reasons(marks: list[ast.expr]) -> Iterator[str]:
    for mark in marks:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.one_process":
            yield ast.literal_eval(mark.args[0])


def table() -> str:
    """Return the table as it belongs on the page."""
    by_reason = defaultdict(list)
    for reason, test in marked():
        by_reason[reason].append(test)
    rows = [
        f"| {reason} | {'<br>'.join(f'`{test}`' for test in tests)} |" for reason, tests in sorted(by_reason.items())
    ]
    return "\n".join(["", "| the test … | tests |", "|---|---|", *rows, ""]) + "\n"


def renewed(page: str) -> str:
    """Return the page with the current table."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    if renewed(page) == page:
        return
    if "--write" not in sys.argv[1:]:
        sys.exit(f"{PAGE} is out of date: python -m tests.one_process --write")
    PAGE.write_text(renewed(page), encoding="utf-8")


if __name__ == "__main__":
    main()
