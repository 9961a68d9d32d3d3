"""ECHO, NAWS and TTYPE as bytes, and the freedom of an option."""

import math
from typing import NoReturn

import pytest

from trio_mud.telnet import (
    DEFAULT_OPTIONS,
    Anomaly,
    AnomalyKind,
    EchoRejected,
    Engine,
    Line,
    NegotiationSettled,
    Option,
    OptionFailed,
    Policy,
    Subnegotiation,
    TelnetEngine,
    TerminalType,
    WindowResized,
)
from trio_mud.telnet.options import Echo, Naws, Ttype
from trio_mud.testing.playbook import Playbook, check_every_split, converse, unspell


def echo() -> Playbook:
    return Playbook(TelnetEngine([Echo()], settle_within=None))


def naws() -> Playbook:
    return Playbook(TelnetEngine([Naws()])).says("IAC DO NAWS").hears("IAC WILL NAWS")


def ttype() -> Playbook:
    return Playbook(TelnetEngine([Ttype()])).says("IAC DO TTYPE").hears("IAC WILL TTYPE").says("IAC SB TTYPE 01 IAC SE")


def is_(name: bytes) -> bytes:
    return b"\xff\xfa\x18\x00" + name + b"\xff\xf0"


def test_the_default_options_ask_who_is_there_before_anything_else_and_leave_echo_alone() -> None:
    offers = TelnetEngine(DEFAULT_OPTIONS).data_to_send()
    assert offers.startswith(b"\xff\xfd\x18\xff\xfd\x1f\xff\xfd\x27\xff\xfb\x2a")
    assert b"\xff\xfb\x01" not in offers
    assert b"\xff\xfb\x03" not in offers


# ECHO


def test_a_password_is_hidden_and_shown_again_with_the_enter_that_was_not_echoed() -> None:
    (
        echo()
        .says(b"")
        .calls("hide_input", True)
        .says("IAC WILL ECHO")
        .hears("IAC DO ECHO")
        .hears(b"secret\r\n", Line("secret"))
        .calls("hide_input", False)
        .says(b"\xff\xfc\x01\r\n")
        .hears("IAC DONT ECHO")
        .says(b"")
    )


def test_two_passwords_in_a_row_are_hidden_for_tintin_which_never_acknowledges() -> None:
    playbook = echo()
    for _ in range(4):
        playbook.calls("hide_input", True).says("IAC WILL ECHO").hears("IAC DO ECHO")
        assert playbook.engine.is_ours(1)
        playbook.calls("hide_input", False).says(b"\xff\xfc\x01\r\n")


def test_a_password_typed_ahead_ends_hidden_though_all_answers_cross() -> None:
    playbook = (
        echo()
        .calls("hide_input", True)
        .calls("hide_input", False)
        .calls("hide_input", True)
        .says("IAC WILL ECHO IAC WONT ECHO IAC WILL ECHO")
        .hears("IAC DO ECHO IAC DONT ECHO")
        .hears("IAC DO ECHO")
        .says(b"")
    )
    assert playbook.engine.is_ours(1)


def test_a_peer_that_refuses_to_be_hidden_from_is_reported() -> None:
    (
        echo()
        .calls("hide_input", True)
        .says("IAC WILL ECHO")
        .hears("IAC DONT ECHO", EchoRejected())
        .calls("hide_input", False)
        .says(b"")
    )


def test_a_peer_that_does_not_answer_within_two_seconds_is_reported_once() -> None:
    playbook = echo().calls("hide_input", True).says("IAC WILL ECHO")
    assert playbook.engine.next_deadline == -math.inf
    playbook.ticks(100.0)
    assert playbook.engine.next_deadline == 102.0
    playbook.ticks(101.9).ticks(102.0, EchoRejected())
    assert playbook.engine.next_deadline is None
    playbook.ticks(200.0).hears("IAC DONT ECHO").says(b"").calls("hide_input", False).says(b"")


def test_a_late_yes_still_hides() -> None:
    playbook = echo().calls("hide_input", True).says("IAC WILL ECHO").ticks(0.0).ticks(2.0, EchoRejected())
    playbook.hears("IAC DO ECHO").says(b"").calls("hide_input", False).says(b"\xff\xfc\x01\r\n")


