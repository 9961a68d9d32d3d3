"""Plain technical English in docstrings and pages: habits that slow a reader down are counted.

The test counts them in the docstrings of the package and of the tests, in the README and in the pages.
Code is removed first. The bundled world and the tutorial are exempt, because they narrate.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from . import generated
from .pages import CHECKOUT, DOCS

MOST = 2.5  # of each in 10,000 words
SHOWN = 12  # files that a failure names

PATTERNS = {
    # A clause in the subject's place: the reader learns at the verb which thing the sentence is about.
    "clause as subject": re.compile(
        r"(?:^|(?<=[.!?:])\s+)(?:What|Who|Whoever|Whatever|Whichever|Where|Wherever)\b(?!'s)[^.!?]*[.!](?:\s|$)", re.M
    ),
    "nobody, somebody, anybody": re.compile(r"\b(?:no|some|any)body\b", re.I),
    "tell, told": re.compile(r"\b(?:tells?|told)\b", re.I),
    "anew, no more, so many": re.compile(r"\b(?:anew|no more|so many)\b", re.I),
}


def docstrings(path: Path) -> Iterator[str]:
    """Yield every docstring of a module, without its literal blocks."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                # An indented paragraph of a docstring is code, or a drawing; under a heading (`Args:`) it is prose.
                yield re.sub(r"(?m)(?<=\n\n)(?: {4,}.*\n?)+", "", text)


def prose(path: Path) -> str:
    """Return a page without code, copied docstrings, headings and addresses, with each table cell on its own line."""
    text = generated.BLOCK.sub("", path.read_text(encoding="utf-8"))
    text = re.sub(r"(?ms)^(```+|~~~+|:::+).*?^\1$", "", text)
    text = re.sub(r"(?m)^(?:#.*|\|[-| :]+\|)$|<!--.*?-->", "", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"(?m)^\|.*\|$", lambda row: row[0].strip("| ").replace(" | ", "\n"), text)


@cache
def texts() -> dict[str, str]:
    """Return the texts to be counted, by file."""
    modules = [path for folder in ("trio_mud", "tests") for path in (CHECKOUT / folder).rglob("*.py")]
    written = {path: "\n\n".join(docstrings(path)) for path in modules if "trio_mud/mudlib" not in path.as_posix()}
    pages = [path for path in DOCS.rglob("*.md") if not {"tutorial", "_build"} & set(path.relative_to(DOCS).parts)]
    written |= {path: prose(path) for path in [CHECKOUT / "README.md", *pages]}
    return {
        path.relative_to(CHECKOUT).as_posix(): re.sub(r"`+[^`]*`+", "`", text) for path, text in written.items() if text
    }


def count(name: str) -> dict[str, list[str]]:
    """Return the matches of a pattern by file, the file with the most matches first."""
    found = {file: [match.group().strip() for match in PATTERNS[name].finditer(text)] for file, text in texts().items()}
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


@pytest.mark.parametrize("name", PATTERNS)
def test_what_people_read_is_plain_english(name: str) -> None:
    words = sum(len(text.split()) for text in texts().values())
    found = count(name)
    rate = sum(map(len, found.values())) * 10_000 / words
    worst = [f"{len(hits):4} {file}: {hits[0][:60]!r}" for file, hits in found.items() if hits][:SHOWN]
    assert rate <= MOST, "\n".join([f"{name}: {rate:.1f} in 10,000 words, at most {MOST}", *worst])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clause as subject", "It ends.\nWhoever may hold up a source waits."),
        ("clause as subject", "It ends. What it holds is lost."),
        ("nobody, somebody, anybody", "Nobody waits."),
        ("tell, told", "The peer is told."),
        ("anew, no more, so many", "It reads no more."),
    ],
)
def test_each_of_them_is_found(name: str, text: str) -> None:
    assert PATTERNS[name].search(text)


@pytest.mark.parametrize("text", ["What is lost? Nothing.", "Return what was read.", "`tell` is a verb."])
def test_a_question_and_a_clause_behind_the_verb_are_plain(text: str) -> None:
    text = re.sub(r"`+[^`]*`+", "`", text)
    assert not any(pattern.search(text) for pattern in PATTERNS.values())
