"""The settings that are derived from the types: none is missing, none is ambiguous."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from trio_mud.limits import Limits, Rate
from trio_mud.program.config import Configuration
from trio_mud.program.settings import (
    CONFIG_VARIABLE,
    SETTINGS,
    ConfigSetting,
    misnamed,
    shown,
    without_password,
)

from .values import other_value


def keys_in(instance: object, above: str = "") -> Iterator[str]:
    """Yield the keys of all fields, found by looking at the values and not at the types."""
    assert is_dataclass(instance)
    for field in fields(instance):
        value = getattr(instance, field.name)
        if is_dataclass(value) and not isinstance(value, Rate):
            yield from keys_in(value, f"{above}{field.name}.")
        else:
            yield above + field.name


def test_every_field_of_the_configuration_is_a_setting() -> None:
    assert list(SETTINGS) == list(keys_in(Configuration()))
    assert len(SETTINGS) > 120


def test_no_two_settings_have_the_same_variable() -> None:
    variables = [setting.variable for setting in SETTINGS.values()]
    names = [*variables, *(f"{variable}_FILE" for variable in variables), CONFIG_VARIABLE]

    assert len(set(names)) == len(names)
    assert SETTINGS["limits.max_line"].variable == "TRIO_MUD_LIMITS_MAX_LINE"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_every_setting_accepts_its_default_and_another_value(setting: ConfigSetting) -> None:
    other = setting.convert(other_value(setting), None)

    assert other != setting.default
    if setting.default is not None or setting.can_be_none:
        written = "none" if setting.default is None else setting.default
        if isinstance(written, Rate):
            written = {"per_second": written.per_second, "burst": written.burst}
        assert setting.convert(written, None) == setting.default
    assert setting.wanted


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("port", " 5 ", 5),
        ("port", "none", "none"),
        ("limits.idle_timeout", "2.5", 2.5),
        ("limits.idle_timeout", "none", "none"),
        ("limits.command_rate", "{ per_second = 5, burst = 7 }", {"per_second": 5, "burst": 7}),
        ("accounts.guests", "False", False),
        ("proxy_from", "10.0.0.0/8, ::1 192.0.2.1", ["10.0.0.0/8", "::1", "192.0.2.1"]),
        ("proxy_from", '["::1"]', ["::1"]),
        ("texts.shutdown", "5", "5"),
        ("log.form", "json", "json"),
        ("port", "5\nhost = 'x'", "5\nhost = 'x'"),
    ],
)
def test_a_text_of_the_environment_is_read_by_the_type_of_the_setting(key: str, text: str, value: object) -> None:
    assert SETTINGS[key].parse(text) == value


@pytest.mark.parametrize("word", ["none"])
def test_none_switches_off_exactly_the_settings_that_may_be_off(word: str) -> None:
    for setting in SETTINGS.values():
        if setting.can_be_none:
            assert setting.convert(word, None) is None
    off = {key for key, setting in SETTINGS.items() if setting.can_be_none}
    optional = {f"limits.{field.name}" for field in fields(Limits) if "None" in str(field.type)}
    assert off == optional | {"tls_port", "web_port", "web_tls_port", "accounts.tls_port", "watch.port"}


@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        ("", "prot", "there is no 'prot'; did you mean 'port'?"),
        ("", "limit", "there is no 'limit'; did you mean 'limits'?"),
        ("limits", "port", "there is no 'port' in limits; write it above the first [table]"),
        ("limits", "every", "there is no 'every' in limits; write it below [storage]"),
        ("limits", "idle", "limits.idle is called limits.idle_timeout since 0.2"),
        ("limits", "zebra", "there is no 'zebra' in limits"),
    ],
)
def test_a_key_that_does_not_exist_is_answered_with_a_suggestion(table: str, name: str, said: str) -> None:
    assert misnamed(table, name) == said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://mud:se:cr@et@db/inn", "postgresql://mud:••••@db/inn"),
        ("postgresql://mud:se/cret@db/inn", "postgresql://mud:••••@db/inn"),
        ("postgresql://db/inn?user=mud&password=secret&x=y", "postgresql://db/inn?user=mud&password=••••&x=y"),
        ("postgresql://db/inn?password=a#secret&x=y", "postgresql://db/inn?password=••••&x=y"),
        ("postgresql://mud@db/inn", "postgresql://mud@db/inn"),
        ("data/inn.db", "data/inn.db"),
    ],
)
def test_a_password_is_shown_as_dots(url: str, said: str) -> None:
    assert without_password(url) == said
    assert shown(SETTINGS["storage.url"], url) == f'"{said}"'
    with pytest.raises(ValueError, match=r"storage\.url = ") as caught:
        SETTINGS["storage.url"].convert([url], None)
    assert "cret" not in str(caught.value)
