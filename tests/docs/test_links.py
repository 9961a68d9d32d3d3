"""Every link of a page leads to a file and a heading that exist, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from .generated import pages
from .pages import CHECKOUT

LINK = re.compile(r"!?\[[^]]*\]\(<?([^)\s>]+)>?\)")


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^(```+).*?^\1$", "", text))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#{1,6} (.+)$", re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@cache
def functions_in(file: str) -> set[str]:
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def broken(path: Path, target: str) -> bool:
    if target.startswith(("https://", "mailto:")):
        return False
    file, _, anchor = target.partition("#")
    found = (path.parent / file).resolve() if file else path
    if not found.is_relative_to(CHECKOUT) or not found.exists():
        return True
    return bool(anchor) and anchor not in anchors(found)


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    targets = LINK.findall(without_code(path.read_text(encoding="utf-8")))
    assert [target for target in targets if broken(path, target)] == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_test_that_a_page_names_exists(path: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", path.read_text(encoding="utf-8"))
    assert [file for file, _ in named if not (CHECKOUT / file).exists()] == []
    assert [name for file, name in named if name and name not in functions_in(file)] == []


@pytest.mark.parametrize("target", ["gone.md", "index.md#no-such-heading", "../../etc", "http://example.org"])
def test_a_broken_link_is_found(target: str) -> None:
    assert broken(CHECKOUT / "docs" / "index.md", target)
