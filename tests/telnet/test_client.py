"""The client side of telnet: text, marks and answers do not depend on how the bytes are split."""

from __future__ import annotations

import zlib

import pytest

from trio_mud.telnet import TelnetEngine
from trio_mud.telnet.client import LetsHide, TakesMarks, TakesMccp2, TelnetClient
from trio_mud.telnet.codes import DO, DONT, ECHO, END_OF_RECORD, GA, IAC, MCCP2, NAWS, SB, SE, WILL, WONT

OFFERS = bytes((IAC, WILL, MCCP2, IAC, WILL, ECHO, IAC, DO, NAWS, IAC, WILL, END_OF_RECORD))
MARK = bytes((IAC, GA))


class Heard:
    """One client and the text it received; a mark of a prompt is shown as a bar."""

    def __init__(self, *options: LetsHide | TakesMarks | TakesMccp2) -> None:
        self.text = b""
        self.client = TelnetClient(options, self._hear, lambda: self._hear(b"|"))

    def _hear(self, data: bytes) -> None:
        self.text += data


def test_it_agrees_to_what_it_was_given_and_refuses_the_rest() -> None:
    heard = Heard(LetsHide())
    heard.client.receive(OFFERS)
    assert heard.client.data_to_send() == bytes((IAC, DONT, MCCP2, IAC, DO, ECHO, IAC, 0xFC, NAWS, IAC, DONT, 25))
    assert heard.client.data_to_send() == b""


def test_it_answers_however_often_the_server_changes_its_mind() -> None:
    """A budget as the server's would end with a client that takes an option for off and a server that uses it."""
    heard = Heard(TakesMccp2())
    for _ in range(1000):
        heard.client.receive(bytes((IAC, WILL, MCCP2)))
        assert heard.client.data_to_send() == bytes((IAC, DO, MCCP2))
        heard.client.receive(bytes((IAC, WONT, MCCP2)))
        assert heard.client.data_to_send() == bytes((IAC, DONT, MCCP2))


def test_a_compressed_stream_may_end_and_plain_text_follow_at_every_split() -> None:
    said = b"one" + bytes((IAC, IAC)) + MARK + b"two\r\n"
    start = bytes((IAC, SB, MCCP2, IAC, SE))
    data = OFFERS + b"plain " + start + zlib.compress(said) + b"again" + MARK + start + zlib.compress(said)
    for at in range(len(data) + 1):
        heard = Heard(TakesMccp2(), TakesMarks())
        plain = heard.client.receive(data[:at]) + heard.client.receive(data[at:])
        assert heard.text == b"plain one\xff|two\r\nagain|one\xff|two\r\n"
        assert plain == OFFERS + b"plain " + start + said + b"again" + MARK + start + said
        assert not heard.client.is_compressed


def test_a_stream_that_it_did_not_agree_to_is_not_inflated() -> None:
    heard = Heard()
    heard.client.receive(bytes((IAC, SB, MCCP2, IAC, SE)) + b"plain")
    assert heard.text == b"plain"


def test_a_broken_stream_raises() -> None:
    heard = Heard(TakesMccp2())
    with pytest.raises(zlib.error):
        heard.client.receive(OFFERS + bytes((IAC, SB, MCCP2, IAC, SE)) + b"no stream")


def test_it_hears_an_engine_that_compresses() -> None:
    engine, heard = TelnetEngine(), Heard(TakesMccp2(), TakesMarks(), LetsHide())
    for _ in range(4):
        heard.client.receive(engine.data_to_send())
        engine.receive(heard.client.data_to_send())
    engine.hide_input(True)
    engine.send_text("A na\xefve word.\n")
    engine.send_prompt("> ")
    assert heard.client.is_compressed
    while data := engine.data_to_send():
        heard.client.receive(data)
    assert heard.text == "A na\xefve word.\r\n> |".encode()
    assert heard.client.engine.is_theirs(ECHO)
