"""`trio-mud config`: the output names the source of each value, hides passwords, and can be fed back in."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from trio_mud.program import cli
from trio_mud.program.config import PathKind
from trio_mud.program.config_command import as_toml
from trio_mud.program.effective import find_configuration
from trio_mud.program.settings import SETTINGS
from trio_mud.program.sources import OptionText
from trio_mud.world.building.toml_text import toml_value

from .values import other_value


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRIO_MUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def every_setting_changed() -> Iterable[OptionText]:
    for key, setting in SETTINGS.items():
        if setting.path is PathKind.SECRET:
            continue  # printed as dots
        other = other_value(setting)
        yield OptionText(key, "--set", other if isinstance(other, str) else toml_value(other))


@pytest.mark.parametrize("options", [(), tuple(every_setting_changed())], ids=["defaults", "all changed"])
def test_the_output_fed_back_in_is_the_same_configuration(
    options: Iterable[OptionText], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_configuration(None, options, {})
    printed = "\n".join(as_toml(first))
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere/mud.toml"
    file.write_text(printed, encoding="utf-8")
    again = find_configuration(file, (), {})

    for key, setting in SETTINGS.items():
        if key != "web_port":
            assert again.value(key) == setting.absolute(first.value(key))
    assert again.web_port == first.web_port
    assert tomllib.loads("\n".join(as_toml(again))) == tomllib.loads(printed)


def test_every_setting_is_printed_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mud.toml").write_text('# mine\nport = 4001\n[limits]\nmax_line = 99\n[storage]\nurl = "inn.db"\n')
    os.environ["TRIO_MUD_LIMITS_IDLE_TIMEOUT"] = "600"
    try:
        assert cli.main(["config", "tavern:game", "--config", "mud.toml", "--tls-port", "0"]) == 0
    finally:
        del os.environ["TRIO_MUD_LIMITS_IDLE_TIMEOUT"]
    out = capsys.readouterr().out
    lines = out.splitlines()

    assert 'game = "tavern:game"  # GAME' in lines
    assert "port = 4001  # mud.toml:2" in lines
    assert "tls_port = 0  # --tls-port" in lines
    assert "max_line = 99  # mud.toml:4" in lines
    assert "idle_timeout = 600.0  # TRIO_MUD_LIMITS_IDLE_TIMEOUT" in lines
    assert f'url = "{Path.cwd()}/inn.db"  # mud.toml:6' in lines
    assert "# tls_key = (not set)  # default" in lines
    assert 'max_per_prefix = "none"  # default' in lines
    assert len([line for line in lines if "  # " in line]) == len(SETTINGS)
    assert tomllib.loads(out)["port"] == 4001


def test_a_reader_that_stops_early_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = _run(["config"], writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this platform has no /dev/full")
def test_a_full_disk_below_the_output_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = _run(["config"], full.fileno())
    assert done.returncode == 1
    assert done.stderr == b"trio-mud: cannot write the output: No space left on device; send it elsewhere\n"


def _run(arguments: list[str], output: int) -> subprocess.CompletedProcess[bytes]:
    program = f"import sys; from trio_mud.program.cli import main; sys.exit(main({arguments}))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE, env=environment, timeout=40
    )


def test_what_a_reload_takes_over_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config"]) == 0
    assert "# A reload takes over log.level, " in capsys.readouterr().out


def test_a_password_is_dots_and_the_dots_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("secret").write_text("postgresql://mud:secret@db/inn\n", encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_STORAGE_URL_FILE", "secret")
    assert cli.main(["config"]) == 0
    out = capsys.readouterr().out
    assert 'url = "postgresql://mud:••••@db/inn"  # TRIO_MUD_STORAGE_URL_FILE' in out.splitlines()
    assert "secret@" not in out
    Path("mud.toml").write_text(out, encoding="utf-8")
    assert cli.main(["config", "--config", "mud.toml"]) == 0  # the variable still has the password
    capsys.readouterr()
    monkeypatch.delenv("TRIO_MUD_STORAGE_URL_FILE")
    assert cli.main(["config", "--config", "mud.toml"]) == 2
    err = capsys.readouterr().err
    assert "storage.url has the dots of `trio-mud config` in place of its password: write the password" in err


def test_a_token_is_dots(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text("a-token-of-the-tests\n", encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_WATCH_TOKEN_FILE", "secret")
    assert cli.main(["config", "--watch-port", "4001"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'token = "••••"  # TRIO_MUD_WATCH_TOKEN_FILE' in lines
    assert lines[lines.index("[watch]") + 2] == "port = 4001  # --watch-port"
    assert not any("a-token-of-the-tests" in line for line in lines)
