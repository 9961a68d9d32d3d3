"""A reload and the configuration: the log's level changes, everything else is named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from trio_mud.program.effective import Effective, find_configuration
from trio_mud.program.renewal import take_over
from trio_mud.program.settings import RELOADABLE, SETTINGS
from trio_mud.world.building.toml_text import toml_value

from .values import other_value


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


def configured(tmp_path: Path, text: str) -> Effective:
    file = tmp_path / "mud.toml"
    file.write_text(text, encoding="utf-8")
    return find_configuration(file, (), {})


def test_the_level_of_the_log_changes_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    running = configured(tmp_path, "")
    take_over(configured(tmp_path, '[log]\nlevel = "error"'), running)
    assert logging.getLogger().level == logging.ERROR
    take_over(configured(tmp_path, ""), running)
    assert logging.getLogger().level == logging.INFO
    assert caplog.messages == []


def test_each_other_change_is_named_with_its_source_and_both_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = configured(tmp_path, "port = 4001\n")
    found = configured(tmp_path, 'port = 4002\n[limits]\nidle_timeout = 5\n[storage]\nurl = "postgresql://m:x@d/i"')
    for _ in range(2):  # as long as it is not restarted
        caplog.clear()
        take_over(found, running)
        assert caplog.messages == [
            f"{tmp_path}/mud.toml:1: port = 4002 needs a restart; until then it is 4001",
            f'{tmp_path}/mud.toml:5: storage.url = "postgresql://m:••••@d/i" needs a restart; until then it is not set',
            f'{tmp_path}/mud.toml:3: limits.idle_timeout = 5.0 needs a restart; until then it is "none"',
        ]


def test_a_higher_level_does_not_hide_what_needs_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    take_over(configured(tmp_path, '[log]\nlevel = "error"\n[limits]\nidle_timeout = 5'), configured(tmp_path, ""))
    assert logging.getLogger().level == logging.ERROR
    assert [message.split(" = ")[0] for message in caplog.messages] == [f"{tmp_path}/mud.toml:4: limits.idle_timeout"]


def test_every_setting_is_either_taken_over_or_named(caplog: pytest.LogCaptureFixture) -> None:
    running = find_configuration(None, (), {})
    for key, setting in SETTINGS.items():
        other = other_value(setting)
        text = other if isinstance(other, str) else toml_value(other)
        caplog.clear()
        take_over(find_configuration(None, [], {setting.variable: text}), running)
        assert [message.split(" = ")[0] for message in caplog.messages] == (
            [] if key in RELOADABLE else [f"{setting.variable}: {key}"]
        )
