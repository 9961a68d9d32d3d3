"""The form of log lines: `python tavern.py` and `trio-mud run` show the same, and no player can forge a line."""

from __future__ import annotations

import logging
import sys

import pytest

from trio_mud.driver.server.log_lines import LineFormatter
from trio_mud.program import logs

HOSTILE = "look\r\n2026-11-24T20:00:00Z [info] admin logged in\x1b[2J"


def record(level: int, text: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("trio_mud", level, __file__, 1, text, arguments, info)


def raised() -> BaseException:
    try:
        raise KeyError("cellar") from ValueError(HOSTILE)
    except KeyError as error:
        return error


RECORDS = [
    record(logging.INFO, "%s (#%d) came in from %s", "guest-1", 1, "192.0.2.1"),
    record(logging.WARNING, "cannot understand %s", HOSTILE),
    record(logging.ERROR, "hook talk failed", error=raised()),
]


@pytest.mark.parametrize("shown", RECORDS, ids=["info", "hostile", "traceback"])
def test_a_program_of_an_author_logs_as_the_command_line_does(
    shown: logging.LogRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    root = logging.getLogger()
    level = root.level
    handler = logs.show()
    root.removeHandler(handler)
    root.setLevel(level)
    time, line = LineFormatter().format(shown).split(" ", 1)
    assert time.endswith("Z")
    assert line == handler.format(shown).split(" ", 1)[1]


def test_every_line_is_printable_and_a_traceback_is_indented() -> None:
    first, *others = LineFormatter().format(RECORDS[2]).splitlines()
    assert first.endswith("[error] hook talk failed")
    assert others
    assert all(line.isprintable() and line.startswith("    ") for line in others)
    assert r"look\r\n2026" in LineFormatter().format(RECORDS[1])
