"""The sources of settings: what each contributes, and how relative paths and files with values are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.limits import Rate
from trio_mud.program.sources import Given, OptionText, from_environment, from_file, from_options


def test_a_file_gives_values_with_its_lines_and_paths_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "mud.toml"
    file.write_text(
        'port = 5\ntls_key = "key.pem"\ndata = "/srv"\n[storage]\nurl = "data/inn.db"\nbackups = "none"\n'
        '[limits.accept_rate]\nper_second = 1\nburst = 2\n[operations]\nsocket = "../x.sock"\n',
        encoding="utf-8",
    )

    assert from_file(file) == {
        "port": Given(5, f"{file}:1"),
        "tls_key": Given(f"{tmp_path}/key.pem", f"{file}:2"),
        "data": Given("/srv", f"{file}:3"),
        "storage.url": Given(f"{tmp_path}/data/inn.db", f"{file}:5"),
        "storage.backups": Given("none", f"{file}:6"),
        "limits.accept_rate": Given(Rate(1, burst=2), f"{file}:7"),
        "operations.socket": Given(f"{tmp_path}/../x.sock", f"{file}:11"),
    }


def test_a_file_in_the_working_directory_leaves_relative_paths_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mud.toml").write_text('[storage]\nurl = "data/inn.db"\n', encoding="utf-8")
    Path("other.toml").write_text('[storage]\nurl = "postgresql://db/inn"\n', encoding="utf-8")

    assert from_file(Path("mud.toml"))["storage.url"].value == "data/inn.db"
    assert from_file(tmp_path / "other.toml")["storage.url"].value == "postgresql://db/inn"


def test_the_environment_gives_nested_settings_and_leaves_other_variables_alone() -> None:
    assert from_environment(
        {
            "TRIO_MUD_PORT": "4001",
            "TRIO_MUD_LIMITS_MAX_LINE": " 512 ",
            "TRIO_MUD_ACCOUNTS_GUESTS": "False",
            "TRIO_MUD_LOG_FILE": "mud.log",
            "TRIO_MUD_TEXTS_SHUTDOWN": "Bye.",
            "TRIO_MUD_LIMITS_COMMAND_RATE": "none",
            "TRIO_MUD_HOST": "",
            "TRIO_MUD_CONFIG": "mud.toml",
            "TRIO_MUDDY": "x",
            "PATH": "/bin",
        }
    ) == {
        "port": Given(4001, "TRIO_MUD_PORT"),
        "limits.max_line": Given(512, "TRIO_MUD_LIMITS_MAX_LINE"),
        "accounts.guests": Given(False, "TRIO_MUD_ACCOUNTS_GUESTS"),
        "log.file": Given("mud.log", "TRIO_MUD_LOG_FILE"),
        "texts.shutdown": Given("Bye.", "TRIO_MUD_TEXTS_SHUTDOWN"),
        "limits.command_rate": Given(None, "TRIO_MUD_LIMITS_COMMAND_RATE"),
    }


def test_a_value_may_stand_in_a_file_that_a_variable_names(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://mud:secret@db/inn\n", encoding="utf-8")
    (tmp_path / "log").write_text("mud.log\n", encoding="utf-8")
    environment = {
        "TRIO_MUD_STORAGE_URL_FILE": str(tmp_path / "url"),
        "TRIO_MUD_LOG_FILE_FILE": str(tmp_path / "log"),
    }

    assert from_environment(environment) == {
        "storage.url": Given("postgresql://mud:secret@db/inn", "TRIO_MUD_STORAGE_URL_FILE"),
        "log.file": Given(f"{tmp_path}/mud.log", "TRIO_MUD_LOG_FILE_FILE"),
    }


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TRIO_MUD_PROT": "5"}, "TRIO_MUD_PROT: there is no such setting; did you mean 'TRIO_MUD_PORT'"),
        ({"TRIO_MUD_PROT": ""}, "TRIO_MUD_PROT: there is no such setting; did you mean 'TRIO_MUD_PORT'"),
        ({"TRIO_MUD_LIMITS": "5"}, "TRIO_MUD_LIMITS: there is no such setting"),
        (
            {"TRIO_MUD_LIMITS_MAX_LINES": "5"},
            "TRIO_MUD_LIMITS_MAX_LINES: there is no 'max_lines' in limits; did you mean 'max_line'",
        ),
        ({"TRIO_MUD_LIMITS_IDLE": "5"}, "TRIO_MUD_LIMITS_IDLE: limits.idle is called limits.idle_timeout since 0.2"),
        (
            {"TRIO_MUD_PORT": "5", "TRIO_MUD_PORT_FILE": "x"},
            "TRIO_MUD_PORT and TRIO_MUD_PORT_FILE are both set: keep one",
        ),
        ({"TRIO_MUD_PORT_FILE": "/dev/zero"}, "TRIO_MUD_PORT_FILE: /dev/zero holds more than 65536 bytes: name a file"),
        ({"TRIO_MUD_PORT_FILE": "a\0b"}, "TRIO_MUD_PORT_FILE: a\0b cannot be read: embedded null byte"),
        ({"TRIO_MUD_TEXTS_SHUTDOWN": "\udcff"}, "TRIO_MUD_TEXTS_SHUTDOWN is not UTF-8: write it in UTF-8"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_environment(environment)
    assert str(caught.value).startswith(said)


def test_the_last_option_for_a_setting_counts() -> None:
    options = [OptionText("port", "--port", "5"), OptionText("port", "--set", "6"), OptionText("data", "--data", "x")]

    assert from_options(options) == {"port": Given(6, "--set"), "data": Given("x", "--data")}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("limits.max_lin", "--set limits.max_lin: there is no 'max_lin' in limits; did you mean 'max_line'"),
        ("max_line", "--set max_line: there is no 'max_line'; write it below [limits]"),
        ("limits", "--set limits: limits is a table: write one of its keys, such as limits.max_connections"),
        (
            "limits.accept_rate.burst",
            "--set limits.accept_rate.burst: limits.accept_rate is set as a whole: write a rate,",
        ),
    ],
)
def test_an_option_for_an_unknown_key_is_refused_with_a_suggestion(key: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_options([OptionText(key, "--set", "5")])
    assert str(caught.value).startswith(said)
