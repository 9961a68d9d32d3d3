"""The page on configuration: its example has every setting, and its quotations are what the program says."""

from __future__ import annotations

import logging
import re
import shutil
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.program.effective import decode, find_configuration
from trio_mud.program.renewal import take_over
from trio_mud.program.settings import SETTINGS
from trio_mud.program.sources import OptionText

from .pages import DOCS, page

PAGE = page("howto/configure.md")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DOCS / "howto/tavern.toml", tmp_path)
    monkeypatch.chdir(tmp_path)


def every_setting() -> str:
    found = re.search(r"<!-- settings: all -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def keys_of(text: str) -> list[str]:
    table = tomllib.loads(text)
    return [
        key
        for name, value in table.items()
        for key in ([f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name])
    ]


def test_the_example_has_every_setting_with_its_default() -> None:
    text = every_setting()
    uncommented = re.sub(r"(?m)^#(?! )", "", text)

    assert keys_of(uncommented) == list(SETTINGS)
    assert decode(tomllib.loads(text), "example") == decode({}, "nothing")
    decode(tomllib.loads(uncommented), "example")


def test_every_setting_but_texts_that_explain_themselves_has_a_comment() -> None:
    lines = every_setting().splitlines()
    bare = [
        line
        for above, line in pairwise(lines)
        if "=" in line and not line.startswith("# ") and not above.startswith("# ")
    ]
    assert bare == []


def test_the_short_example_is_a_configuration() -> None:
    found = find_configuration(Path("tavern.toml"), (), {})

    assert found.source("tls_port") == "tavern.toml:3"
    assert found.configuration.limits.first_input_timeout is None


@pytest.mark.parametrize("line", re.findall(r"^trio-mud: (.*)$", PAGE, re.MULTILINE))
def test_each_quoted_error_is_that_of_the_program(line: str) -> None:
    Path("tavern.toml").write_text("# a comment\nprot = 4000\n", encoding="utf-8")
    calls = {
        "tavern.toml": lambda: find_configuration(Path("tavern.toml"), (), {}),
        "TRIO_MUD_PORT": lambda: find_configuration(None, (), {"TRIO_MUD_PORT": "x"}),
        "--set": lambda: find_configuration(None, [OptionText("limits.max_line", "--set", "0")], {}),
    }
    with pytest.raises(ConfigurationError) as caught:
        calls[line.partition(":")[0]]()
    assert str(caught.value) == line


@pytest.mark.parametrize("variable", re.findall(r"\| `(TRIO_MUD_\w+=[^`]+)` \|", PAGE))
def test_each_variable_of_the_table_is_accepted(variable: str) -> None:
    name, _, value = variable.partition("=")
    key = next(key for key, setting in SETTINGS.items() if setting.variable == name)

    assert find_configuration(None, (), {name: value.strip('"')}).value(key) != SETTINGS[key].default


def test_a_change_that_needs_a_restart_is_logged_as_quoted(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    level, file = root.level, Path("tavern.toml")
    running = find_configuration(file, (), {})
    file.write_text(file.read_text(encoding="utf-8").replace("4443", "4444"), encoding="utf-8")
    try:
        take_over(find_configuration(file, (), {}), running)
    finally:
        root.setLevel(level)
    (line,) = caplog.messages
    assert f"\n{line}\n" in PAGE
