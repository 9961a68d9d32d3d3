"""Limits and texts: what they promise before any server looks at them."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields

import pytest

from trio_mud.limits import _GREATEST, Limits, Rate, may_be_switched_off
from trio_mud.texts import Texts

ALWAYS_BOUNDED = {
    "max_watch_peers",
    "watch_timeout",
    "max_typeahead",
    "free_without_session",
    "max_typeahead_bytes",
    "max_line",
    "max_subnegotiation",
    "max_web_message",
    "max_output",
    "max_posts",
    "max_replay",
    "max_tail",
    "max_log",
    "batch_size",
    "world_timeout",
    "hand_over_timeout",
    "handshake_timeout",
    "grace",
    "quit_timeout",
    "linger_timeout",
    "shutdown_timeout",
    "cleanup_timeout",
}
COUNTS = [
    "max_connections",
    "max_per_address",
    "max_per_prefix",
    "max_without_session",
    "free_without_session",
    "max_handshakes",
    "max_link_dead",
    "max_link_dead_per_address",
    "max_typeahead",
    "max_typeahead_bytes",
    "max_line",
    "max_subnegotiation",
    "max_anomalies",
    "max_web_message",
    "max_output",
    "max_watch_peers",
    "max_posts",
    "max_replay",
    "max_tail",
    "max_log",
    "batch_size",
]
SECONDS = [
    "handshake_timeout",
    "first_input_timeout",
    "idle_timeout",
    "keepalive_interval",
    "web_keepalive_interval",
    "hook_timeout",
    "world_timeout",
    "world_silence_timeout",
    "hand_over_timeout",
    "watchdog_timeout",
    "watchdog_abort_timeout",
    "watch_timeout",
    "write_stall_timeout",
    "dead_peer_timeout",
    "grace",
    "quit_timeout",
    "linger_timeout",
    "shutdown_timeout",
    "cleanup_timeout",
    "log_interval",
]
RATES = ["accept_rate", "accept_rate_per_address", "command_rate", "protocol_rate", "empty_frame_rate"]
ALL = [field.name for field in fields(Limits)]


def test_the_three_kinds_are_all_there_are() -> None:
    assert sorted(COUNTS + SECONDS + RATES) == sorted(ALL)


@pytest.mark.parametrize("name", sorted(set(ALL) - ALWAYS_BOUNDED))
def test_none_switches_a_limit_off(name: str) -> None:
    assert may_be_switched_off(name)
    assert getattr(Limits(**{name: None}), name) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(ALWAYS_BOUNDED))
def test_what_keeps_memory_bounded_or_lets_the_server_stop_cannot_be_switched_off(name: str) -> None:
    assert not may_be_switched_off(name)
    with pytest.raises(ValueError, match=f"{name} = None: write a"):
        Limits(**{name: None})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "64"])
def test_a_count_is_a_whole_number_of_at_least_one(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"{name} = {wrong!r}: write a whole number of at least 1"):
        Limits(**{name: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("wrong", [0, -0.5, math.inf, math.nan, False, "5"])
def test_a_deadline_is_a_positive_number_of_seconds(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"{name} = {wrong!r}: write a positive number of seconds"):
        Limits(**{name: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("wrong", [20, (20, 60)])
def test_a_rate_is_written_as_a_rate(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"{name} = .*: write a Rate, such as Rate"):
        Limits(**{name: wrong})  # type: ignore[arg-type]


def test_what_may_be_switched_off_says_so_when_it_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"hook_timeout = 0: .*, or None for no limit$"):
        Limits(hook_timeout=0)


@pytest.mark.parametrize(("seconds", "said"), [(0.5, "write seconds from 1 to 32767"), (32768, "write 32767 at most")])
def test_keepalive_has_the_kernels_bounds(seconds: float, said: str) -> None:
    with pytest.raises(ValueError, match=rf"dead_peer_timeout = .*: {said}, or None for no limit"):
        Limits(dead_peer_timeout=seconds)


def test_the_chance_of_visitors_begins_below_their_limit() -> None:
    with pytest.raises(ValueError, match="max_without_session = 100: write no less than free_without_session"):
        Limits(max_without_session=100)
    assert Limits(max_without_session=None).free_without_session == 200


@pytest.mark.parametrize("name", COUNTS + SECONDS)
def test_every_limit_has_a_greatest_value(name: str) -> None:
    """K11: past it a number is a mistake, such as nanoseconds for seconds."""
    others: dict[str, float] = {"watchdog_timeout": 1.0} if name == "watchdog_abort_timeout" else {}
    if name == "free_without_session":
        others = {"max_without_session": _GREATEST["max_without_session"]}
    greatest = _GREATEST[name]
    assert getattr(Limits(**{name: greatest, **others}), name) == greatest  # type: ignore[arg-type]
    for wrong in (greatest + 1, 10**23):
        with pytest.raises(ValueError, match=f"^{name} = {wrong}: write {greatest} at most"):
            Limits(**{name: wrong, **others})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rate", "said"), [((10**23, 1), "per_second = 1"), ((1e7, 1), "per_second"), ((1, 10**7), "burst")]
)
def test_a_rate_has_a_greatest_value(rate: tuple[float, int], said: str) -> None:
    with pytest.raises(ValueError, match=rf"^{said}.*: write 1000000 at most"):
        Rate(*rate)


@pytest.mark.parametrize(("watchdog", "abort"), [(1.0, 0.5), (None, 5.0)])
def test_nothing_is_ended_that_was_not_told_of_before(watchdog: float | None, abort: float) -> None:
    with pytest.raises(ValueError, match=r"^watchdog_abort_timeout = .*: write no less than watchdog"):
        Limits(watchdog_timeout=watchdog, watchdog_abort_timeout=abort)


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (math.inf, 1), (20, 0), (20, 1.5), ("20", 60)])
def test_a_rate_lets_something_through_and_not_everything(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match=r"(per_second|burst) = .*: write a"):
        Rate(per_second, burst)


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    rate, state, waits = Rate(10, burst=3), -math.inf, []
    for _ in range(5):
        state, wait = rate.spend(state, now=100.0)
        waits.append(wait)

    assert waits == pytest.approx([0, 0, 0.1, 0.2, 0.3])  # the wait is for the next token: the third leaves none


def test_a_bucket_left_alone_is_full_again() -> None:
    rate, state = Rate(10, burst=3), -math.inf
    for _ in range(3):
        state, _ = rate.spend(state, now=100.0)

    assert rate.spend(state, now=100.3)[1] == 0


def test_a_whole_number_of_seconds_will_do() -> None:
    assert Limits(first_input_timeout=60) == Limits(first_input_timeout=60.0)


def test_a_name_that_is_no_limit_cannot_be_switched_off() -> None:
    assert not may_be_switched_off("colour")


def test_limits_and_texts_never_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Limits().max_line = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Texts().shutdown = ""  # type: ignore[misc]


@pytest.mark.parametrize("field", fields(Texts), ids=lambda field: field.name)
def test_each_of_the_drivers_sentences_is_one_plain_line(field: object) -> None:
    text: str = field.default  # type: ignore[attr-defined]
    assert text.isprintable()
    assert len(text) <= 80


def test_a_text_may_be_empty_but_nothing_else_than_a_text() -> None:
    assert Texts(shutdown="").shutdown == ""
    with pytest.raises(ValueError, match="shutdown = None: write a text"):
        Texts(shutdown=None)  # type: ignore[arg-type]
