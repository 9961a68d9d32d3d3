"""Rewrite a copy of a package so that mutmut sees all of it: it leaves functions with a decorator alone.

A property becomes a method that is made one by a statement behind it, which means the same.
`enable_ki_protection` is left out: without it only Ctrl-C is another, and the tests of that are not selected.

    python tests/mutation/undecorate.py COPY/trio_mud/driver
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path


def undecorated(source: str) -> str:
    """The same module, with its properties and protected functions written without their decorators."""
    lines: list[str | None] = [*source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        match [ast.unparse(decorator) for decorator in node.decorator_list]:
            case ["property"]:
                assert node.end_lineno is not None
                last = node.end_lineno - 1
                lines[last] = f"{lines[last]}\n{' ' * node.col_offset}{node.name} = property({node.name})"
            case ["enable_ki_protection"]:
                pass
            case _:
                continue
        lines[node.decorator_list[0].lineno - 1] = None
    return "\n".join(line for line in lines if line is not None) + "\n"


if __name__ == "__main__":
    for path in Path(sys.argv[1]).rglob("*.py"):
        path.write_text(undecorated(path.read_text()))
