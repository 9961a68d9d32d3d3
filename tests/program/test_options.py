"""The options that set settings."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.program.cli import main
from trio_mud.program.options import GatewayOptions, RunOptions
from trio_mud.program.settings import SETTINGS
from trio_mud.program.sources import OptionText


def test_each_option_sets_a_setting_and_names_itself() -> None:
    names = [field.name for field in fields(RunOptions) if field.name not in ("set", "config", "proxy_from")]
    given: dict[str, Any] = dict.fromkeys(names, "x")
    every = RunOptions(proxy_from=("::1", "::2"), **given)
    texts = list(every.texts("tavern:game"))

    assert texts[0] == OptionText("game", "GAME", "tavern:game")
    assert {text.key for text in texts} <= set(SETTINGS)
    assert {text.option for text in texts[1:]} == {f"--{name.replace('_', '-')}" for name in [*names, "proxy_from"]}
    assert OptionText("storage.url", "--storage", "x") in texts
    assert OptionText("proxy_from", "--proxy-from", "::1 ::2") in texts


def test_an_option_that_is_not_given_sets_nothing() -> None:
    assert list(RunOptions().texts(None)) == []


def test_set_takes_any_setting_and_a_value_with_equals_signs() -> None:
    options = RunOptions(port="1", set=("port=2", "texts.shutdown= a=b "))

    assert list(options.texts(None)) == [
        OptionText("port", "--port", "1"),
        OptionText("port", "--set", "2"),
        OptionText("texts.shutdown", "--set", " a=b "),
    ]


def test_set_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^--set port: write KEY=VALUE, such as limits\.max_line=8192$"):
        list(RunOptions(set=("port",)).texts(None))


@pytest.mark.parametrize(
    ("command", "own", "others"),
    [
        ("gateway", ["--port", "--tls-port", "--record", "--link", "--console"], ["--data", "--storage"]),
        ("world", ["--data", "--storage", "--link", "--console", "--standby"], ["--port", "--tls-port", "--record"]),
        ("serve", ["--port", "--data", "--link"], ["--supervisor", "--first"]),
    ],
)
def test_the_help_of_each_side_lists_its_own_options_only(
    capsys: pytest.CaptureFixture[str], command: str, own: list[str], others: list[str]
) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out.split()
    assert [option for option in own if option not in shown] == []
    assert [option for option in others if option in shown] == []


def test_a_world_and_a_gateway_take_each_others_options_so_that_serve_passes_one_line_to_both() -> None:
    options = GatewayOptions(port="4000", storage="inn.db")
    assert options.arguments() == RunOptions(port="4000", storage="inn.db").arguments()