def test_after_silence_the_next_password_is_asked_for_again() -> None:
    playbook = echo()
    for start in (0.0, 10.0, 20.0):
        playbook.calls("hide_input", True).says("IAC WILL ECHO")
        playbook.ticks(start).ticks(start + 2.0, EchoRejected())
        playbook.calls("hide_input", False).says("IAC WONT ECHO")
    playbook.calls("hide_input", True).says("IAC WILL ECHO").hears("IAC DO ECHO")
    assert playbook.engine.is_ours(1)


def test_busybox_refusing_the_second_time_is_reported() -> None:
    playbook = echo().calls("hide_input", True).hears("IAC DO ECHO").calls("hide_input", False)
    playbook.hears("IAC DONT ECHO").calls("hide_input", True)
    playbook.says(b"\xff\xfb\x01\xff\xfc\x01\r\n\xff\xfb\x01").hears("IAC DONT ECHO", EchoRejected())


def test_putty_asking_for_echo_is_refused() -> None:
    echo().hears("IAC DO ECHO").says("IAC WONT ECHO").hears("IAC DONT ECHO").says(b"")


def test_hiding_twice_asks_once() -> None:
    echo().calls("hide_input", True).calls("hide_input", True).says("IAC WILL ECHO")


def test_showing_what_is_not_hidden_says_nothing() -> None:
    echo().calls("hide_input", False).says(b"")


def test_input_is_meant_hidden_whatever_the_peer_says() -> None:
    engine = TelnetEngine()
    assert not engine.input_hidden
    engine.hide_input(True)
    engine.receive(b"\xff\xfe\x01")
    assert engine.input_hidden
    engine.hide_input(False)
    assert not engine.input_hidden


def test_an_engine_without_the_option_says_that_it_cannot_hide() -> None:
    playbook = Playbook(TelnetEngine([], settle_within=None)).calls("hide_input", True).says(b"")
    assert playbook.engine.next_deadline == -math.inf
    playbook.ticks(0.0, EchoRejected()).calls("hide_input", False).says(b"")


def test_a_client_that_takes_hiding_back_is_reported() -> None:
    playbook = echo().calls("hide_input", True).says("IAC WILL ECHO").hears("IAC DO ECHO")
    playbook.hears("IAC DONT ECHO", EchoRejected()).says("IAC WONT ECHO").hears("IAC DONT ECHO").says(b"")
    assert playbook.engine.input_hidden  # what is typed must not be logged all the same
    playbook.calls("hide_input", False).says(b"").calls("hide_input", True).says("IAC WILL ECHO")


def test_hiding_that_ends_as_we_wish_is_not_refused() -> None:
    playbook = echo().calls("hide_input", True).hears("IAC DO ECHO").calls("hide_input", False)
    playbook.says(b"\xff\xfb\x01\xff\xfc\x01\r\n").hears("IAC DONT ECHO").says(b"")


# NAWS


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("00 50 00 18", WindowResized(80, 24)),
        ("00 IAC IAC 00 18", WindowResized(255, 24)),
        ("01 00 01 2c", WindowResized(256, 300)),
        ("00 00 00 00", WindowResized(None, None)),  # curl
        ("00 50 00 00", WindowResized(80, None)),
        ("00 01 00 01", WindowResized(10, 5)),
        ("IAC IAC IAC IAC IAC IAC IAC IAC", WindowResized(1000, 1000)),
    ],
)
def test_a_window_size_is_reported_clamped(payload: str, expected: WindowResized) -> None:
    naws().hears(f"IAC SB NAWS {payload} IAC SE", expected).says(b"")


@pytest.mark.parametrize("payload", ["", "00", "00 50 00", "00 50 00 18 00"])
def test_a_window_size_of_another_length_is_an_anomaly(payload: str) -> None:
    length = len(payload.split())
    malformed = Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"NAWS of {length} bytes")
    naws().hears(f"IAC SB NAWS {payload} IAC SE", malformed)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("00 IAC 00 32", WindowResized(255, 50)),
        ("01 IAC 00 32", WindowResized(511, 50)),
        ("00 50 00 IAC", WindowResized(80, 255)),
        ("00 IAC 00 IAC", WindowResized(255, 255)),
        ("00 IAC IAC 00 IAC IAC", WindowResized(255, 255)),
        ("00 50 00 IAC IAC", WindowResized(80, 255)),
    ],
)
def test_a_size_of_255_is_understood_whether_its_ff_is_doubled_or_not(payload: str, expected: WindowResized) -> None:
    data = unspell(f"IAC SB NAWS {payload} IAC SE") + b"look\r\n"
    naws().hears(data, expected, Line("look")).says(b"")
    check_every_split(unspell("IAC WILL NAWS") + data, lambda: TelnetEngine([Naws()]))


