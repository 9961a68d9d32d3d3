"""Miniatures of the soak: the scenarios pass for a good server, and would fail for a bad one."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from .crowd import CANARY, Caller, Lost, SoakTally, _say_some
from .judging import Verdict, judge_counters, judge_log, percentile, slope
from .scenarios import FLOODS, Farewell, Mix, Noise, hostile_mix, noise, shutdown_among_blackholes
from .staff import Flooding, Sanctioned, bans_and_a_mute, connect_flood
from .web import Besieged, web_port


def said_nothing(text: str) -> None:
    del text


@pytest.mark.slow
def test_a_small_hostile_mix_costs_nobody_a_line() -> None:
    verdict = hostile_mix(Mix(1.0, honest=5, drips=6, never_reads=2, fuzzes=3, pace=0.1), said_nothing)
    assert verdict.problems == []
    assert int(verdict.figures["lines answered"]) > 20


@pytest.mark.slow
def test_a_shutdown_among_a_few_blackholes_is_in_time() -> None:
    small = Farewell(honest=5, blackholes=2, drain=1.0, pace=0.1, seconds=0.8)
    assert shutdown_among_blackholes(small, said_nothing).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [dict.fromkeys(FLOODS, 1), {"listens": 5, "shouts": 2}], ids=["floods", "crowd"])
def test_players_are_answered_beside_a_few_who_make_much_work(kinds: dict[str, int]) -> None:
    verdict = noise("small", Noise(1.0, kinds, honest=4, pace=0.1), said_nothing)
    assert [problem for problem in verdict.problems if "slowest hundredth" not in problem] == []
    assert int(verdict.figures["noisy connections"]) >= sum(kinds.values())


@pytest.mark.slow
def test_a_few_bans_and_a_mute_cost_honest_players_nothing() -> None:
    verdict = bans_and_a_mute(Sanctioned(1.0, honest=4, besieging=3, pace=0.1), said_nothing)
    assert verdict.problems == []
    assert int(verdict.figures["refused as banned"]) > 0


@pytest.mark.slow
def test_each_refusal_of_a_small_flood_has_its_cause() -> None:
    flooding = Flooding(seconds=1.0, honest=4, connections=500, hold=1.0, pace=0.1, is_paced=False)
    verdict = connect_flood(flooding, said_nothing)
    assert [problem for problem in verdict.problems if "slowest hundredth" not in problem] == []
    assert int(verdict.figures["vetoed: banned"]) > 0


@pytest.mark.slow
def test_a_small_attack_on_the_web_port_costs_no_line_and_is_counted_by_cause() -> None:
    verdict = web_port(Besieged(8.0, honest=6, hostile=20, pace=0.1), said_nothing)
    assert [problem for problem in verdict.problems if "slowest hundredth" not in problem] == []
    assert int(verdict.figures["quit: protocol abuse"]) > 0
    assert int(verdict.figures["handshakes failed"]) > 0


# Judges that would find a fault


def test_books_that_do_not_balance_are_found() -> None:
    right = Counter({"accepted": 5, "refused: full": 1, "handshakes failed": 1, "admitted": 3, "quit: asked": 2})
    verdict = Verdict("balanced")
    judge_counters(right, 1, verdict)
    assert verdict.problems == []
    judge_counters(right, 2, verdict)
    judge_counters(right + Counter({"accepted": 1}), 1, verdict)
    assert verdict.problems == [
        "admitted 3 is not live 2 + ended 2",
        "accepted 6 is not refused 1 + admitted 3 + handshakes failed 1",
    ]


def test_peers_that_the_server_counts_otherwise_are_found() -> None:
    verdict = Verdict("counted")
    verdict.expect_counted({"refused: full": 2, "accepted": 9}, {"refused: full": 2}, ("refused: ",))
    assert verdict.problems == []
    verdict.expect_counted({"refused: full": 2, "refused: banned": 1}, {"refused: full": 3}, ("refused: ",))
    assert verdict.problems == [
        "0 saw 'refused: banned', and the server counted 1",
        "3 saw 'refused: full', and the server counted 2",
    ]


@pytest.mark.parametrize(
    "log",
    ["Traceback (most recent call last):", f"typed {CANARY}", "ResourceWarning: unclosed", "Exception ignored in"],
)
def test_a_log_with_what_must_not_be_there_is_found(log: str) -> None:
    verdict = Verdict("log")
    judge_log(f"INFO all is well\n{log}\n", verdict)
    assert len(verdict.problems) == 1


@pytest.mark.parametrize("answer", [b"echo 2\r\n", b"echo 1\r\necho 1\r\n", b"echo 1\r\necho 3\r\n", b"echo 1\r\n"])
async def test_an_honest_player_notices_a_line_that_is_lost_or_comes_twice(answer: bytes) -> None:
    ours, theirs = trio.socket.socketpair()
    with ours, theirs:
        await theirs.send(b"\xff\xfb\x01The clock ticks.\r\n" + answer)
        theirs.shutdown(trio.socket.SHUT_WR)
        with pytest.raises(Lost):
            await _say_some(Caller(ours), SoakTally(), 0, 2)


def test_a_slope_is_told_in_mib_per_ten_minutes() -> None:
    samples = [(float(second), 2**20 + second * 2**20 // 60) for second in range(100)]
    assert slope(samples) == pytest.approx(10.0, rel=1e-3)


def test_a_percentile_is_the_value_below_which_that_part_lies() -> None:
    assert percentile([float(value) for value in range(1001)], 0.99) == pytest.approx(990, abs=1)
