"""A wrong value for every field, from every source: one line that names the source, the key and the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.program import cli, serving
from trio_mud.program.effective import find_configuration
from trio_mud.program.settings import SETTINGS, ConfigSetting
from trio_mud.program.sources import OptionText
from trio_mud.world.building.toml_text import toml_value

from .values import wrong_texts, wrong_values

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the command line, which has to refuse its configuration; return its one line after `trio-mud: `."""
    for name in [name for name in os.environ if name.startswith("TRIO_MUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def bind(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(serving, "serve_places", bind)
    monkeypatch.setattr(serving, "find_game", bind)

    def run(*arguments: str) -> str:
        assert cli.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        [line] = err.splitlines()
        return line.removeprefix("trio-mud: ")

    return run


def problem(
    config: Path | None = None, options: Sequence[OptionText] = (), environment: Mapping[str, str] | None = None
) -> str:
    """Return the error of a configuration, without a command line."""
    with pytest.raises(ConfigurationError) as caught:
        find_configuration(config, options, environment or {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))


@every_setting
def test_a_wrong_value_in_the_file_names_file_line_key_and_remedy(refused: Refused, setting: ConfigSetting) -> None:
    line = ""
    for value in wrong_values(setting):
        header = f"[{setting.table}]\n" if setting.table else "# a comment\n"
        Path("mud.toml").write_text(f"{header}{setting.name} = {toml_value(value)}\n", encoding="utf-8")
        line = problem(Path("mud.toml"))
        assert line.startswith("mud.toml:2: ")
        assert setting.key in line
        assert "write " in line or "there is no 'more' in" in line
    assert refused("--config", "mud.toml") == line


@every_setting
def test_a_wrong_variable_is_named_with_key_and_remedy(
    refused: Refused, setting: ConfigSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in wrong_texts(setting):
        line = problem(environment={setting.variable: text})
        assert line.startswith(f"{setting.variable}: {setting.key}")
        assert "write " in line
    monkeypatch.setenv(f"{setting.variable}_FILE", "nowhere")
    assert refused() == f"{setting.variable}_FILE: nowhere cannot be read: No such file or directory"


@every_setting
def test_a_wrong_option_is_named_with_key_and_remedy(refused: Refused, setting: ConfigSetting) -> None:
    line = ""
    for text in wrong_texts(setting):
        line = problem(options=[OptionText(setting.key, "--set", text)])
        assert line.startswith(f"--set: {setting.key}")
        assert "write " in line
    if line:  # a text can be anything
        assert refused("--set", f"{setting.key}={text}") == line


@every_setting
def test_a_misspelled_key_is_answered_with_the_right_one(
    setting: ConfigSetting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    header = f"[{setting.table}]\n" if setting.table else "# a comment\n"
    Path("mud.toml").write_text(f"{header}{setting.name}x = 5\n", encoding="utf-8")
    for line in (problem(Path("mud.toml")), problem(options=[OptionText(f"{setting.key}x", "--set", "5")])):
        assert f"there is no '{setting.name}x'" in line
        assert f"'{setting.name}'" in line.partition("did you mean")[2]
    line = problem(environment={f"{setting.variable}X": "5"})
    assert line.startswith(f"{setting.variable}X: there is no ")
    assert line.partition("did you mean")[2]


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--port", "port"),
        ("--tls-port", "tls_port"),
        ("--storage-every", "storage.every"),
        ("--proxy-from", "proxy_from"),
        ("--host", "host"),
    ],
)
def test_a_named_option_is_named_as_it_was_written(refused: Refused, option: str, key: str) -> None:
    line = refused(option, "a b")
    assert line.startswith(f"{option}: {key} = ")
    assert "write " in line


def test_a_wrong_value_is_refused_although_another_source_overrides_it(refused: Refused) -> None:
    Path("mud.toml").write_text('port = "x"\n', encoding="utf-8")
    assert refused("--config", "mud.toml", "--port", "4001").startswith('mud.toml:1: port = "x": write a whole number')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("free_without_session = 500", "mud.toml:2: limits.max_without_session = 400: write no less than free_"),
        ("watchdog_timeout = 9\nwatchdog_abort_timeout = 8", "mud.toml:3: limits.watchdog_abort_timeout = 8"),
        ("watchdog_abort_timeout = 0.5", "mud.toml:2: limits.watchdog_abort_timeout = 0.5: write no less than"),
    ],
)
def test_two_values_that_contradict_each_other_name_the_source_of_one(refused: Refused, text: str, said: str) -> None:
    Path("mud.toml").write_text(f"[limits]\n{text}\n", encoding="utf-8")
    assert refused("--config", "mud.toml").startswith(said)


def test_a_password_on_the_command_line_is_refused_and_not_repeated(refused: Refused) -> None:
    for arguments in (["--storage", "postgresql://a:secret@b/c"], ["--set", "storage.url=postgresql://a:secret@b/c"]):
        line = refused(*arguments)
        assert line.startswith(f"{arguments[0]}: every user of this machine can read a password on the command line")
        assert "TRIO_MUD_STORAGE_URL_FILE" in line
        assert "secret" not in line