def test_a_size_whose_ff_cannot_be_told_from_a_command_never_becomes_typed_text() -> None:
    # 65535 columns and 24 rows, not doubled: ff ff is one ff.
    malformed = Anomaly(AnomalyKind.MALFORMED_PAYLOAD, "NAWS of 3 bytes")
    naws().hears(unspell("IAC SB NAWS IAC IAC 00 18 IAC SE") + b"look\r\n", malformed, Line("look"))


def test_a_window_may_be_resized_at_any_time() -> None:
    naws().hears(
        "IAC SB NAWS 00 50 00 18 IAC SE IAC SB NAWS 00 64 00 28 IAC SE", WindowResized(80, 24), WindowResized(100, 40)
    )


def test_a_window_size_before_agreement_is_an_anomaly() -> None:
    playbook = Playbook(TelnetEngine([Naws()]))
    unexpected = Anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, "NAWS is not on")
    playbook.hears("IAC SB NAWS 00 50 00 18 IAC SE", unexpected)


def test_puttys_own_offer_that_crosses_ours_is_the_answer() -> None:
    playbook = Playbook(TelnetEngine([Naws()])).hears("IAC WILL NAWS").says("IAC DO NAWS")
    playbook.hears("IAC SB NAWS 00 50 00 18 IAC SE", WindowResized(80, 24))


# TTYPE


def test_tintin_names_itself_its_terminal_and_its_abilities() -> None:
    playbook = ttype()
    for name in ("TINTIN++", "xterm-256color"):
        playbook.hears(is_(name.encode()), TerminalType(name)).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(b"MTTS 271"), TerminalType("MTTS 271")).says(b"")


def test_asking_stops_at_a_repeated_name() -> None:
    ttype().hears(is_(b"XTERM"), TerminalType("XTERM")).says("IAC SB TTYPE 01 IAC SE").hears(is_(b"XTERM")).says(b"")


def test_asking_stops_after_five_names() -> None:
    playbook = ttype()
    for number in range(4):
        playbook.hears(is_(b"T%d" % number), TerminalType(f"T{number}")).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(b"T4"), TerminalType("T4")).says(b"").hears(is_(b"T5")).says(b"")


def test_a_name_that_was_not_asked_for_is_ignored() -> None:
    playbook = ttype().hears(is_(b"MTTS 1"), TerminalType("MTTS 1"))
    playbook.hears(is_(b"MTTS 2")).says(b"")


def test_what_is_not_an_answer_is_ignored() -> None:
    ttype().hears("IAC SB TTYPE 01 IAC SE").hears("IAC SB TTYPE IAC SE").hears(is_(b"X"), TerminalType("X"))


@pytest.mark.parametrize("name", [b"\x1b[31m", b"x" * 65, b"caf\xc3\xa9", b"a\nb", b"x" * 64 + b"\xff" * 8])
def test_a_name_that_is_not_short_and_printable_is_passed_over_and_the_next_is_asked_for(name: bytes) -> None:
    malformed = Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"TTYPE name of {len(name)} bytes")
    playbook = ttype().hears(is_(name.replace(b"\xff", b"\xff\xff")), malformed).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(b"XTERM"), TerminalType("XTERM")).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(name.replace(b"\xff", b"\xff\xff"))).says(b"")  # a repeated name ends the list


def test_an_empty_first_name_does_not_end_the_asking() -> None:
    # telnetlib3 sends it for a terminal that is not set.
    playbook = ttype().hears(is_(b"")).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(b"XTERM"), TerminalType("XTERM")).says("IAC SB TTYPE 01 IAC SE")
    playbook.hears(is_(b"")).says(b"")
    assert playbook.engine.option_set.is_settled(playbook.engine)


def test_a_client_with_empty_names_only_is_asked_twice() -> None:
    ttype().hears(is_(b"")).says("IAC SB TTYPE 01 IAC SE").hears(is_(b"")).says(b"")


def test_a_name_of_64_bytes_is_accepted() -> None:
    ttype().hears(is_(b"x" * 64), TerminalType("x" * 64))


