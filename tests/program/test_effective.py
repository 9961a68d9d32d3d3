"""The order of the sources, and the source of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.limits import Limits
from trio_mud.program.config import Configuration, PathKind
from trio_mud.program.effective import decode, find_configuration
from trio_mud.program.settings import DOTS, SETTINGS, ConfigSetting
from trio_mud.program.sources import OptionText
from trio_mud.world.building.toml_text import toml_value

from .values import other_value


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_option_overrides_variable_overrides_file_overrides_default(setting: ConfigSetting, tmp_path: Path) -> None:
    file, other = tmp_path / "mud.toml", other_value(setting)
    header = f"[{setting.table}]\n" if setting.table else "# a comment\n"
    file.write_text(f"{header}{setting.name} = {toml_value(other)}\n", encoding="utf-8")
    text = other if isinstance(other, str) else toml_value(other)
    variable, option = {setting.variable: text}, [OptionText(setting.key, "--set", text)]
    is_secret = setting.path is PathKind.SECRET  # which no command line may have

    assert find_configuration(None, (), {}).source(setting.key) == "default"
    assert find_configuration(file, (), {}).source(setting.key) == f"{file}:2"
    assert find_configuration(file, (), variable).source(setting.key) == setting.variable
    assert is_secret or find_configuration(file, option, variable).source(setting.key) == "--set"
    found = find_configuration(None, (), variable)
    assert found.value(setting.key) == setting.convert(other, None)
    assert [key for key in SETTINGS if found.value(key) != SETTINGS[key].default] == [setting.key]


def test_a_variable_names_the_file_unless_an_option_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("port = 1", encoding="utf-8")
    two.write_text("port = 2", encoding="utf-8")

    assert find_configuration(None, (), {"TRIO_MUD_CONFIG": str(one)}).configuration.port == 1
    assert find_configuration(two, (), {"TRIO_MUD_CONFIG": str(one)}).configuration.port == 2
    assert find_configuration(None, (), {"TRIO_MUD_CONFIG": " "}).configuration == Configuration()


def test_a_value_is_checked_together_with_those_of_other_sources(tmp_path: Path) -> None:
    file = tmp_path / "mud.toml"
    file.write_text("[limits]\nfree_without_session = 500\n", encoding="utf-8")
    wider = {"TRIO_MUD_LIMITS_MAX_WITHOUT_SESSION": "600"}

    found = find_configuration(file, (), wider)
    assert found.configuration.limits == Limits(free_without_session=500, max_without_session=600)
    with pytest.raises(ConfigurationError) as caught:
        find_configuration(file, (), {"TRIO_MUD_LIMITS_MAX_WITHOUT_SESSION": "450"})
    assert str(caught.value).startswith("TRIO_MUD_LIMITS_MAX_WITHOUT_SESSION: limits.max_without_session = 450: write")


def test_the_dots_of_a_password_are_no_password() -> None:
    with pytest.raises(ConfigurationError, match=r"^tavern\.toml: storage\.url has the dots of .* write the password"):
        decode({"storage": {"url": f"postgresql://mud:{DOTS}@db/inn"}}, "tavern.toml")


def test_the_dots_of_a_token_are_no_token() -> None:
    with pytest.raises(ConfigurationError, match=r"^tavern\.toml: watch\.token has the dots of .* write the token"):
        decode({"watch": {"token": DOTS}}, "tavern.toml")


def test_a_token_is_no_word_of_the_command_line_and_stands_in_no_error() -> None:
    with pytest.raises(ConfigurationError, match="name that in TRIO_MUD_WATCH_TOKEN_FILE"):
        find_configuration(None, [OptionText("watch.token", "--set", "a-token-of-the-tests")], {})
    for wrong in ("too-short-a-one", 1234567890123456789, ["a-token-of-the-tests"]):
        with pytest.raises(ConfigurationError, match=r"^tavern\.toml: watch\.token.*: write ") as caught:
            decode({"watch": {"token": wrong}}, "tavern.toml")
        assert str(wrong).strip("[]'") not in str(caught.value)


@pytest.mark.parametrize("key", ["host", "data", "record", "storage.backups"])
def test_the_url_of_a_database_in_another_setting_is_refused_without_its_password(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key.rpartition('.')[2]} = .*mud:••••@db") as caught:
        find_configuration(None, [OptionText(key, "--set", "postgresql://mud:secret@db/inn")], {})
    assert "secret" not in str(caught.value)


def test_a_table_alone_is_a_configuration() -> None:
    assert decode({"port": 5, "limits": {"max_line": 9}}, "tavern.toml") == Configuration(
        port=5, limits=Limits(max_line=9)
    )


@pytest.mark.parametrize(
    ("set_by", "port"),
    [
        ({}, 4080),
        ({"TRIO_MUD_HOST": "0.0.0.0"}, 4080),
        ({"TRIO_MUD_PORT": "4001"}, None),
        ({"TRIO_MUD_WEB_PORT": "none"}, None),
        ({"TRIO_MUD_WEB_PORT": "80"}, 80),
        ({"TRIO_MUD_GAME": "tavern:hooks"}, None),
    ],
    ids=str,
)
def test_the_bundled_world_opens_its_page_unless_a_port_is_set(set_by: dict[str, str], port: int | None) -> None:
    assert find_configuration(None, (), set_by).web_port == port
