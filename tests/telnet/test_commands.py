"""Commands without an option: answered, obeyed, reported or passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet import InterruptKind, InterruptReceived, Line, TelnetEngine
from trio_mud.telnet.codes import ABORT, BRK, EOR, GA, IAC, IP, NOP, SUSP
from trio_mud.testing.playbook import Playbook, check_every_split, converse


def book() -> Playbook:
    return Playbook(TelnetEngine((), settle_within=None))


# AYT


def test_are_you_there_is_answered_at_most_once_a_second() -> None:
    playbook = book().hears("IAC AYT IAC AYT").says(b"\r\n[Yes]\r\n").hears("IAC AYT").says(b"")
    playbook.ticks(10.0)
    assert playbook.engine.next_deadline == 11.0
    playbook.hears("IAC AYT").ticks(10.9).hears("IAC AYT").says(b"").ticks(11.0)
    assert playbook.engine.next_deadline is None
    playbook.hears("IAC AYT").says(b"\r\n[Yes]\r\n")


def test_the_answer_can_be_chosen() -> None:
    engine = TelnetEngine((), are_you_there="Ja, né")
    Playbook(engine).hears("IAC AYT").says("\r\nJa, né\r\n".encode())


def test_no_answer_can_be_chosen() -> None:
    playbook = Playbook(TelnetEngine((), are_you_there="", settle_within=None)).hears("IAC AYT").says(b"")
    assert playbook.engine.next_deadline is None


# AO


def test_abort_output_drops_the_text_that_is_queued_and_marks_the_place() -> None:
    playbook = book().calls("send_text", "a long\nstory\n").calls("send_prompt", "> ").hears("IAC AO").says(b"\xff\xf2")
    playbook.calls("send_text", "on\n").says(b"on\r\n")


def test_abort_output_keeps_what_telnet_itself_has_to_say() -> None:
    playbook = Playbook(TelnetEngine(settle_within=None))
    offers = playbook.engine.data_to_send()
    assert offers
    playbook = Playbook(TelnetEngine(settle_within=None)).calls("send_text", "story").hears("IAC WILL TTYPE IAC DO 63")
    playbook.hears("IAC AO").says(offers + b"\xff\xfa\x18\x01\xff\xf0\xff\xfc\x63\xff\xf2")


def test_abort_output_drops_text_that_begins_with_ff() -> None:
    engine = TelnetEngine((), settle_within=None)
    engine.charset = "latin-1"
    Playbook(engine).calls("send_text", "ÿ").hears("IAC AO").says(b"\xff\xf2")


def test_abort_output_is_obeyed_at_most_once_a_second() -> None:
    playbook = book().hears("IAC AO IAC AO").says(b"\xff\xf2").ticks(10.0)
    playbook.calls("send_text", "story").hears("IAC AO").says(b"story")
    playbook.ticks(11.0).calls("send_text", "story").hears("IAC AO").says(b"\xff\xf2")


# The others


def test_a_data_mark_is_passed_over_though_telnet_sends_it_in_two_segments() -> None:
    book().hears(b"lo\xff").hears(b"\xf2ok\r\n", Line("look")).says(b"")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (IP, InterruptKind.INTERRUPT),
        (BRK, InterruptKind.BREAK),
        (SUSP, InterruptKind.SUSPEND),
        (ABORT, InterruptKind.ABORT),
    ],
)
def test_what_should_stop_things_is_reported(code: int, kind: InterruptKind) -> None:
    book().hears(bytes((IAC, code)), InterruptReceived(kind)).says(b"")


def test_telnets_synch_is_an_interrupt_and_a_mark() -> None:
    check_every_split(b"\xff\xf4\xff\xf2look\r\n")
    book().hears("IAC IP IAC DM", InterruptReceived(InterruptKind.INTERRUPT)).says(b"")


@pytest.mark.parametrize("code", [NOP, GA, EOR])
def test_what_asks_for_nothing_gets_nothing(code: int) -> None:
    book().hears(bytes((IAC, code))).says(b"")


def test_erase_character_and_erase_line_edit_as_keys_do() -> None:
    book().hears(b"lopo\xff\xf7\xff\xf7ok\r\n", Line("look"))
    book().hears(b"secret\xff\xf8look\r\n", Line("look"))
    check_every_split(b"n\xc3\xa9\xff\xf7o\xff\xf8up\r\n")


def test_a_key_that_stops_things_interrupts_no_line() -> None:
    book().hears(b"lo\xff\xf4ok\n", InterruptReceived(InterruptKind.INTERRUPT), Line("look"))


@given(st.lists(st.sampled_from([bytes((IAC, code)) for code in range(236, 250)])))
def test_no_flood_of_commands_gets_more_than_it_is_but_for_one_answer(commands: list[bytes]) -> None:
    flood = b"".join(commands)
    _, sent = converse(TelnetEngine((), settle_within=None), flood)
    assert len(sent.replace(b"\r\n[Yes]\r\n", b"", 1)) <= len(flood)


# Crash inputs from the wild


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfc\x22\xff\xfa\x22\xff\xf0\xff\xff\xfc\x03\xff\xf0",  # FluffOS: LINEMODE without a payload
        b"\xff\xfa\x22\x01\xff\xf0",  # FluffOS: LINEMODE of one byte
        b"\xff\xfb\x22\xff\xfa\x22\x03" + bytes(range(90)) + b"\xff\xf0",  # telnet(1): its table of special characters
        b"\xff\xfb\x22\xff\xfa\x22\xff\xfd\x02" + b"\xff\xff" * 32 + b"\xff\xf0",  # FORWARDMASK, after DO
        b"\xff\xfa\x18\xff\xf0\xff\xfa\x1f\xff\xf0\xff\xfa\x27\xff\xf0\xff\xfa\x2a\xff\xf0",
        b"\xff\xfa\xff\xf0\xff\xfa\xff\xff\xff\xf0\xff\xfb\xff\xff\xfd\xff",
    ],
)
def test_crash_inputs_are_survived(data: bytes) -> None:
    data = data + b"\nlook\r\n"
    check_every_split(data)
    events, _ = converse(TelnetEngine(), data)
    assert events[-1] == Line("look")


def test_linemode_is_refused_politely() -> None:
    book().hears("IAC WILL LINEMODE IAC DO LINEMODE").says("IAC DONT LINEMODE IAC WONT LINEMODE")
