"""MXP: agreed on by whichever side's verb, locked once, and never asked about."""

import pytest

from trio_mud.telnet import DEFAULT_OPTIONS, Anomaly, AnomalyKind, FeatureAgreed, Line, NegotiationSettled, TelnetEngine
from trio_mud.telnet.options import Mxp
from trio_mud.testing.playbook import Playbook, check_every_split

ON, OFF = FeatureAgreed("mxp", True), FeatureAgreed("mxp", False)
LOCK = b"\x1b[5z"


def book() -> Playbook:
    return Playbook(TelnetEngine([Mxp()], settle_within=None)).says("IAC WILL MXP")


def test_a_client_that_agrees_is_locked_to_open_mode() -> None:
    book().hears("IAC DO MXP", ON).says(LOCK)


def test_a_client_that_refuses_is_left_in_peace() -> None:
    # TinTin++, PuTTY, telnet(1)
    book().hears("IAC DONT MXP").says(b"")


def test_a_client_may_answer_with_both_verbs() -> None:
    # Mudlet answers each verb by itself; others say both at once.
    book().hears("IAC DO MXP IAC WILL MXP", ON).says(LOCK + b"\xff\xfd\x5b")
    book().hears("IAC WILL MXP IAC DO MXP", ON).says(b"\xff\xfd\x5b" + LOCK)


def test_a_client_may_answer_in_the_manner_of_zmud() -> None:
    book().hears("IAC WILL MXP", ON).says(b"\xff\xfd\x5b" + LOCK).hears("IAC DONT MXP").says(b"")


def test_the_empty_payload_by_which_some_begin_means_nothing() -> None:
    book().hears("IAC DO MXP IAC SB MXP IAC SE", ON).says(LOCK)
    book().hears("IAC DO MXP IAC SB MXP 1b 31 IAC SE", ON).says(LOCK)


def test_a_payload_before_anything_is_agreed_harms_nobody() -> None:
    unexpected = Anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, "MXP is not on")
    book().hears("IAC SB MXP IAC SE", unexpected).hears("IAC DO MXP", ON).says(LOCK)


def test_it_is_off_when_both_sides_are() -> None:
    playbook = book().hears("IAC DO MXP IAC WILL MXP", ON).says(LOCK + b"\xff\xfd\x5b")
    playbook.hears("IAC DONT MXP").says("IAC WONT MXP")
    playbook.hears("IAC WONT MXP", OFF).says("IAC DONT MXP")


def test_who_agrees_again_is_locked_again() -> None:
    playbook = book().hears("IAC DO MXP", ON).says(LOCK).hears("IAC DONT MXP", OFF).says("IAC WONT MXP")
    playbook.hears("IAC DO MXP", ON).says(b"\xff\xfb\x5b" + LOCK)


@pytest.mark.parametrize("answer", ["IAC DO MXP", "IAC DONT MXP", "IAC WILL MXP IAC DONT MXP"])
def test_it_is_settled_by_its_answer(answer: str) -> None:
    engine = TelnetEngine([Mxp()])
    playbook = Playbook(engine).says("IAC WILL MXP")
    playbook.hears(answer, *([] if answer == "IAC DONT MXP" else [ON])).ticks(0.0, NegotiationSettled())


def test_two_engines_with_one_prototype_are_strangers() -> None:
    option = Mxp()
    for _ in range(2):
        Playbook(TelnetEngine([option], settle_within=None)).says("IAC WILL MXP").hears("IAC DO MXP", ON).says(LOCK)


def test_what_looks_like_an_answer_to_a_question_is_a_typed_line() -> None:
    book().hears("IAC DO MXP", ON).hears(b"\x1b[1z<VERSION>\r\n", Line("\x1b[1z<VERSION>")).says(LOCK)


def test_nobody_is_offered_it_by_default() -> None:
    assert Mxp not in [type(option) for option in DEFAULT_OPTIONS]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfd\x5b\xff\xfb\x5b\xff\xfa\x5b\xff\xf0look\r\n",
        b"\xff\xfb\x5b\xff\xfa\x5b\xff\xf0\xff\xfc\x5blook\r\n\xff\xfd\x5b\xff\xfe\x5b",
        b"\xff\xfa\x5b\xff\xf0\xff\xfe\x5b\xff\xfd\x5b",
    ],
)
def test_the_exchange_may_be_cut_anywhere(data: bytes) -> None:
    check_every_split(data, lambda: TelnetEngine([Mxp()]))
