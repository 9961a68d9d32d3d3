"""The error that ends a process, in one line."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.program.last_words import sentence_of
from trio_mud.program.loading import GameBroken, find_game


def raised(code: str, path: Path) -> BaseException:
    """Return the error that code of a game raises."""
    try:
        exec(compile(textwrap.dedent(code), str(path), "exec"), {})
    except Exception as error:  # noqa: BLE001 - it is the result
        return error
    raise AssertionError("it raised nothing")


def test_the_place_is_the_last_one_in_the_game_and_not_in_a_library(tmp_path: Path) -> None:
    error = raised(
        """
        import json
        def load():
            json.loads("{")
        load()
        """,
        tmp_path / "game.py",
    )
    assert sentence_of(error) == (
        "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) "
        f"({tmp_path}/game.py, line 4, in load)"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigurationError("a certificate is missing"), "a certificate is missing"),
        (RuntimeError("two\nlines \x1b[2J"), r"RuntimeError: two lines \x1b[2J"),
        (ExceptionGroup("a nursery", [ValueError(1)]), "ValueError: 1"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line(error: BaseException, text: str) -> None:
    assert sentence_of(error) == text


def test_a_game_that_cannot_be_imported_is_named_by_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "misspelt.py").write_text("def broken(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(GameBroken) as caught:
        find_game("misspelt:hooks")
    assert sentence_of(caught.value) == "SyntaxError: invalid syntax (misspelt.py, line 1)"
