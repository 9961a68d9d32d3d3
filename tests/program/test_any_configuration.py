"""Any text as a configuration, from any source: accepted, or one error with its source; never another exception."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.driver.server.log_lines import printable
from trio_mud.errors import ConfigurationError
from trio_mud.program.config_command import as_toml
from trio_mud.program.effective import Effective, find_configuration
from trio_mud.program.settings import SETTINGS, TABLES
from trio_mud.program.sources import OptionText
from trio_mud.program.toml_lines import lines_of

WORDS = [
    *SETTINGS,
    *TABLES,
    *[setting.name for setting in SETTINGS.values()],
    *["=", " = ", "[", "]", "[[", "]]", "{", "}", ".", ",", "\n", "\r\n", '"', '"""', "'''", "#", "\\", "\t", " "],
    *["5", "-1", "0x1f", "1e999", "nan", "inf", "none", '"none"', "true", "false", "2026-01-01", '"x"', "per_second"],
    *["burst", "postgresql://a:b@c/d", "\0", "\x1b", "é", "\ud800"],
]
PATHS = [key for key, setting in SETTINGS.items() if setting.path is not None]
KEYS = st.one_of(st.sampled_from(list(SETTINGS)), st.sampled_from(PATHS))
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=20).map("".join)
STATEMENTS = st.tuples(
    st.sampled_from([f"[{table}]" for table in TABLES] + [setting.name for setting in SETTINGS.values()]),
    st.sampled_from(["5", '"none"', '"""\n[limits]\nport = 5\n"""', "[\n  1, # port\n]", "{ a = 1, b.c = [] }", "''"]),
).map(lambda parts: parts[0] if parts[0].startswith("[") else " = ".join(parts))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "mud.toml"


def judge(config: Path | None, options: list[OptionText], environment: Mapping[str, str]) -> Effective | None:
    """Return the configuration if it is accepted; check the error otherwise."""
    try:
        found = find_configuration(config, options, environment)
    except ConfigurationError as error:
        line = printable(str(error))
        assert line.startswith((str(config), "TRIO_MUD_", "--set"))
        assert "\n" not in line
        return None
    as_toml(found)
    return found


@given(text=TEXTS)
def test_any_file_is_accepted_or_refused(file: Path, text: str) -> None:
    file.write_bytes(text.encode(errors="surrogatepass"))
    judge(file, [], {})


@given(key=KEYS, text=TEXTS)
def test_any_variable_and_any_option_is_accepted_or_refused(key: str, text: str) -> None:
    judge(None, [], {SETTINGS[key].variable: text})
    judge(None, [OptionText(key, "--set", text)], {})
    judge(None, [OptionText(text, "--set", "5")], {})
    judge(None, [], {f"TRIO_MUD_{text}": "5"})


@given(texts=st.dictionaries(KEYS, TEXTS, max_size=3))
def test_accepted_settings_survive_being_printed_and_read(file: Path, texts: dict[str, str]) -> None:
    found = judge(None, [OptionText(key, "--set", text) for key, text in texts.items()], {})
    if found is None or found.configuration.storage.url is not None:  # which may have a password
        return
    file.write_text("\n".join(as_toml(found)), encoding="utf-8")
    again = find_configuration(file, [], {})
    for key, setting in SETTINGS.items():
        if key != "web_port":
            assert again.value(key) == setting.absolute(found.value(key))
    assert again.web_port == found.web_port


def keys_in(table: Mapping[str, object], above: str = "") -> Iterator[str]:
    for name, value in table.items():
        yield above + name
        if isinstance(value, dict):
            yield from keys_in(value, f"{above}{name}.")


@given(statements=st.lists(STATEMENTS, max_size=12))
def test_every_key_of_a_valid_file_has_the_line_that_names_it(statements: list[str]) -> None:
    text = "\n".join(statements)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a key or a table is there twice
        return
    lines = lines_of(text)

    assert set(lines) == set(keys_in(table))
    for key, line in lines.items():
        assert key.split(".")[0] in text.split("\n")[line - 1] or key.split(".")[1] in text.split("\n")[line - 1]
