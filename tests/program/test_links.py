"""The place of the cluster link that no setting names: a folder of this user alone."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import pytest

from trio_mud.cluster.redis_access import RedisAccess
from trio_mud.errors import ConfigurationError
from trio_mud.program.effective import find_configuration
from trio_mud.program.links import default_link, open_gateway_end, open_world_end
from trio_mud.program.sources import OptionText

USER = os.geteuid()


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of all users, and no folder of this user's own."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def link() -> Path:
    return default_link(find_configuration(None, [OptionText("game", "GAME", "tavern:hooks")], {}))


def test_it_is_in_a_folder_that_only_this_user_can_enter(shared: Path) -> None:
    for _ in range(2):
        assert link() == shared / f"trio_mud-{USER}" / "tavern.link"
        assert link().parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused_with_the_remedy(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared / f"trio_mud-{USER}").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: USER + 1)
    with pytest.raises(ConfigurationError, match=r"trio_mud-\d+ is not a folder of this user alone: remove it, or "):
        link()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_change_is_refused(shared: Path, mode: int) -> None:
    folder = shared / f"trio_mud-{USER}"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match="name another link with --link"):
        link()


def test_a_symbolic_link_to_a_folder_is_refused(shared: Path) -> None:
    (shared / "elsewhere").mkdir(mode=0o700)
    (shared / f"trio_mud-{USER}").symlink_to(shared / "elsewhere")
    with pytest.raises(ConfigurationError, match="is not a folder of this user alone"):
        link()


def test_a_file_in_its_place_is_refused(shared: Path) -> None:
    (shared / f"trio_mud-{USER}").touch()
    with pytest.raises(ConfigurationError, match="File exists; name another link with --link"):
        link()


def test_the_runtime_folder_of_the_user_is_checked_too(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    assert link() == shared / "trio_mud" / "tavern.link"
    link().parent.chmod(0o777)
    with pytest.raises(ConfigurationError, match="is not a folder of this user alone"):
        link()


def test_the_folder_that_systemd_has_made_is_taken_as_it_is(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{shared / 'run'}:{shared / 'other'}")
    assert link() == shared / "run" / "tavern.link"


def test_the_log_names_the_redis_of_a_gateway_and_of_a_world_without_the_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def check(self: RedisAccess) -> None:
        """Find a server."""

    monkeypatch.setattr(RedisAccess, "check", check)
    link = {"TRIO_MUD_CLUSTER_LINK": "redis://g1:secret@redis.example/3"}
    effective = find_configuration(None, [OptionText("cluster.name", "--set", "g1")], link)
    open_gateway_end(effective)
    open_world_end(effective, waits=False)
    assert caplog.messages == [
        "the cluster link is at redis.example:6379/3: gateway g1 of world w1",
        "the cluster link is at redis.example:6379/3: world w1",
    ]