def test_switching_the_option_off_and_on_does_not_make_us_ask_for_ever() -> None:
    engine = TelnetEngine([Ttype()])
    _, sent = converse(engine, *[b"\xff\xfc\x18\xff\xfb\x18"] * 100)
    assert sent.count(b"\xff\xfa\x18\x01\xff\xf0") == 5


def test_a_whole_greeting_may_be_cut_anywhere() -> None:
    # Mudlet's kind: everything in one segment, a command typed ahead in between.
    greeting = (
        b"\xff\xfc\x16\xff\xfe\x03\xff\xfb\x1f\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0\xff\xfb\x18look\r\n"
        + is_(b"MUDLET")
        + is_(b"ANSI-TRUECOLOR")
        + is_(b"MTTS 2349")
        + b"\xff\xfd\xc9\xff\xfa\xc9Core.Hello {}\xff\xf0"
    )
    check_every_split(greeting)


# Options of one's own


class Whisper(Option):
    """An option that stores its payloads and answers backwards."""

    __slots__ = ("heard",)
    code = 200
    ours = Policy.ACCEPT
    theirs = Policy.ACCEPT
    subnegotiation_limit = 10_000

    def __init__(self) -> None:
        self.heard: tuple[bytes, ...] = ()

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        self.heard += (payload,)
        engine.emit(Subnegotiation(200, b"".join(self.heard)))
        engine.send_subnegotiation(200, payload[::-1])


class Broken(Option):
    """An option that offers itself and raises at every step."""

    code = 201
    ours = Policy.OFFER
    theirs = Policy.ACCEPT

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        raise RuntimeError("on_ours")

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        raise RuntimeError("on_theirs")

    def on_refused(self, engine: Engine) -> None:
        raise RuntimeError("on_refused")


def test_an_option_does_nothing_by_itself() -> None:
    class Silent(Option):
        code = 99
        ours = theirs = Policy.ACCEPT

    playbook = Playbook(TelnetEngine([Silent()])).hears("IAC DO 63 IAC WILL 63").says("IAC WILL 63 IAC DO 63")
    playbook.hears("IAC SB 63 00 IAC SE").calls("disable_theirs", 99).says("IAC DONT 63")
    playbook.calls("disable_ours", 99).calls("enable_ours", 99).says("IAC WONT 63 IAC WILL 63").hears("IAC DO 63")
    playbook.calls("enable_theirs", 99).hears("IAC WONT 63").hears("IAC DONT 63").says("IAC DO 63 IAC WONT 63")


def test_an_option_keeps_its_state_to_its_own_connection() -> None:
    prototype = Whisper()
    for _ in range(2):
        playbook = Playbook(TelnetEngine([prototype])).hears("IAC DO c8").says("IAC WILL c8")
        playbook.hears("IAC SB c8 61 62 IAC IAC IAC SE", Subnegotiation(200, b"ab\xff"))
        playbook.says("IAC SB c8 IAC IAC 62 61 IAC SE")
        playbook.hears("IAC SB c8 63 IAC SE", Subnegotiation(200, b"ab\xffc"))
    assert prototype.heard == ()


def test_an_option_may_name_its_own_limit_which_holds_once_it_is_agreed() -> None:
    engine = TelnetEngine([Whisper()], subnegotiation_limit=4)
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 4 bytes for option 200")
    playbook = Playbook(engine).hears(b"\xff\xfa\xc812345\xff\xf0", oversized).hears("IAC WILL c8")
    playbook.hears(b"\xff\xfa\xc812345\xff\xf0", Subnegotiation(200, b"12345"))


@pytest.mark.parametrize(
    ("heard", "step", "said"),
    [
        ("IAC DO c9", "on_ours", "IAC WILL c9 IAC WONT c9"),
        ("IAC WILL c9", "on_theirs", "IAC WILL c9 IAC DO c9 IAC WONT c9 IAC DONT c9"),
        ("IAC DONT c9", "on_refused", "IAC WILL c9"),
    ],
)
def test_a_broken_option_costs_itself_only(heard: str, step: str, said: str) -> None:
    playbook = Playbook(TelnetEngine([Broken(), Ttype(), Naws()]))
    playbook.says("IAC WILL c9 IAC DO TTYPE IAC DO NAWS")
    (failed,) = playbook.hears(b"").engine.receive(bytes.fromhex("ff") + _verb_and_option(heard))
    assert isinstance(failed, OptionFailed)
    assert failed.code == 201
    assert str(failed.error) == step
    assert failed.error.__traceback__ is not None
    playbook.says(said.removeprefix("IAC WILL c9").strip())
    playbook.hears(b"\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0look\n", WindowResized(80, 24), Line("look"))


