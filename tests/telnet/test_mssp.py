"""MSSP: the figures, by telnet and in plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet import NegotiationSettled, OptionFailed, TelnetEngine
from trio_mud.telnet.options import Mssp
from trio_mud.telnet.options.mssp import PLAIN_REQUEST, Variables, render, render_plain
from trio_mud.testing.playbook import Playbook, check_every_split, spell, unspell

FIGURES: Variables = {"NAME": "The Tavern", "PLAYERS": "7", "UPTIME": "1700000000", "PORT": ["4000", "4001"]}
TABLE = (
    b"\xff\xfa\x46\1NAME\2The Tavern\1PLAYERS\2" + b"7\1UPTIME\2" + b"1700000000\1PORT\2" + b"4000\2" + b"4001\xff\xf0"
)


def book() -> Playbook:
    return Playbook(TelnetEngine([Mssp(lambda: FIGURES)], settle_within=None)).says("IAC WILL MSSP")


def test_a_crawler_that_agrees_gets_the_figures() -> None:
    book().hears("IAC DO MSSP").says(TABLE)


def test_a_client_that_does_not_care_gets_nothing() -> None:
    # Mudlet says DO, TinTin++ nothing at all.
    book().hears("IAC DONT MSSP").says(b"")


def test_the_figures_are_asked_for_at_each_answer() -> None:
    players = iter("12")
    playbook = Playbook(TelnetEngine([Mssp(lambda: {"PLAYERS": next(players)})], settle_within=None))
    playbook.hears("IAC DO MSSP").says(b"\xff\xfb\x46\xff\xfa\x46\1PLAYERS\2" + b"1\xff\xf0")
    playbook.ticks(0.0).ticks(60.0).hears("IAC DONT MSSP IAC DO MSSP")
    playbook.says(b"\xff\xfc\x46\xff\xfb\x46\xff\xfa\x46\1PLAYERS\2" + b"2\xff\xf0")


def test_they_are_told_at_most_once_a_minute() -> None:
    playbook = book().hears("IAC DO MSSP").says(TABLE).hears("IAC DO MSSP").says(b"")
    playbook.hears("IAC DONT MSSP IAC DO MSSP").says("IAC WONT MSSP IAC WILL MSSP").ticks(100.0)
    assert playbook.engine.next_deadline == 160.0
    playbook.ticks(159.9).hears("IAC DONT MSSP IAC DO MSSP").says("IAC WONT MSSP IAC WILL MSSP")
    playbook.ticks(160.0).says(b"").hears("IAC DONT MSSP IAC DO MSSP")
    playbook.says(unspell("IAC WONT MSSP IAC WILL MSSP") + TABLE)


def test_two_crawlers_are_answered_each() -> None:
    option = Mssp(lambda: FIGURES)
    for _ in range(2):
        Playbook(TelnetEngine([option])).hears("IAC DO MSSP").says(unspell("IAC WILL MSSP") + TABLE)


def test_a_function_that_fails_costs_the_option_only() -> None:
    def fail() -> Variables:
        raise RuntimeError("no figures")

    engine = TelnetEngine([Mssp(fail)], settle_within=None)
    (failed,) = engine.receive(b"\xff\xfd\x46")
    assert isinstance(failed, OptionFailed)
    assert spell(engine.data_to_send()) == "IAC WILL MSSP IAC WONT MSSP"
    assert engine.next_deadline is None


def test_it_is_settled_by_its_answer() -> None:
    engine = TelnetEngine([Mssp(lambda: FIGURES)])
    engine.receive(b"\xff\xfd\x46")
    assert engine.tick(0.0) == [NegotiationSettled()]


def test_what_a_peer_sends_for_it_is_ignored() -> None:
    book().hears("IAC DO MSSP").says(TABLE).hears("IAC SB MSSP 01 41 02 42 IAC SE").says(b"")


def test_the_exchange_may_be_cut_anywhere() -> None:
    check_every_split(b"\xff\xfd\x46\xff\xfe\x46\xff\xfd\x46look\r\n", lambda: TelnetEngine([Mssp(lambda: FIGURES)]))


def test_the_plain_answer_has_a_line_for_each_variable() -> None:
    assert PLAIN_REQUEST == "MSSP-REQUEST"
    assert render_plain(FIGURES) == (
        "MSSP-REPLY-START\nNAME\tThe Tavern\nPLAYERS\t7\nUPTIME\t1700000000\nPORT\t4000\t4001\nMSSP-REPLY-END\n"
    )


@pytest.mark.parametrize(
    ("variables", "payload", "plain"),
    [
        ({}, b"", ""),
        ({"A": []}, b"\1A", "A\n"),
        ({"A": ("x", "y")}, b"\1A\2x\2y", "A\tx\ty\n"),
        ({"A\0": "\1x\2\ty\r\n\x1b"}, b"\1A\2xy", "A\txy\n"),
        ({"A": "é ÿ"}, "\1A\2é ÿ".encode(), "A\té ÿ\n"),
        ({"A": "\ud800"}, b"\1A\2?", "A\t?\n"),
    ],
)
def test_what_has_a_meaning_of_its_own_is_left_out(variables: Variables, payload: bytes, plain: str) -> None:
    assert render(variables) == payload
    assert render_plain(variables) == f"MSSP-REPLY-START\n{plain}MSSP-REPLY-END\n"


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()))))
def test_no_text_breaks_the_table(variables: dict[str, str | list[str]]) -> None:
    payload = render(variables)
    assert b"\xff" not in payload
    assert b"\0" not in payload
    assert payload.count(b"\1") == len(variables)
    assert payload.count(b"\2") == sum(1 if isinstance(value, str) else len(value) for value in variables.values())
    assert render_plain(variables).count("\n") == len(variables) + 2
