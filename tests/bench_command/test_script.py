"""The script of a player: valid values, and the error for each invalid one."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.bench.script import LoadScript, LoadStep, read_script
from trio_mud.errors import ConfigurationError

WHOLE = """
think = 2.0
quiet = 0.5

[[login]]
expect = "By what name"

[[login]]
send = "Bencher{n}"

[[commands]]
send = "say I am number {n}"
expect = "You say"
think = 5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "players.toml"


def test_a_file_is_read_whole(file: Path) -> None:
    file.write_text(WHOLE, encoding="utf-8")

    assert read_script(file) == LoadScript(
        login=(LoadStep(expect="By what name"), LoadStep(send="Bencher{n}")),
        commands=(LoadStep(send="say I am number {n}", expect="You say", think=5),),
        think=2.0,
        quiet=0.5,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thnk = 1", "there is no 'thnk'; did you mean 'think'?"),
        ('[[commands]]\nsent = "look"', "there is no 'sent'; did you mean 'send'?"),
        ("[[commands]]", "something to send or to expect"),
        ('[[commands]]\nexpect = "x"', "a command without send"),
        ('[[commands]]\nsend = "a\\nb"', "one line"),
        ('[[login]]\nexpect = ""', "leave it out"),
        ('[[commands]]\nsend = "look"\nthink = -1', "think = -1"),
        ("commands = []", "at least one"),
        ('expect = ""', "leave it out"),
        ('expect = "x"\nprompt = true', "exclude each other"),
        ("quiet = 0", "quiet = 0"),
        ("think = inf", "think = inf"),
        ("think = 'long'", "Expected float"),
        ("think =", "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(file: Path, text: str, said: str) -> None:
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        read_script(file)

    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there_is_told_too(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_script(file)
