"""The log on standard error: one event per line, for any input of players."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import trio

from trio_mud import Hooks, Input
from trio_mud.program import logs
from trio_mud.testing import OpenMud

HOSTILE = "look\r\n2026-01-01T00:00:00Z [info] all is well\x1b[2J\x9b\u202e"


@contextmanager
def shown(
    form: Literal["human", "json"] = "human", process: Callable[[], str] | None = None
) -> Iterator[logging.Logger]:
    """Yield the package's logger, formatted for a while as by the command line."""
    root = logging.getLogger()
    level = root.level
    handler = logs.show(form=form, process=process)
    try:
        yield logging.getLogger("trio_mud")
        handler.flush()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def test_an_event_is_one_line_with_time_level_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as log:
        log.info("connection %d ended", 7, extra={"reason": "QUIT"})

    [line] = capsys.readouterr().err.splitlines()
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert rest == "[info] connection 7 ended reason=QUIT"


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_line_names_what_the_process_is_at_that_moment(
    capsys: pytest.CaptureFixture[str], form: Literal["human", "json"]
) -> None:
    names = iter(["spare", "world"])
    with shown(form=form, process=lambda: next(names)) as log:
        log.info("the game is loaded")
        log.info("the world serves")
    lines = capsys.readouterr().err.splitlines()
    if form == "human":
        assert [line.split("] ")[1] for line in lines] == [
            "the game is loaded process=spare",
            "the world serves process=world",
        ]
    else:
        assert [json.loads(line)["process"] for line in lines] == ["spare", "world"]


def test_debugging_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as log:
        log.debug("noise")

    assert capsys.readouterr().err == ""


def test_what_a_player_sends_can_neither_end_a_line_nor_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as log:
        log.warning("cannot understand %s", HOSTILE, extra={"line": HOSTILE, "raw": HOSTILE.encode()})

    [line] = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert r"look\r\n2026" in line


def test_a_traceback_is_kept_and_its_lines_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as log:
        try:
            raise KeyError("cellar") from ValueError(HOSTILE)
        except KeyError:
            log.exception("a hook failed")

    first, *trace = capsys.readouterr().err.splitlines()
    assert first.endswith("a hook failed")
    assert trace
    assert all(line.startswith("    ") and line.isprintable() for line in trace)
    assert trace[-1].strip() == "KeyError: 'cellar'"


def test_no_colours_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as log:
        log.error("plain")

    assert "\x1b" not in capsys.readouterr().err


# JSON, and files


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_a_line_of_json_names_the_event_and_its_connection(mud: OpenMud, tmp_path: Path) -> None:
    log, hooks = logging.getLogger("trio_mud"), Hooks()

    @hooks.on(Input)
    async def obey(event: Input) -> None:
        if event.connection.session is None:
            event.connection.server.sessions.enter("ann", event.connection)
        log.warning("obeys")
        await trio.lowlevel.checkpoint()
        log.warning("typed %s", event.line, extra={"line": HOSTILE})

    @hooks.on(Input)
    def note(event: Input) -> None:
        log.warning("noted")

    root, level = logging.getLogger(), logging.getLogger().level
    handler = logs.show(form="json", file=tmp_path / "mud.log")
    try:
        async with mud(hooks) as place:
            player = await place.player()
            await player.type("look", "sit")
            await player.catches_up()
            log.warning("outside")
        handler.flush()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    lines = [line for line in lines_of((tmp_path / "mud.log").read_text()) if line["level"] == "warning"]
    inside, outside = lines[1], lines[-1]
    assert [line["event"] for line in lines] == [
        "obeys",
        "typed look",
        "noted",
        "obeys",
        "typed sit",
        "noted",
        "outside",
    ]
    numbers = [line.get("event_number") for line in lines]
    assert numbers[:3] == [numbers[0]] * 3
    assert numbers[3:6] == [numbers[3]] * 3
    assert len({*numbers}) == 3
    assert (inside["hook"], inside["connection"], inside["session"]) == ("Input", 1, "ann")
    assert str(inside["line"]).isprintable()
    assert str(inside["timestamp"]).endswith("Z")
    assert not {"hook", "event_number"} & outside.keys()


def test_a_traceback_in_json_is_one_line(tmp_path: Path) -> None:
    log, root, level = logging.getLogger("trio_mud"), logging.getLogger(), logging.getLogger().level
    handler = logs.show(form="json", file=tmp_path / "mud.log")
    try:
        try:
            raise KeyError(HOSTILE)
        except KeyError:
            log.exception("failed")
        handler.flush()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    (line,) = lines_of((tmp_path / "mud.log").read_text())
    assert "KeyError" in str(line["exception"])


def test_a_renamed_file_is_left_when_it_is_reopened(tmp_path: Path) -> None:
    log, root, level = logging.getLogger("trio_mud"), logging.getLogger(), logging.getLogger().level
    handler = logs.show(file=tmp_path / "mud.log")
    try:
        log.warning("one")
        handler.flush()
        (tmp_path / "mud.log").rename(tmp_path / "mud.log.1")
        log.warning("two")
        handler.flush()
        handler.reopen()
        log.warning("three")
        handler.flush()
        (tmp_path / "mud.log").unlink()
        (tmp_path / "mud.log").mkdir()
        with pytest.raises(IsADirectoryError):
            handler.reopen()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert [line.split()[-1] for line in (tmp_path / "mud.log.1").read_text().splitlines()] == ["one", "two"]