def _verb_and_option(script: str) -> bytes:
    return {"DO": b"\xfd", "WILL": b"\xfb", "DONT": b"\xfe"}[script.split()[1]] + b"\xc9"


def test_a_failed_option_is_refused_from_then_on() -> None:
    engine = TelnetEngine([Broken()])
    engine.receive(b"\xff\xfd\xc9")
    engine.data_to_send()
    playbook = Playbook(engine).hears("IAC WILL c9").says("IAC DONT c9")
    playbook.calls("enable_ours", 201).says("IAC WILL c9")
    unexpected = Anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, "GMCP is not on")
    playbook.hears("IAC SB c9 61 IAC SE", unexpected)
    playbook.hears("IAC DO c9 IAC SB c9 61 IAC SE").says(b"")


def test_an_option_that_fails_in_a_tick_is_reported_by_it() -> None:
    engine = TelnetEngine([Broken()], settle_within=None)
    engine.tick(0.0)
    (failed,) = engine.tick(2.0)
    assert isinstance(failed, OptionFailed)
    assert engine.tick(4.0) == []
    assert engine.next_deadline is None


def test_an_option_that_fails_outside_a_call_is_reported_by_the_next() -> None:
    engine = TelnetEngine([Broken()])
    engine.receive(b"\xff\xfb\x63")
    engine.enable_theirs(201)
    (failed,) = engine.receive(b"\xff\xfb\xc9")
    assert isinstance(failed, OptionFailed)

    class Late(Option):
        code = 99
        ours = Policy.ACCEPT

        def on_ours(self, engine: Engine, enabled: bool) -> None:
            if not enabled:
                raise RuntimeError("late")

    engine = TelnetEngine([Late()], settle_within=None)
    assert engine.receive(b"\xff\xfd\x63") == []
    engine.disable_ours(99)
    assert engine.next_deadline == -math.inf
    (failed,) = engine.tick(0.0)
    assert isinstance(failed, OptionFailed)


class Unreadable(Exception):
    def __getattribute__(self, name: str) -> NoReturn:
        raise LookupError(name)


@pytest.mark.parametrize("error", [GeneratorExit, BaseException, Unreadable])
def test_an_option_that_raises_what_is_no_exception_costs_itself_only(error: type[BaseException]) -> None:
    class Exiting(Option):
        __slots__ = ()
        code = 99
        ours = Policy.OFFER
        theirs = Policy.ACCEPT

        def on_theirs(self, engine: Engine, enabled: bool) -> None:
            raise error

        def is_settled(self, engine: Engine) -> bool:
            raise error

    engine = TelnetEngine([Exiting()])
    (failed, line) = engine.receive(b"\xff\xfb\x63look\n")
    assert (type(failed), line) == (OptionFailed, Line("look"))
    engine = TelnetEngine([Exiting()])
    engine.receive(b"\xff\xfd\x63")
    assert [type(event) for event in engine.tick(0.0)] == [OptionFailed, NegotiationSettled]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_option_does_not_stop_an_interrupt(error: type[BaseException]) -> None:
    class Exiting(Option):
        code = 99
        theirs = Policy.ACCEPT

        def on_theirs(self, engine: Engine, enabled: bool) -> None:
            raise error

    with pytest.raises(error):
        TelnetEngine([Exiting()]).receive(b"\xff\xfb\x63")


def test_a_limit_is_read_and_checked_when_the_engine_is_made() -> None:
    class Wordy(Option):
        code = 99
        subnegotiation_limit = "a lot"  # type: ignore[assignment]

    with pytest.raises(TypeError, match="option 99 has 'a lot' as subnegotiation_limit: use bytes as an int"):
        TelnetEngine([Wordy()])

    class Moody(Option):
        code = 99

        @property
        def subnegotiation_limit(self) -> NoReturn:  # type: ignore[override]
            raise LookupError("not now")

    with pytest.raises(LookupError, match="not now"):
        TelnetEngine([Moody()])


def test_two_options_with_one_code_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="same code"):
        TelnetEngine([Echo(), Echo()])
