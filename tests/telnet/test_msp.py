"""MSP: agreed on, and that is all."""

from trio_mud.telnet import DEFAULT_OPTIONS, FeatureAgreed, TelnetEngine
from trio_mud.telnet.options import Msp
from trio_mud.testing.playbook import Playbook, check_every_split

ON, OFF = FeatureAgreed("sounds", True), FeatureAgreed("sounds", False)


def book() -> Playbook:
    return Playbook(TelnetEngine([Msp()], settle_within=None)).says("IAC WILL MSP")


def test_a_client_that_agrees_may_be_sent_sounds() -> None:
    book().hears("IAC DO MSP", ON).says(b"").hears("IAC DO MSP").says(b"")


def test_a_client_that_refuses_may_not() -> None:
    book().hears("IAC DONT MSP").says(b"")


def test_a_client_may_change_its_mind() -> None:
    playbook = book().hears("IAC DO MSP", ON).hears("IAC DONT MSP", OFF).says("IAC WONT MSP")
    playbook.hears("IAC DO MSP", ON).says("IAC WILL MSP")


def test_the_clients_own_side_has_no_meaning() -> None:
    book().hears("IAC WILL MSP").says("IAC DONT MSP")


def test_a_payload_is_ignored() -> None:
    book().hears("IAC DO MSP IAC SB MSP 41 IAC SE", ON).says(b"")


def test_nobody_is_offered_it_by_default() -> None:
    assert Msp not in [type(option) for option in DEFAULT_OPTIONS]


def test_the_exchange_may_be_cut_anywhere() -> None:
    check_every_split(b"\xff\xfd\x5a\xff\xfe\x5alook\r\n\xff\xfd\x5a", lambda: TelnetEngine([Msp()]))
