"""The doors of a simulated server: players come by each of them, and both sides agree on the telnet bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from trio_mud.testing.simulation import plan
from trio_mud.testing.simulation.doors import DOORS, PAGES, RETURNING, TELNET, TLS, WEB, make_wire
from trio_mud.testing.simulation.returning import _report
from trio_mud.testing.simulation.scenes import FOREIGN
from trio_mud.testing.simulation.simulator import observe
from trio_mud.testing.simulation.trace import Trace
from trio_mud.testing.web_wire import SUBPROTOCOLS


def lives(trace: Trace) -> list[Trace]:
    return [trace, *lives(trace.after_restart)] if trace.after_restart is not None else [trace]


@pytest.mark.unmeasured
@pytest.mark.slow
def test_players_come_by_every_door_and_return_by_their_tokens_or_not() -> None:
    served, returned = Counter[str](), Counter[str]()
    for seed in range(120):
        trace, _ = observe(replace(plan(seed, "hostile"), is_mixed=True))
        for player in trace.players:
            served[player.door] += bool(player.read)
            if player.returns is not None:
                token = (
                    "foreign" if player.returns.token == FOREIGN else "shown" if player.returns.lines >= 0 else "not"
                )
                returned[f"{token}: {'resumed' if _report(player) is not None else 'void'}"] += 1
    assert {*served} == {*DOORS, PAGES}
    assert min(served.values()) > 0
    assert {*returned} == {"foreign: void", "shown: resumed", "shown: void", "not: resumed", "not: void"}


@pytest.mark.unmeasured
@pytest.mark.slow
def test_programs_of_the_life_before_present_their_tokens_after_a_restart() -> None:
    presented = Counter[str]()
    for seed in range(30):
        trace, _ = observe(replace(plan(seed, "stored"), is_mixed=True))
        for life in lives(trace)[1:]:
            for player in life.players:
                if player.returns is not None and player.came_from is None:
                    presented["account" if player.returns.token.partition(".")[2] else "session"] += 1
    assert {*presented} == {"account", "session"}


def test_half_of_all_plans_and_more_use_every_door() -> None:
    mixed = sum(plan(seed).is_mixed for seed in range(200))
    assert 90 < mixed < 150


def test_every_subprotocol_is_a_door_and_a_client_that_returns_comes_by_one_that_carries_gmcp() -> None:
    assert {TELNET, TLS, *(f"{WEB}{name}" for name in SUBPROTOCOLS)} == {*DOORS}
    assert {*DOORS} - {*RETURNING} == {f"{WEB}terminal.mudstandards.org", f"{WEB}ascii"}


def test_the_wire_of_a_door_tells_what_a_server_reads_of_the_bytes_that_went_out() -> None:
    assert make_wire(TELNET, Random(0)) is None
    assert make_wire(PAGES, Random(0)) is None
    wire = make_wire(f"{WEB}ascii", Random(0))
    assert wire is not None
    wire.send(b"look\r\n")
    assert wire.data_to_send().startswith(b"GET / HTTP/1.1\r\n")
    assert wire.telnet() == b""  # it waits for the answer
