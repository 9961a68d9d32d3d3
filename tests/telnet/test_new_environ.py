"""NEW-ENVIRON: a few variables by name, with any answer of the peer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.telnet import Anomaly, AnomalyKind, ClientVariable, NegotiationSettled, TelnetEngine, TelnetEvent
from trio_mud.telnet.options import NewEnviron
from trio_mud.telnet.options.new_environ import (
    MAX_NAME,
    MAX_REQUEST,
    MAX_VALUE,
    MAX_VARIABLES,
    MNES_NAMES,
    parse_variables,
)
from trio_mud.testing.playbook import Playbook, check_every_split, converse

REQUEST = b"\xff\xfa\x27\x01\0CLIENT_NAME\0CLIENT_VERSION\0MTTS\0CHARSET\0TERMINAL_TYPE\xff\xf0"
BEYOND = Anomaly(AnomalyKind.MALFORMED_PAYLOAD, "NEW-ENVIRON beyond its limits")


def book() -> Playbook:
    playbook = Playbook(TelnetEngine([NewEnviron()])).says("IAC DO NEW-ENVIRON")
    return playbook.hears("IAC WILL NEW-ENVIRON").says(REQUEST)


def message(payload: bytes) -> bytes:
    return b"\xff\xfa\x27" + payload.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"


def test_the_request_names_what_it_wants_and_is_short_enough_for_old_clients() -> None:
    book()
    assert len(REQUEST) < MAX_REQUEST


def test_tintin_answers_with_one_message_for_each_variable() -> None:
    # 783 is 271 + 512, though its MTTS by TTYPE is 271: no error.
    answers = {"CLIENT_NAME": "TINTIN++", "CLIENT_VERSION": "2.02.20", "MTTS": "783", "CHARSET": "UTF-8"}
    playbook = book()
    for name, value in answers.items():
        playbook.hears(message(b"\0\0" + name.encode() + b"\1" + value.encode()), ClientVariable(name, value))
        playbook.ticks(0.0)
    playbook.hears(message(b"\0\0TERMINAL_TYPE\1xterm-256color"), ClientVariable("TERMINAL_TYPE", "xterm-256color"))
    playbook.ticks(0.0, NegotiationSettled())


def test_other_clients_answer_with_one_message() -> None:
    playbook = book().hears(
        message(b"\0\0CLIENT_NAME\1Mudlet\0CLIENT_VERSION\1" + b"4.20\0MTTS\1" + b"2349"),
        ClientVariable("CLIENT_NAME", "Mudlet"),
        ClientVariable("CLIENT_VERSION", "4.20"),
        ClientVariable("MTTS", "2349"),
    )
    playbook.ticks(0.0, NegotiationSettled())


def test_telnet_sends_a_name_without_a_value_for_what_it_has_not() -> None:
    playbook = book().hears(
        message(b"\0\3CLIENT_NAME\3MTTS\3CHARSET"),
        ClientVariable("CLIENT_NAME", None),
        ClientVariable("MTTS", None),
        ClientVariable("CHARSET", None),
    )
    playbook.ticks(0.0, NegotiationSettled())


def test_telnetlib3_sends_empty_values_and_more_than_was_asked_for() -> None:
    playbook = book().hears(
        message(b"\0\0CLIENT_NAME\1\0LANG\1en_US.UTF-8\0LINES\1" + b"24\0COLORTERM\1truecolor"),
        ClientVariable("CLIENT_NAME", ""),
        ClientVariable("COLORTERM", "truecolor"),
    )
    playbook.ticks(0.0, NegotiationSettled())


def test_putty_answering_any_question_with_user_is_ignored() -> None:
    book().hears(message(b"\0\0USER\1root")).hears(message(b"\2\0USER\1-f root")).ticks(0.0, NegotiationSettled())


def test_an_answer_without_variables_is_an_answer() -> None:
    book().hears(message(b"\0")).ticks(0.0, NegotiationSettled())


def test_mudlet_volunteers_what_it_can_do() -> None:
    playbook = book()
    for name in (b"ANSI", b"TRUECOLOR", b"UTF-8", b"256_COLORS", b"OSC_HYPERLINKS_SEND", b"SCREEN_READER"):
        playbook.hears(message(b"\2\3" + name + b"\1" + b"1"), ClientVariable(name.decode(), "1"))


@pytest.mark.parametrize("name", ["USER", "IPADDRESS", "SYSTEMTYPE", "LD_PRELOAD", "DISPLAY", "client_name", ""])
@pytest.mark.parametrize("kind", [b"\0", b"\3"])
def test_what_was_not_asked_for_is_ignored(name: str, kind: bytes) -> None:
    book().hears(message(b"\0" + kind + name.encode() + b"\1x")).hears(message(b"\2" + kind + name.encode() + b"\1x"))


def test_info_may_come_at_any_time_and_does_not_answer_the_question() -> None:
    playbook = book().hears(message(b"\2\0CHARSET\1UTF-8"), ClientVariable("CHARSET", "UTF-8")).ticks(0.0)
    playbook.hears(message(b"\0")).ticks(0.1, NegotiationSettled())
    playbook.hears(message(b"\2\0CHARSET\1ASCII"), ClientVariable("CHARSET", "ASCII"))


def test_of_two_values_the_last_counts() -> None:
    book().hears(
        message(b"\0\0MTTS\1" + b"1\0CHARSET\1UTF-8\0MTTS\1" + b"2"),
        ClientVariable("CHARSET", "UTF-8"),
        ClientVariable("MTTS", "2"),
    )


def test_escaped_bytes_are_part_of_the_value() -> None:
    assert list(parse_variables(b"\0A\2\1B\1x\2\0\2\2y\2\3")) == [(b"A\1B", b"x\0\2y\3")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"junk", []),
        (b"junk\0A\1b", [(b"A", b"b")]),
        (b"\1b", []),
        (b"\0A\1b\1c", [(b"A", b"b")]),
        (b"\0\1", [(b"", b"")]),
        (b"\0A\0B\1", [(b"A", None), (b"B", b"")]),
        (b"\0A\1b\2", [(b"A", b"b")]),
        (b"\0A\1b\2\0C\1d", [(b"A", b"b\0C")]),
        (b"\2\0A\1b", [(b"A", b"b")]),  # an ESC before everything belongs to nothing
        (b"\0A\1" + b"b\n" * 3, [(b"A", b"b\n" * 3)]),
    ],
)
def test_odd_lists_are_read_as_far_as_they_go(data: bytes, expected: list[tuple[bytes, bytes | None]]) -> None:
    assert list(parse_variables(data)) == expected


def test_values_reach_nobody_with_controls_in_them() -> None:
    book().hears(
        message("\0\0CLIENT_NAME\x01Mud\x1b[31mlet\r\n\x07\u202e\u200b\x9b é木".encode()),
        ClientVariable("CLIENT_NAME", "Mud[31mlet é木"),
    )
    book().hears(message(b"\0\0CLIENT_NAME\1a\xffb\x85"), ClientVariable("CLIENT_NAME", "a\ufffdb\ufffd"))


def test_limits_on_variables_names_and_values_hold() -> None:
    book().hears(message(b"\0\0MTTS\1" + b"x" * MAX_VALUE), ClientVariable("MTTS", "x" * MAX_VALUE))
    book().hears(
        message(b"\0\0MTTS\1" + b"x" * (MAX_VALUE + 1) + b"\0CHARSET"), BEYOND, ClientVariable("CHARSET", None)
    )
    book().hears(message(b"\0\0" + b"N" * MAX_NAME))
    book().hears(message(b"\0\0" + b"N" * (MAX_NAME + 1) + b"\0" + b"M" * 100 + b"\1"), BEYOND)
    many = b"".join(b"\0V%d" % number for number in range(MAX_VARIABLES - 1))
    book().hears(message(b"\0" + many + b"\0MTTS"), ClientVariable("MTTS", None))
    book().hears(message(b"\0" + many + b"\0MTTS\0CHARSET"), BEYOND, ClientVariable("MTTS", None))


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1\0USER", b"\3\0MTTS\1x", b"\xff"])
def test_other_messages_are_ignored(payload: bytes) -> None:
    book().hears(message(payload)).says(b"")


def test_a_peer_that_switches_it_off_is_not_waited_for() -> None:
    book().hears("IAC WONT NEW-ENVIRON").ticks(0.0, NegotiationSettled())


def test_it_asks_again_when_it_is_switched_on_again() -> None:
    playbook = book().hears("IAC WONT NEW-ENVIRON").says("IAC DONT NEW-ENVIRON")
    playbook.hears("IAC WILL NEW-ENVIRON").says(b"\xff\xfd\x27" + REQUEST)


def test_a_game_may_ask_for_other_variables() -> None:
    option = NewEnviron(("MTTS", "LANG"), volunteered=())
    playbook = Playbook(TelnetEngine([option])).hears("IAC WILL NEW-ENVIRON")
    playbook.says(b"\xff\xfd\x27\xff\xfa\x27\x01\0MTTS\0LANG\xff\xf0")
    playbook.hears(message(b"\0\0LANG\1C\0ANSI\1" + b"1"), ClientVariable("LANG", "C"))


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("USER",), "must not be trusted"),
        (("MTTS", "user"), "must not be trusted"),
        (("",), "1 to 64"),
        (("N" * 65,), "1 to 64"),
        (("A\0B",), "printable"),
        (("É",), "ASCII"),
        (tuple("N" * 40 + str(number) for number in range(10)), "less than 240"),
        ((), "at least one"),
    ],
)
def test_a_wrong_question_is_a_mistake_of_ours(names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        NewEnviron(names)


def test_user_may_not_be_volunteered_either() -> None:
    with pytest.raises(ValueError, match="must not be trusted"):
        NewEnviron(volunteered=("USER",))


def test_the_whole_exchange_may_be_cut_anywhere() -> None:
    check_every_split(
        b"\xff\xfb\x27"
        + message(b"\0\0CLIENT_NAME\1a\2\1b\xff")
        + message(b"\0\3MTTS")
        + b"look\r\n"
        + message(b"\2\0CHARSET\1UTF-8")
    )


_bytes = st.lists(st.one_of(st.sampled_from([b"\0", b"\1", b"\2", b"\3", b"MTTS", b"\xff"]), st.binary(max_size=4)))


@given(_bytes.map(b"".join))
@example(b"\0\2")
@example(b"\0\0MTTS\1\2")
def test_no_message_raises_or_reports_what_was_not_asked_for(payload: bytes) -> None:
    events: list[TelnetEvent]
    events, _ = converse(TelnetEngine([NewEnviron()]), b"\xff\xfb\x27", message(payload))
    for event in events:
        assert isinstance(event, ClientVariable)
        assert event.name in MNES_NAMES
        assert event.value is None or event.value.isprintable()
