"""The last events of the log: bounded, never in the way, and no handler of last resort is displaced."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from trio_mud.web.recent_log import RecentLog


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The logger of a game of its own."""
    log = logging.getLogger("a_game")
    log.setLevel(logging.DEBUG)
    yield log
    log.setLevel(logging.NOTSET)


def test_events_of_the_game_are_kept_too_from_info_up(log: logging.Logger) -> None:
    with RecentLog() as recent:
        log.debug("small")
        log.info("a door %s", "opens")
    log.info("later")
    assert [(event["level"], event["logger"], event["text"]) for event in recent.events] == [
        ("INFO", "a_game", "a door opens")
    ]


def test_an_exception_is_named_by_its_type_and_keeps_no_frame(log: logging.Logger) -> None:
    with RecentLog() as recent:
        try:
            raise LookupError("a secret of the frame")
        except LookupError:
            log.exception("it failed")
    (event,) = recent.events
    assert event["text"] == "it failed (LookupError)"
    assert {type(value) for value in event.values()} == {str, float}


def test_what_cannot_be_formatted_is_kept_as_a_sentence(log: logging.Logger) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    with RecentLog() as recent:
        recent.handle(logging.LogRecord("a_game", logging.INFO, "game.py", 7, "%s", (Broken(),), None))
    assert recent.events[0]["text"] == "a log record of game.py:7 cannot be formatted"


def test_python_still_shows_warnings_of_a_program_without_handlers(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(sys.stderr))
    assert logging.lastResort is not None
    logging.lastResort.setLevel(logging.WARNING)
    with RecentLog():
        log.info("not shown")
        log.warning("shown")
    assert capsys.readouterr().err == "shown\n"
