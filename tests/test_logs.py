"""The log on standard error: one event per line, for any input of players."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trio_mud import logs

HOSTILE = "look\r\n2026-01-01T00:00:00Z [info] all is well\x1b[2J\x9b\u202e"


@contextmanager
def shown() -> Iterator[logging.Logger]:
    """Yield the package's logger, formatted for a while as by the command line."""
    root = logging.getLogger()
    level = root.level
    handler = logs.show()
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
